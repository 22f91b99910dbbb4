"""Application Auto Scaling of components: one version of a deployment has a policy, or none has."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_fleet import Fleet, states

from longshore.backends.port import AutoscalerLevel
from longshore.emulator.clock import ManualClock
from longshore.emulator.data.credentials import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from longshore.emulator.data.serving import ServingEmulator
from longshore.emulator.server import Emulator
from longshore.planning.fence import Fence, FenceRefusedError
from longshore.spec.scaling import Scaling

AWAKE = Scaling(min=1, max=3, goal=5)
SLEEPS = AWAKE.model_copy(update={"min": 0})


@pytest.fixture
def emulator(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServingEmulator]:
    """With Application Auto Scaling and alarms, but with copies that no process stands behind."""
    with ServingEmulator(clock=clock) as running:
        without: Any = type(Emulator(clock=clock).world.plane)
        running.world.plane = without(running.world)
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield running


def steering(step: int, version: str | None = "1", scaling: Scaling | None = AWAKE, **more: Any) -> AutoscalerLevel:
    return AutoscalerLevel(
        deployment="search", version=version, scaling=scaling, fence=Fence(operation=2, step=step), **more
    )


def targets(fleet: Fleet) -> dict[str, tuple[int, int, bool]]:
    """Component → its bounds, and whether its target is suspended."""
    client = boto3.client("application-autoscaling", region_name=fleet.backend.site.spec.region)
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    return {
        one["ResourceId"].partition("/")[2]: (
            one["MinCapacity"],
            one["MaxCapacity"],
            all(one["SuspendedState"].values()),
        )
        for one in found
    }


def policies(fleet: Fleet) -> set[str]:
    client = boto3.client("application-autoscaling", region_name=fleet.backend.site.spec.region)
    found = client.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    return {one["PolicyName"].rpartition("-")[2] for one in found}


async def test_a_policy_is_registered_suspended_and_resumed(fleet: Fleet) -> None:
    await fleet.settled(2)
    (component,) = fleet.components()

    await fleet.backend.steer(steering(1))
    assert targets(fleet) == {component: (1, 3, False)}
    assert policies(fleet) == {"track"}

    await fleet.backend.steer(steering(2, suspended=True))
    assert targets(fleet) == {component: (1, 3, True)}
    await fleet.backend.steer(steering(3))
    await fleet.backend.steer(steering(3))
    assert targets(fleet) == {component: (1, 3, False)}


async def test_a_model_that_may_sleep_has_a_policy_and_an_alarm_that_wake_it(fleet: Fleet) -> None:
    await fleet.settled(1)
    cloudwatch = boto3.client("cloudwatch", region_name=fleet.backend.site.spec.region)

    await fleet.backend.steer(steering(1, scaling=SLEEPS))

    assert policies(fleet) == {"track", "wake"}
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    (wake,) = (one for one in alarms if one["AlarmName"].endswith("-wake"))
    assert wake["MetricName"] == "NoCapacityInvocationFailures"
    await fleet.backend.steer(steering(2))
    assert policies(fleet) == {"track"}
    assert [one for one in cloudwatch.describe_alarms()["MetricAlarms"] if one["AlarmName"].endswith("-wake")] == []


async def test_no_two_versions_have_a_policy_and_in_the_end_none_has(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.backend.steer(steering(1, scaling=SLEEPS))
    await fleet.settled(1, version="2", fence=Fence(operation=2, step=2))
    first, second = sorted(fleet.components(), key=lambda name: "-1-" not in name)

    await fleet.backend.steer(steering(3, version="2"))
    assert set(targets(fleet)) == {second}
    assert first != second

    await fleet.backend.steer(steering(4, version=None, scaling=None))
    assert (targets(fleet), policies(fleet)) == ({}, set())


async def test_what_the_autoscaler_chose_is_what_is_there_and_no_difference(fleet: Fleet) -> None:
    await fleet.settled(1)
    two = AWAKE.model_copy(update={"min": 2})  # to which the emulated autoscaler brings it at once
    await fleet.backend.steer(steering(1, scaling=two))
    observed = await fleet.later()
    assert states(observed) == {"ready": 2}
    assert observed.differences == ()

    await fleet.backend.steer(steering(2, scaling=two, suspended=True))
    observed = await fleet.later()
    assert states(observed) == {"ready": 2}
    assert observed.differences == ()


async def test_an_autoscaled_component_that_somebody_deletes_is_told_as_deleted(fleet: Fleet) -> None:
    await fleet.settled(2)
    await fleet.backend.steer(steering(1))
    (component,) = fleet.components()
    fleet.boto.delete_inference_component(InferenceComponentName=component)
    observed = await fleet.later()
    assert [(one.what, one.wanted, one.found) for one in observed.differences] == [("deleted", "there", "gone")]
    assert states(observed) == {}


async def test_a_late_step_does_not_steer(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.backend.steer(steering(5))
    with pytest.raises(FenceRefusedError):
        await fleet.backend.steer(steering(4, version=None, scaling=None))
    assert len(targets(fleet)) == 1
