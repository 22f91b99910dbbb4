"""Which activities each queue's worker has, wired to what they act on: the same in production, rehearsal and tests."""

from collections.abc import Callable
from typing import Any

from temporalio.client import Client

from activities.copies import CopyActivities
from activities.freezes import FreezeActivities, scheduled
from activities.inventory import InventoryActivities
from activities.lost import LostActivities
from activities.measuring import Clock, Meter
from activities.native import NativeActivities
from activities.records import RecordActivities
from activities.routes import RouteActivities
from activities.scaling import ScalingActivities
from longshore.backends.port import Backend
from longshore.store.store import Store
from longshore.traffic.port import TrafficPlane

Activities = list[Callable[..., Any]]
Metering = Callable[[TrafficPlane, Store, Clock], Meter]
"""Makes what measures the checks."""


def central_activities(client: Client, store: Store, traffic: TrafficPlane, clock: Clock = scheduled) -> Activities:
    """Those of the queue `longshore`: the store's and the traffic plane's. Rehearsals have a clock of their own."""
    records, routes, lost = RecordActivities(store), RouteActivities(traffic), LostActivities(client)
    return [
        records.record_step,
        records.record_deployment,
        records.load,
        records.reserve,
        routes.publish,
        routes.withdraw,
        routes.drained,
        routes.weights,
        lost.end,
        FreezeActivities(store, clock).read,
    ]


def target_activities(
    backend: Backend,
    store: Store,
    traffic: TrafficPlane,
    clock: Clock,
    metering: Metering = Meter,
) -> Activities:
    """Those of a target's queue."""
    copies = CopyActivities(backend, store, metering(traffic, store, clock))
    scaling, inventory = ScalingActivities(backend), InventoryActivities(backend, store)
    native = NativeActivities(backend, store)
    return [
        copies.verify,
        copies.ensure,
        copies.observe,
        copies.smoke,
        copies.measure,
        scaling.steer,
        inventory.accept,
        native.delegate,
        native.follow,
    ]
