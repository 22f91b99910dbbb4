"""What a rehearsal answers (DESIGN, section 8)."""

from datetime import datetime
from typing import Any, Final

from longshore.api.standing import deployment_object
from longshore.store.records import StoredEvent
from longshore.store.store import Store
from worker.rehearsal.clock import seconds_of
from worker.rehearsal.tally import requests
from worker.rehearsal.world import World

MOST_EVENTS: Final = 1_000_000
INSTANTS: Final = ("windowStart", "windowEnd")
"""Evidence that is an instant."""


async def answer_of(name: str, ended: str, world: World, store: Store) -> dict[str, Any]:
    """The answer, from the world as it stands and what the workflows recorded."""
    await world.save()
    deployments = {}
    for deployment in sorted(world.rest.told):
        view = await store.deployments.view(deployment)
        if view is None:
            continue
        route = world.traffic.routes.get(deployment)
        routed = view.model_copy(update={"traffic": dict(route.weights) if route else {}})
        deployments[deployment] = deployment_object(routed, world.now(), None).model_dump(mode="json", by_alias=True)
    events = sorted(await store.events.list(limit=MOST_EVENTS), key=lambda event: (event.at, event.sequence))
    counted = requests(world.traffic)
    return {
        "name": name,
        "ended": ended,
        "duration": float(world.second),
        "deployments": deployments,
        "events": [_event(event, world) for event in events],
        "peakAccelerators": world.tally.peak_accelerators,
        "peakVersions": world.tally.peak_versions,
        "requests": {"total": counted.total, "failed": counted.failed},
        "lowestReady": dict(sorted(world.tally.lowest_ready.items())),
        "unroutable": counted.unroutable,
    }


def _event(event: StoredEvent, world: World) -> dict[str, Any]:
    """An event with its evidence laid beside its own fields, instants as seconds from the start, and what was there."""
    evidence = {
        key: seconds_of(datetime.fromisoformat(value)) if key in INSTANTS and value else value
        for key, value in event.evidence.items()
    }
    return {
        **evidence,
        "at": seconds_of(event.at),
        "deployment": event.deployment,
        "type": event.type.value,
        "revision": event.revision,
        "batch": event.batch,
        "actor": event.actor,
        "message": event.message,
        "operation": event.operation,
        "scene": world.scenes.of(event),
    }
