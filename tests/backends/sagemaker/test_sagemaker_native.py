"""Updates handed to SageMaker, on the emulator: begun once, followed to the end, and judged by the specification."""

from collections import Counter
from typing import Any

import boto3
import pytest
from aws_examples import NOON, after, component, page, version_spec
from aws_fleet import REGION, Fleet, states

from longshore.backends.port import BackendError, Handover
from longshore.backends.sagemaker import native, specification
from longshore.backends.sagemaker.client import Aws
from longshore.backends.sagemaker.pages import Handed
from longshore.planning.delegated.verdict import Verdict, judged
from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.native import NativePolicy, NativeStatus, Portion

POLICY = NativePolicy(batch=Portion(percent=50), rollback_batch=Portion(percent=50), wait_s=60, limit_s=600)
NEW = version_spec(server={"image": "serve:2", "smoke": {"path": "/invocations", "method": "POST", "body": {}}})
FENCE = Fence(operation=2, step=1)


def update(**changes: Any) -> Handover:
    values: dict[str, Any] = {
        "deployment": "search", "model": "search", "version": "2", "before": "1", "copies": 2, "policy": POLICY,
        "spec": NEW, "fence": FENCE,
    }  # fmt: skip
    return Handover(**(values | changes))


def truth(status: NativeStatus, copies: int = 2) -> Verdict:
    return judged(status, goal="2", before="1", copies=copies)


async def followed(fleet: Fleet, seconds: float = 3600.0) -> NativeStatus:
    fleet.clock.advance(seconds)
    return await fleet.backend.follow("search", FENCE)


async def test_the_component_keeps_its_name_and_its_page_moves_to_the_version_it_was_seen_to_be_of(
    fleet: Fleet,
) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    await fleet.backend.hand_over(update())

    assert truth(await followed(fleet, 30)) is Verdict.UNDER_WAY
    meanwhile = await fleet.backend.observe()
    assert (states(meanwhile, "1"), meanwhile.differences) == ({"ready": 2}, ())

    assert truth(await followed(fleet)) is Verdict.REACHED
    ((kept, there),) = fleet.components().items()
    assert kept == name
    assert there["Specification"]["Container"]["DeployedImage"]["SpecifiedImage"] == "serve:2"
    seen = await fleet.later(60)
    assert (states(seen, "2"), states(seen, "1"), seen.differences) == ({"ready": 2}, {}, ())
    ((way,),) = [seen.upstreams]
    assert (way.version, way.headers["X-Amzn-SageMaker-Inference-Component"]) == ("2", name)
    tags = {
        tag["Key"]: tag["Value"] for tag in fleet.boto.list_tags(ResourceArn=there["InferenceComponentArn"])["Tags"]
    }
    assert tags["longshore:version"] == "2"


async def test_other_copies_come_with_the_version(fleet: Fleet) -> None:
    await fleet.settled(2)
    await fleet.backend.hand_over(update(copies=3))
    assert truth(await followed(fleet), copies=3) is Verdict.REACHED
    assert fleet.counts() == [(3, 3)]
    assert states(await fleet.later(60)) == {"ready": 3}


async def test_a_silent_rollback_shows_by_the_specification_alone(fleet: Fleet) -> None:
    await fleet.settled(2)
    ((name, before),) = fleet.components().items()
    fleet.emulator.faults.set(silent_rollback=[name])
    await fleet.backend.hand_over(update())
    status = await followed(fleet)
    assert truth(status) is Verdict.RETURNED
    assert fleet.components()[name]["Specification"] == before["Specification"]
    assert fleet.components()[name]["InferenceComponentStatus"] == "InService"
    seen = await fleet.later(60)
    assert (states(seen, "1"), states(seen, "2"), seen.differences) == ({"ready": 2}, {}, ())


async def test_an_alarm_makes_sagemaker_go_back(fleet: Fleet) -> None:
    watch = boto3.client("cloudwatch", region_name=REGION)
    watch.put_metric_alarm(
        AlarmName="errors", Namespace="mine", MetricName="errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip
    await fleet.settled(2)
    await fleet.backend.hand_over(update(policy=POLICY.model_copy(update={"alarms": ("errors",), "wait_s": 600})))
    assert truth(await followed(fleet, 300)) is Verdict.UNDER_WAY
    watch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    assert truth(await followed(fleet)) is Verdict.RETURNED


async def test_it_is_begun_once_however_often_it_is_asked(fleet: Fleet, calls: Counter[str]) -> None:
    await fleet.settled(2)
    await fleet.backend.hand_over(update())
    await fleet.another_worker().hand_over(update())
    await followed(fleet)
    await fleet.another_worker().hand_over(update())
    assert calls["UpdateInferenceComponent"] == 1
    assert truth(await followed(fleet, 60)) is Verdict.REACHED


async def test_after_it_went_back_it_is_not_begun_again_by_a_late_attempt(fleet: Fleet, calls: Counter[str]) -> None:
    await fleet.settled(2)
    fleet.emulator.faults.set(silent_rollback=list(fleet.components()))
    await fleet.backend.hand_over(update())
    assert truth(await followed(fleet)) is Verdict.RETURNED
    await fleet.another_worker().hand_over(update())
    assert calls["UpdateInferenceComponent"] == 1
    fleet.emulator.faults.set(silent_rollback=[])
    later = Fence(operation=3, step=1)
    await fleet.backend.hand_over(update(fence=later))
    fleet.clock.advance(3600)
    assert truth(await fleet.backend.follow("search", later)) is Verdict.REACHED
    with pytest.raises(FenceRefusedError):
        await fleet.backend.hand_over(update())


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", ["UpdateInferenceComponent", "AddTags"])
async def test_whoever_dies_at_a_call_leaves_it_to_the_next_to_end_the_same_way(
    fleet: Fleet, calls: Counter[str], monkeypatch: pytest.MonkeyPatch, operation: str, moment: str
) -> None:
    await fleet.settled(2)
    _dies(monkeypatch, operation, moment)
    died = 0
    for attempt in (fleet.backend.hand_over, fleet.another_worker().hand_over):
        try:
            await attempt(update())
        except Death:
            died += 1
    fleet.clock.advance(3600)
    status = None
    for _ in range(2):
        try:
            status = await fleet.another_worker().follow("search", FENCE)
        except Death:
            died += 1
    assert died == 1
    assert status is not None
    assert truth(status) is Verdict.REACHED
    assert calls["UpdateInferenceComponent"] == 1
    assert len(fleet.components()) == 1
    assert states(await fleet.later(60), "2") == {"ready": 2}


class Death(Exception):  # noqa: N818 - it is one
    """The worker died."""


def _dies(monkeypatch: pytest.MonkeyPatch, operation: str, moment: str) -> None:
    """The first call of an operation is the worker's last: before it is made, or after, with nobody told."""
    call, left = Aws._call, [operation]

    def deadly(self: Aws, service: str, named: str, *more: Any) -> dict[str, Any]:
        dies = named in left
        if dies:
            left.remove(named)
            if moment == "before":
                raise Death
        answer = call(self, service, named, *more)
        if dies:
            raise Death
        return answer

    monkeypatch.setattr(Aws, "_call", deadly)


async def test_what_sagemaker_refuses_changes_nothing_and_is_not_tried_again(fleet: Fleet) -> None:
    await fleet.settled(4)
    before = fleet.components()
    with pytest.raises(BackendError) as refused:
        await fleet.backend.hand_over(update(copies=4, policy=POLICY.model_copy(update={"batch": Portion(copies=3)})))
    assert not refused.value.retryable
    assert fleet.components() == before


async def test_a_component_that_somebody_deleted_is_told(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.backend.hand_over(update(copies=1))
    (name,) = fleet.components()
    fleet.clock.advance(3600)
    fleet.boto.delete_inference_component(InferenceComponentName=name)
    status = await followed(fleet)
    assert (truth(status, copies=1), status.words) == (Verdict.BROKEN, "somebody deleted it")


async def test_there_must_be_a_component_to_update(fleet: Fleet) -> None:
    with pytest.raises(BackendError, match="has no component of version 1"):
        await fleet.backend.hand_over(update())


OLD_SPECIFICATION: dict[str, Any] = {"Container": {"Image": "serve:1"}}
NEW_SPECIFICATION: dict[str, Any] = {"Container": {"Image": "serve:2"}}
SEEN = {"old": {"Container": {"DeployedImage": {"SpecifiedImage": "serve:1"}}},
        "new": {"Container": {"DeployedImage": {"SpecifiedImage": "serve:2"}}},
        "strange": {"Container": {"DeployedImage": {"SpecifiedImage": "serve:9"}}}}  # fmt: skip


@pytest.mark.parametrize(
    ("asked_ago", "modified", "status", "there", "verdict"),
    [
        (5, "before", "InService", "old", Verdict.UNDER_WAY),  # described as it was yesterday
        (60, "before", "InService", "old", Verdict.RETURNED),
        (5, "since", "InService", "old", Verdict.RETURNED),
        (5, "since", "Updating", "old", Verdict.UNDER_WAY),
        (60, "since", "InService", "new", Verdict.REACHED),
        (60, "since", "InService", "strange", Verdict.BROKEN),
        (60, "since", "Failed", "new", Verdict.BROKEN),
        (60, "since", "Failed", "old", Verdict.BROKEN),
    ],
)
def test_a_description_is_believed_once_it_can_be_of_after_the_asking(
    asked_ago: float, modified: str, status: str, there: str, verdict: Verdict
) -> None:
    handed = Handed(
        fence=FENCE, version="2", specification=NEW_SPECIFICATION, accelerators=1, accelerator_memory_gib=0, copies=2,
        at=after(-asked_ago), modified_before=after(-3600), accepted=True,
    )  # fmt: skip
    noted = page(2, specification=OLD_SPECIFICATION, handed=handed)
    modified_at = after(-3600) if modified == "before" else after(-1)
    seen = component(2, status=status, specification=SEEN[there], modified_at=modified_at)
    assert truth(native.judged("1", noted, seen, NOON)) is verdict


def test_a_policy_becomes_sagemakers_deployment_config() -> None:
    policy = POLICY.model_copy(update={"batch": Portion(copies=2), "alarms": ("errors",)})
    assert native.deployment_config(policy) == {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "COPY_COUNT", "Value": 2},
            "WaitIntervalInSeconds": 60,
            "MaximumExecutionTimeoutInSeconds": 600,
            "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


async def test_what_somebody_else_changed_is_not_overwritten_by_handing_over(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    fleet.boto.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
    )
    await fleet.later()
    with pytest.raises(BackendError) as error:
        await fleet.backend.hand_over(update())
    assert (error.value.reason, error.value.retryable) == ("ChangedOutside", False)
    assert "CopyCount of version 1 is 3, not 2" in error.value.message


async def test_a_component_that_is_of_neither_version_is_asked_for_the_old_one_again(fleet: Fleet) -> None:
    await fleet.settled(2)
    await fleet.backend.hand_over(update())
    fleet.clock.advance(3600)
    (name,) = fleet.components()
    other = fleet.level(2, version="9", spec=version_spec(server={"image": "strange:1"}))
    strange = specification.specification(await fleet.backend.site.names(), other, None)
    fleet.boto.update_inference_component(InferenceComponentName=name, Specification=strange)
    assert truth(await followed(fleet)) is Verdict.BROKEN
    later = Fence(operation=3, step=1)
    await fleet.backend.hand_over(update(version="1", before="2", spec=version_spec(), fence=later))
    fleet.clock.advance(3600)
    status = await fleet.backend.follow("search", later)
    assert judged(status, goal="1", before="2", copies=2) is Verdict.REACHED
    seen = await fleet.later(60)
    assert (states(seen, "1"), seen.differences) == ({"ready": 2}, ())


async def test_a_component_that_sagemaker_will_update_is_named_after_its_deployment_alone(fleet: Fleet) -> None:
    await fleet.settled(1, lasting=True)
    (name,) = fleet.components()
    installation = await fleet.store.notes("fleet").installation()
    assert name.startswith(f"ls-{installation}-search-")
    assert len(name.split("-")) == 4
    await fleet.ensure(0)
    fleet.clock.advance(3600)
    await fleet.ensure(2, version="2", lasting=True)
    seen = await fleet.later()
    assert (list(fleet.components()), states(seen, "2"), states(seen, "1")) == ([name], {"ready": 2}, {})
