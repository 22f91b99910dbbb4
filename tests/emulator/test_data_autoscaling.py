"""Application Auto Scaling by an unmodified boto3: what it registers, and what its policies do to real components."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from data_world import BARE, Town

COPIES = "sagemaker:inference-component:DesiredCopyCount"
INSTANCES = "sagemaker:variant:DesiredInstanceCount"


@pytest.fixture(scope="module")
def shared() -> Iterator[Town]:
    town = Town()
    with town.aws:
        town.endpoint(ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3})
        town.model("echo")
        town.model("bare", BARE)
        yield town


@pytest.fixture
def town(shared: Town, request: pytest.FixtureRequest) -> Iterator[Town]:
    """With a component of one copy that is named as the test, and no other."""
    name = _name(request)
    shared.component(name, "bare")
    yield shared
    scaling = shared.client("application-autoscaling")
    for target in scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]:
        scaling.deregister_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=target["ResourceId"],
            ScalableDimension=target["ScalableDimension"],
        )
    shared.rested(name)
    shared.sagemaker.delete_inference_component(InferenceComponentName=name)
    shared.settle(lambda: name not in shared.aws.world.components)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return _name(request)


def _name(request: pytest.FixtureRequest) -> str:
    return request.node.name.split("[")[0].replace("_", "-")[5:60].strip("-")


def register(town: Town, name: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = town.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"inference-component/{name}",
        ScalableDimension=COPIES,
        **more,
    )
    return answer


def put_policy(town: Town, name: str, policy: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = town.client("application-autoscaling").put_scaling_policy(
        PolicyName=policy,
        ServiceNamespace="sagemaker",
        ResourceId=f"inference-component/{name}",
        ScalableDimension=COPIES,
        **more,
    )
    return answer


def track(town: Town, name: str, target: float = 1.0, **more: Any) -> dict[str, Any]:
    metric = "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
    return put_policy(
        town,
        name,
        "track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": target,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            "ScaleInCooldown": 60,
            "ScaleOutCooldown": 60,
            **more,
        },
    )


def desired(town: Town, name: str) -> int:
    config = town.sagemaker.describe_inference_component(InferenceComponentName=name)["RuntimeConfig"]
    return int(config["DesiredCopyCount"])


def keep_busy(town: Town, name: str, calls: int, seconds: int) -> None:
    """So many calls that last as long, in the emulator's time, each at the copy that has the fewest."""
    copies = town.aws.plane.copies
    known = [copy.id for copy in town.aws.world.copies_of_component(name)]
    given = [known[number % len(known)] for number in range(calls)]
    for copy in given:
        copies.begin(copy)
    town.clock.advance(seconds)
    for copy in given:
        copies.end(copy)


def test_a_target_is_registered_changed_and_forgotten(town: Town, name: str) -> None:
    scaling = town.client("application-autoscaling")
    first = register(town, name, MinCapacity=0, MaxCapacity=4)
    again = register(town, name, MaxCapacity=6, SuspendedState={"DynamicScalingInSuspended": True})
    assert first == again | {"ResponseMetadata": first["ResponseMetadata"]}
    (target,) = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[f"inference-component/{name}"], ScalableDimension=COPIES
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 6)
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    at = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{name}",
        "ScalableDimension": COPIES,
    }
    scaling.deregister_scalable_target(**at)
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
    with pytest.raises(ClientError, match="No scalable target found"):
        scaling.deregister_scalable_target(**at)


def test_a_target_is_tagged_when_it_is_registered_and_later_on(town: Town, name: str) -> None:
    scaling = town.client("application-autoscaling")
    arn = register(town, name, MinCapacity=0, MaxCapacity=4, Tags={"owner": "a"})["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"team": "b"})
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"owner": "a", "team": "b"}
    scaling.untag_resource(ResourceARN=arn, TagKeys=["owner"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "b"}


def test_a_capacity_outside_of_new_bounds_is_put_right(town: Town, name: str) -> None:
    register(town, name, MinCapacity=2, MaxCapacity=4)
    town.rested(name)
    assert desired(town, name) == 2
    register(town, name, MinCapacity=0, MaxCapacity=1)
    town.rested(name)
    assert desired(town, name) == 1


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"MinCapacity": 3, "MaxCapacity": 2}, "cannot be less than minimum"),
        ({"MinCapacity": 1}, "are required"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "inference-component/other"}, "Resource not found"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": "endpoint/fleet"}, "Unsupported resource type"),
        ({"MinCapacity": 1, "MaxCapacity": 2, "ServiceNamespace": "ecs"}, "scales sagemaker only"),
    ],
)
def test_what_cannot_be_registered_is_refused(town: Town, name: str, wrong: dict[str, Any], match: str) -> None:
    given = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{name}",
        "ScalableDimension": COPIES,
        **wrong,
    }
    with pytest.raises(ClientError, match=match):
        town.client("application-autoscaling").register_scalable_target(**given)


def test_a_policy_makes_its_own_alarms_and_takes_them_along(town: Town, name: str) -> None:
    scaling, cloudwatch = town.client("application-autoscaling"), town.client("cloudwatch")
    register(town, name, MinCapacity=0, MaxCapacity=4)
    first = track(town, name)
    kinds = {alarm["AlarmName"].split("-Alarm")[1][:3] for alarm in first["Alarms"]}
    assert kinds == {"Hig", "Low"}
    described = cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-inference-component/{name}")["MetricAlarms"]
    by_kind = {alarm["ComparisonOperator"]: alarm for alarm in described}
    high, low = by_kind["GreaterThanThreshold"], by_kind["LessThanThreshold"]
    assert (high["Threshold"], high["Period"], high["EvaluationPeriods"]) == (1.0, 10, 3)
    assert (low["Threshold"], low["Period"], low["EvaluationPeriods"]) == (0.9, 10, 90)
    assert high["AlarmActions"] == [first["PolicyARN"]]
    again = track(town, name, target=2.0, DisableScaleIn=True)
    assert again["PolicyARN"] == first["PolicyARN"]
    (alarm,) = again["Alarms"]
    assert cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"][0]["Threshold"] == 2.0
    scaling.delete_scaling_policy(
        PolicyName="track",
        ServiceNamespace="sagemaker",
        ResourceId=f"inference-component/{name}",
        ScalableDimension=COPIES,
    )
    assert cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"] == []
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []


def test_many_calls_at_once_scale_out_and_none_scale_in_to_zero(town: Town, name: str) -> None:
    register(town, name, MinCapacity=0, MaxCapacity=4)
    track(town, name)
    keep_busy(town, name, calls=3, seconds=40)
    assert desired(town, name) == 3
    town.rested(name)
    town.clock.advance(14 * 60)
    assert desired(town, name) == 3
    town.clock.advance(3 * 60)
    assert desired(town, name) == 0
    (latest, *_) = town.client("application-autoscaling").describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=f"inference-component/{name}"
    )["ScalingActivities"]
    assert (latest["StatusCode"], latest["Description"]) == ("Successful", "Setting desired copy count to 0.")
    assert "AlarmLow" in latest["Cause"]


def test_a_suspended_target_stays_as_it_is(town: Town, name: str) -> None:
    suspended = {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}
    register(town, name, MinCapacity=0, MaxCapacity=4, SuspendedState=suspended)
    track(town, name)
    keep_busy(town, name, calls=3, seconds=60)
    assert desired(town, name) == 1
    register(town, name, SuspendedState={"DynamicScalingOutSuspended": False})
    keep_busy(town, name, calls=3, seconds=120)
    assert desired(town, name) > 1


def test_the_first_call_that_finds_nobody_wakes_a_component_from_zero(town: Town, name: str) -> None:
    """The developer guide's procedure, "Scale an endpoint to zero instances"."""
    register(town, name, MinCapacity=0, MaxCapacity=4)
    policy = put_policy(
        town,
        name,
        "wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "Cooldown": 60,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        },
    )
    town.client("cloudwatch").put_metric_alarm(
        AlarmName=f"wake-{name}",
        AlarmActions=[policy["PolicyARN"]],
        MetricName="NoCapacityInvocationFailures",
        Namespace="AWS/SageMaker",
        Statistic="Maximum",
        Dimensions=[{"Name": "InferenceComponentName", "Value": name}],
        Period=30,
        EvaluationPeriods=1,
        DatapointsToAlarm=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="missing",
    )
    (described,) = town.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker", PolicyNames=["wake"]
    )["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in described["Alarms"]] == [f"wake-{name}"]
    town.scale(name, 0)
    town.clock.advance(300)
    assert desired(town, name) == 0
    for _ in range(3):
        with pytest.raises(ClientError, match="has no capacity"):
            town.invoke(name, json.dumps("x").encode())
    town.clock.advance(40)
    assert desired(town, name) == 1
    town.rested(name)
    town.clock.advance(300)
    assert desired(town, name) == 1


def test_a_refused_change_is_told_and_tried_again(town: Town, name: str) -> None:
    register(town, name, MinCapacity=0, MaxCapacity=4)
    track(town, name)
    component = town.aws.world.components[name]
    component.status = "Updating"
    keep_busy(town, name, calls=3, seconds=40)
    scaling = town.client("application-autoscaling")
    (latest, *_) = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert (latest["StatusCode"], desired(town, name)) == ("Failed", 1)
    component.status = "InService"
    keep_busy(town, name, calls=3, seconds=120)
    assert desired(town, name) > 1


def test_a_variants_instances_are_scaled_too(town: Town) -> None:
    town.endpoint("classic", ModelName="bare", InitialVariantWeight=1.0)
    scaling = town.client("application-autoscaling")
    at = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/classic/variant/main",
        "ScalableDimension": INSTANCES,
    }
    scaling.register_scalable_target(**at, MinCapacity=1, MaxCapacity=3)
    scaling.put_scaling_policy(
        **at,
        PolicyName="calls",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )
    from longshore.emulator.data.series import Metric

    calls = Metric.of("AWS/SageMaker", "InvocationsPerInstance", [("EndpointName", "classic"), ("VariantName", "main")])
    town.to_the_minute()
    for _ in range(4):
        for _ in range(20):
            town.aws.series.put(calls, 1.0, town.clock.now())
        town.clock.advance(60)

    def wanted() -> int:
        (variant,) = town.sagemaker.describe_endpoint(EndpointName="classic")["ProductionVariants"]
        return int(variant["DesiredInstanceCount"])

    assert wanted() == 2


def test_a_metric_of_variants_cannot_be_tracked_for_a_component(town: Town, name: str) -> None:
    register(town, name, MinCapacity=0, MaxCapacity=4)
    with pytest.raises(ClientError, match="is not supported for this resource"):
        put_policy(
            town,
            name,
            "wrong",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 1.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            },
        )
