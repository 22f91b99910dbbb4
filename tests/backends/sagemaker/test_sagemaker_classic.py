"""Classic endpoints on the emulator: one for each deployment, updated by SageMaker, judged by their configuration."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_examples import version_spec
from aws_fleet import REGION, Fleet, states

from longshore.backends.port import BackendError, Handover
from longshore.backends.sagemaker.classic import ClassicBackend
from longshore.backends.sagemaker.classic_seen import deployment_config
from longshore.backends.sagemaker.client import Aws
from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator
from longshore.planning.delegated.verdict import Verdict, judged
from longshore.planning.fence import Fence
from longshore.planning.native import NativePolicy, NativeStatus, Portion, Shift
from longshore.store.store import Store

POLICY = NativePolicy(batch=Portion(percent=50), rollback_batch=Portion(percent=50), wait_s=60, limit_s=3600)
NEW = version_spec(server={"image": "serve:2", "smoke": {"path": "/invocations", "method": "POST", "body": {}}})
FENCE = Fence(operation=2, step=1)


class Classic(Fleet):
    """A target whose deployments have endpoints of their own."""

    def __init__(self, store: Store, emulator: Emulator, clock: ManualClock) -> None:
        instances = {"type": "ml.g5.xlarge", "max": 6}
        super().__init__(store, emulator, clock, endpoint=None, instances=instances)

    def another_worker(self) -> Any:
        now = self.clock.now
        notes = self.store.notes("fleet")
        return ClassicBackend("fleet", self.spec, notes, clock=lambda: datetime.fromtimestamp(now(), UTC))

    def endpoints(self) -> list[dict[str, Any]]:
        """Descriptions of all that there are."""
        listed = self.boto.list_endpoints()["Endpoints"]
        return [self.boto.describe_endpoint(EndpointName=one["EndpointName"]) for one in listed]

    def left(self) -> tuple[int, int, int]:
        """Endpoints, configurations and models."""
        configs = self.boto.list_endpoint_configs()["EndpointConfigs"]
        return len(self.endpoints()), len(configs), len(self.boto.list_models()["Models"])


@pytest.fixture
async def classic(store: Store, emulator: Emulator, clock: ManualClock) -> Classic:
    fleet = Classic(store, emulator, clock)
    await fleet.backend.declare(())
    return fleet


def update(**changes: Any) -> Handover:
    values: dict[str, Any] = {
        "deployment": "search", "model": "search", "version": "2", "before": "1", "copies": 2, "policy": POLICY,
        "spec": NEW, "fence": FENCE,
    }  # fmt: skip
    return Handover(**(values | changes))


def truth(status: NativeStatus, copies: int = 2) -> Verdict:
    return judged(status, goal="2", before="1", copies=copies)


async def followed(classic: Classic, seconds: float = 7200.0) -> NativeStatus:
    classic.clock.advance(seconds)
    return await classic.backend.follow("search", FENCE)


async def test_a_deployment_has_an_endpoint_whose_instances_are_its_copies(classic: Classic) -> None:
    assert states(await classic.ensure(2)) == {"starting": 2}
    seen = await classic.later()
    assert (states(seen), seen.differences) == ({"ready": 2}, ())
    assert [host.obtainable for host in seen.hosts] == [False, False, True, True, True, True]
    (way,) = seen.upstreams
    (there,) = classic.endpoints()
    assert (way.path, way.headers) == (f"/endpoints/{there['EndpointName']}", {})


async def test_copies_come_and_go_and_with_the_last_the_endpoint_and_all_that_was_made_for_it(classic: Classic) -> None:
    await classic.settled(2)
    await classic.ensure(3)
    assert states(await classic.later()) == {"ready": 3}
    assert states(await classic.ensure(1, "drain")) == {"ready": 1, "draining": 2}
    await classic.ensure(1)
    assert states(await classic.later()) == {"ready": 1}
    await classic.ensure(0)
    await classic.later()
    assert classic.left() == (0, 0, 0)
    assert await classic.store.notes("fleet").pages() == {}
    await classic.settled(1)
    assert states(await classic.later()) == {"ready": 1}


async def test_what_is_asked_twice_is_made_once(classic: Classic, calls: Counter[str]) -> None:
    level = classic.level(2)
    await classic.backend.ensure(level)
    await classic.another_worker().ensure(level)
    assert (calls["CreateEndpoint"], classic.left()) == (1, (1, 1, 1))


async def test_an_endpoint_serves_one_version_at_a_time(classic: Classic) -> None:
    await classic.settled(1)
    with pytest.raises(BackendError, match="one version at a time"):
        await classic.ensure(1, version="2")


@pytest.mark.parametrize("shift", ["rolling", "allAtOnce", "canary", "linear"])
async def test_sagemaker_brings_it_to_the_next_version_in_each_of_its_ways(classic: Classic, shift: Shift) -> None:
    await classic.settled(2)
    ((name, old),) = [(one["EndpointName"], one["EndpointConfigName"]) for one in classic.endpoints()]
    policy = POLICY.model_copy(update={"shift": shift, "step": 50, "keep_s": 0 if shift == "rolling" else 60})
    await classic.backend.hand_over(update(policy=policy))
    assert truth(await followed(classic, 10)) is Verdict.UNDER_WAY
    assert states(await classic.backend.observe(), "1") == {"ready": 2}

    assert truth(await followed(classic)) is Verdict.REACHED
    (there,) = classic.endpoints()
    assert (there["EndpointName"], there["EndpointConfigName"] != old) == (name, True)
    seen = await classic.later(60)
    assert (states(seen, "2"), states(seen, "1"), seen.differences) == ({"ready": 2}, {}, ())
    assert classic.left() == (1, 1, 1)


async def test_an_alarm_makes_it_go_back_and_the_configuration_tells(classic: Classic) -> None:
    watch = boto3.client("cloudwatch", region_name=REGION)
    watch.put_metric_alarm(
        AlarmName="errors", Namespace="mine", MetricName="errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip
    await classic.settled(2)
    changes = {"shift": "canary", "step": 50, "wait_s": 1800, "alarms": ("errors",)}
    await classic.backend.hand_over(update(policy=POLICY.model_copy(update=changes)))
    assert truth(await followed(classic, 900)) is Verdict.UNDER_WAY
    watch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    assert truth(await followed(classic)) is Verdict.RETURNED
    (there,) = classic.endpoints()
    assert there["EndpointStatus"] == "InService"
    assert states(await classic.later(60)) == {"ready": 2}
    assert classic.left() == (1, 1, 1)


async def test_a_silent_rollback_is_seen_and_a_late_attempt_begins_nothing_again(
    classic: Classic, calls: Counter[str]
) -> None:
    await classic.settled(2)
    (there,) = classic.endpoints()
    classic.emulator.faults.set(silent_rollback=[there["EndpointName"]])
    await classic.backend.hand_over(update())
    await classic.another_worker().hand_over(update())
    assert truth(await followed(classic)) is Verdict.RETURNED
    await classic.another_worker().hand_over(update())
    assert calls["UpdateEndpoint"] == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "operation", ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint", "DeleteEndpointConfig", "DeleteModel"]
)
async def test_whoever_dies_at_a_call_leaves_it_to_the_next_to_end_the_same_way(
    classic: Classic, calls: Counter[str], monkeypatch: pytest.MonkeyPatch, operation: str, moment: str
) -> None:
    await classic.settled(2)
    dies(monkeypatch, operation, moment)
    died = 0
    for attempt in (classic.backend.hand_over, classic.another_worker().hand_over):
        try:
            await attempt(update())
        except Death:
            died += 1
    classic.clock.advance(7200)
    status = None
    for _ in range(2):
        try:
            status = await classic.another_worker().follow("search", FENCE)
        except Death:
            died += 1
    assert died == 1
    assert status is not None
    assert truth(status) is Verdict.REACHED
    assert calls["UpdateEndpoint"] == 1
    assert states(await classic.later(60), "2") == {"ready": 2}
    assert len(classic.endpoints()) == 1


class Death(Exception):  # noqa: N818 - it is one
    """The worker died."""


def dies(monkeypatch: pytest.MonkeyPatch, operation: str, moment: str) -> None:
    """The first call of an operation is the worker's last: before it is made, or after, with nobody told."""
    call, left = Aws._call, [operation]

    def deadly(self: Aws, service: str, named: str, *more: Any) -> dict[str, Any]:
        last = named in left
        if last:
            left.remove(named)
            if moment == "before":
                raise Death
        answer = call(self, service, named, *more)
        if last:
            raise Death
        return answer

    monkeypatch.setattr(Aws, "_call", deadly)


async def test_somebody_elses_change_shows_as_a_difference(classic: Classic) -> None:
    await classic.settled(2)
    (there,) = classic.endpoints()
    name = there["EndpointName"]
    weights = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}]
    classic.boto.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=weights)
    seen = await classic.later()
    assert [(one.what, one.wanted, one.found) for one in seen.differences] == [("DesiredInstanceCount", "2", "1")]
    classic.boto.delete_endpoint(EndpointName=name)
    seen = await classic.later()
    assert [(one.what, one.found) for one in seen.differences] == [("deleted", "gone")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"shift": "canary", "step": 10, "keep_s": 300},
            {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}, "WaitIntervalInSeconds": 60},
        ),
        (
            {"shift": "linear", "step": 25, "keep_s": 300},
            {
                "Type": "LINEAR",
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
                "WaitIntervalInSeconds": 60,
            },
        ),
        ({"shift": "allAtOnce", "keep_s": 300}, {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}),
    ],
)
def test_guardrails_are_put_into_sagemakers_words(changes: dict[str, Any], told: dict[str, Any]) -> None:
    policy = POLICY.model_copy(update={**changes, "alarms": ("errors",)})
    assert deployment_config(policy) == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": told,
            "TerminationWaitInSeconds": 300,
            "MaximumExecutionTimeoutInSeconds": 3600,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


async def test_an_endpoint_that_is_of_neither_version_is_asked_for_the_old_one_again(classic: Classic) -> None:
    await classic.settled(2)
    await classic.backend.hand_over(update())
    classic.clock.advance(7200)
    (there,) = classic.endpoints()
    strange = classic.boto.describe_endpoint_config(EndpointConfigName=there["EndpointConfigName"])
    variants = [{**one, "InitialInstanceCount": 2} for one in strange["ProductionVariants"]]
    classic.boto.create_endpoint_config(EndpointConfigName="strange", ProductionVariants=variants)
    classic.boto.update_endpoint(EndpointName=there["EndpointName"], EndpointConfigName="strange")
    assert truth(await followed(classic)) is Verdict.BROKEN
    later = Fence(operation=3, step=1)
    back = {"version": "1", "before": "2", "spec": version_spec(), "fence": later}
    await classic.backend.hand_over(update(**back))
    classic.clock.advance(7200)
    status = await classic.backend.follow("search", later)
    assert judged(status, goal="1", before="2", copies=2) is Verdict.REACHED
    assert states(await classic.later(60), "1") == {"ready": 2}


async def test_without_instances_a_copy_says_so_and_none_are_promised_for_a_while(classic: Classic) -> None:
    classic.emulator.faults.set(capacity={"ml.g5.xlarge": 1})
    await classic.ensure(2)
    waiting = (await classic.later()).copies
    assert {(copy.state.value, copy.reason) for copy in waiting} == {("starting", "InsufficientCapacity")}
    await classic.ensure(0)
    seen = await classic.later(60)
    assert (states(seen), classic.left()) == ({}, (0, 0, 0))
    assert {(host.obtainable, host.up) for host in seen.hosts} == {(True, False)}
    classic.emulator.faults.set(capacity={})
    assert {(host.obtainable, host.up) for host in (await classic.later(600)).hosts} == {(True, True)}
    await classic.settled(2)
    assert states(await classic.later()) == {"ready": 2}
