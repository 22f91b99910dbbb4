"""Metrics of calls and alarms on them, read by an unmodified boto3 while the clock is turned by hand."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from data_world import BARE, Town

DIGITS = [{"Name": "InferenceComponentName", "Value": "digits"}]
VARIANT = [{"Name": "EndpointName", "Value": "fleet"}, {"Name": "VariantName", "Value": "main"}]


@pytest.fixture(scope="module")
def shared() -> Iterator[Town]:
    town = Town()
    with town.aws:
        town.endpoint()
        town.model("echo")
        town.component("digits", "echo", copies=2)
        yield town


@pytest.fixture
def town(shared: Town) -> Town:
    """At a whole minute, with nothing called in the one before."""
    shared.to_the_minute()
    shared.clock.advance(60)
    return shared


def statistics(town: Town, metric: str, dimensions: list[dict[str, str]], **more: Any) -> list[dict[str, Any]]:
    now = dt.datetime.fromtimestamp(town.clock.now(), dt.UTC)
    given = {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": dimensions,
        "StartTime": now - dt.timedelta(seconds=60),
        "EndTime": now,
        "Period": 60,
        "Statistics": ["Sum", "SampleCount", "Average"],
        **more,
    }
    points: list[dict[str, Any]] = town.client("cloudwatch").get_metric_statistics(**given)["Datapoints"]
    return points


def total(town: Town, metric: str, dimensions: list[dict[str, str]] = DIGITS) -> float | None:
    points = statistics(town, metric, dimensions)
    return points[0]["Sum"] if points else None


def fail(town: Town, question: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        town.invoke(body=json.dumps(question).encode())


def test_calls_are_counted_for_the_component_and_for_its_variant(town: Town) -> None:
    for _ in range(4):
        town.invoke()
    fail(town, {"status": 404})
    fail(town, {"status": 500})
    town.clock.advance(60)
    for dimensions in (DIGITS, VARIANT):
        assert total(town, "Invocations", dimensions) == 6
        assert total(town, "Invocation4XXErrors", dimensions) == 1
        assert total(town, "Invocation5XXErrors", dimensions) == 1
        assert total(town, "InvocationModelErrors", dimensions) == 2
        assert total(town, "InvocationsPerCopy", dimensions) == 3
    assert total(town, "Invocations", DIGITS + VARIANT) is None


def test_latencies_are_microseconds_and_have_percentiles(town: Town) -> None:
    for seconds in (0.0, 0.0, 0.0, 0.3):
        town.invoke(body=json.dumps({"sleep": seconds}).encode())
    town.clock.advance(60)
    (point,) = statistics(town, "ModelLatency", DIGITS, Statistics=["Maximum"], ExtendedStatistics=["p50", "p99"])
    assert point["Unit"] == "Microseconds"
    assert 0 < point["ExtendedStatistics"]["p50"] < 250_000
    assert 300_000 <= point["ExtendedStatistics"]["p99"] <= point["Maximum"] < 3_000_000


def test_how_many_calls_there_are_at_once_is_told_every_ten_seconds(town: Town) -> None:
    copies = town.aws.plane.copies
    one = town.aws.world.copies_of_component("digits")[0].id
    copies.begin(one)  # a call that lasts for a minute of the emulator's time
    town.clock.advance(60)
    copies.end(one)
    assert len(statistics(town, "ConcurrentRequestsPerModel", DIGITS, Period=10)) == 6
    assert statistics(town, "ConcurrentRequestsPerModel", DIGITS)[0]["Average"] == pytest.approx(1.0)
    assert statistics(town, "ConcurrentRequestsPerCopy", DIGITS)[0]["Average"] == pytest.approx(0.5)
    used = statistics(town, "GPUUtilizationNormalized", DIGITS, Namespace="/aws/sagemaker/InferenceComponents")
    assert used[0]["Average"] == pytest.approx(50.0)
    assert used[0]["Unit"] == "Percent"


def test_what_a_copys_process_uses_is_told_of_what_it_was_promised(town: Town) -> None:
    town.invoke(body=json.dumps({"burn": 0.3}).encode())
    town.clock.advance(60)
    space = "/aws/sagemaker/InferenceComponents"
    memory = statistics(town, "MemoryUtilizationNormalized", DIGITS, Namespace=space)[0]["Average"]
    assert 0 < memory * 1024 / 100 < 200  # MiB of the 1024 that the component asks for
    assert statistics(town, "CPUUtilization", DIGITS, Namespace=space, Statistics=["Maximum"])[0]["Maximum"] > 0


def test_several_metrics_and_what_is_reckoned_from_them_come_in_one_answer(town: Town) -> None:
    for _ in range(3):
        town.invoke()
    fail(town, {"status": 500})
    town.clock.advance(60)

    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": DIGITS}
        return {"Metric": metric, "Period": 60, "Stat": "Sum"}

    answer = town.client("cloudwatch").get_metric_data(
        StartTime=dt.datetime.fromtimestamp(town.clock.now() - 60, dt.UTC),
        EndTime=dt.datetime.fromtimestamp(town.clock.now(), dt.UTC),
        MetricDataQueries=[
            {"Id": "rate", "Expression": "100 * bad / all"},
            {"Id": "bad", "MetricStat": stat("Invocation5XXErrors"), "ReturnData": False},
            {"Id": "all", "MetricStat": stat("Invocations")},
            {"Id": "none", "MetricStat": stat("NoCapacityInvocationFailures")},
            {"Id": "filled", "Expression": "FILL(none, 0) + 1"},
        ],
    )
    found = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    assert found == {"rate": [25.0], "all": [4.0], "none": [], "filled": [1.0]}


@pytest.mark.parametrize("expression", ["__import__('os')", "other + 1", "a.b", "SEARCH('x')", "1 +", "2", "all ** 2"])
def test_an_expression_that_is_not_known_is_refused(town: Town, expression: str) -> None:
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocations", "Dimensions": DIGITS}
    with pytest.raises(ClientError, match="Error in expression"):
        town.client("cloudwatch").get_metric_data(
            StartTime=dt.datetime.fromtimestamp(town.clock.now() - 60, dt.UTC),
            EndTime=dt.datetime.fromtimestamp(town.clock.now(), dt.UTC),
            MetricDataQueries=[
                {"Id": "all", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
                {"Id": "e", "Expression": expression},
            ],
        )


def test_peoples_own_metrics_are_kept_beside(town: Town) -> None:
    cloudwatch = town.client("cloudwatch")
    at = dt.datetime.fromtimestamp(town.clock.now() - 30, dt.UTC)
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Orders", "Timestamp": at, "Values": [1.0, 2.0], "Counts": [3.0, 1.0]},
            {"MetricName": "Orders", "Timestamp": at, "Value": 5.0},
        ],
    )
    (point,) = statistics(town, "Orders", [], Namespace="Shop")
    assert (point["Sum"], point["SampleCount"]) == (10.0, 5.0)
    listed = cloudwatch.list_metrics(Namespace="Shop")["Metrics"]
    assert [(metric["MetricName"], metric["Dimensions"]) for metric in listed] == [("Orders", [])]
    with pytest.raises(ClientError, match="Namespace is invalid"):
        cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=[{"MetricName": "Invocations", "Value": 1}])


def put_alarm(town: Town, name: str, **more: Any) -> None:
    town.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=DIGITS,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        **more,
    )


def state(town: Town, name: str) -> str:
    (alarm,) = town.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert town.aws.world.alarm_state("eu-central-1", name) == alarm["StateValue"]
    return str(alarm["StateValue"])


def test_an_alarm_follows_its_metric_by_the_emulators_time(town: Town) -> None:
    put_alarm(town, "errors", TreatMissingData="notBreaching")
    assert state(town, "errors") == "INSUFFICIENT_DATA"
    town.clock.advance(60)
    assert state(town, "errors") == "OK"
    fail(town, {"status": 500})
    assert state(town, "errors") == "OK"
    town.clock.advance(60)
    assert state(town, "errors") == "ALARM"
    town.invoke()
    town.clock.advance(60)
    assert state(town, "errors") == "OK"


def test_a_state_that_was_set_by_hand_stands_until_the_next_evaluation(town: Town) -> None:
    put_alarm(town, "by-hand", TreatMissingData="notBreaching")
    town.client("cloudwatch").set_alarm_state(AlarmName="by-hand", StateValue="ALARM", StateReason="a drill")
    assert state(town, "by-hand") == "ALARM"
    town.clock.advance(60)
    assert state(town, "by-hand") == "OK"


def test_alarms_are_listed_by_what_they_are_and_deleted(town: Town) -> None:
    cloudwatch = town.client("cloudwatch")
    for name in ("list-a", "list-b"):
        put_alarm(town, name, AlarmActions=["arn:aws:sns:eu-central-1:123456789012:topic"])

    def names(**by: Any) -> list[str]:
        return [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms(**by)["MetricAlarms"]]

    assert names(AlarmNamePrefix="list-") == ["list-a", "list-b"]
    assert names(AlarmNamePrefix="list-", MaxRecords=1) == ["list-a"]
    assert names(AlarmNamePrefix="list-", StateValue="ALARM") == []
    assert names(ActionPrefix="arn:aws:sns") == ["list-a", "list-b"]
    cloudwatch.disable_alarm_actions(AlarmNames=["list-a"])
    assert cloudwatch.describe_alarms(AlarmNames=["list-a"])["MetricAlarms"][0]["ActionsEnabled"] is False
    cloudwatch.delete_alarms(AlarmNames=["list-a", "list-b", "never-there"])
    assert names(AlarmNamePrefix="list-") == []


def test_an_alarm_is_tagged_when_it_is_made_and_later_on(town: Town) -> None:
    cloudwatch = town.client("cloudwatch")
    put_alarm(town, "tagged", Tags=[{"Key": "owner", "Value": "a"}])
    put_alarm(town, "tagged", Tags=[{"Key": "owner", "Value": "ignored"}])
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["tagged"])["MetricAlarms"]
    arn = alarm["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "b"}])
    tags = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "owner", "Value": "a"}, {"Key": "team", "Value": "b"}]
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["owner", "never"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags[1:]
    with pytest.raises(ClientError, match="There is no resource"):
        cloudwatch.list_tags_for_resource(ResourceARN=f"{arn}-other")


def test_an_alarm_on_a_reckoned_rate_is_judged_by_its_own_periods(town: Town) -> None:
    def stat(name: str) -> dict[str, Any]:
        metric = {"Namespace": "AWS/SageMaker", "MetricName": name, "Dimensions": DIGITS}
        return {"Metric": metric, "Period": 60, "Stat": "Sum"}

    town.client("cloudwatch").put_metric_alarm(
        AlarmName="rate",
        EvaluationPeriods=2,
        DatapointsToAlarm=1,
        Threshold=20.0,
        ComparisonOperator="GreaterThanThreshold",
        Metrics=[
            {"Id": "rate", "Expression": "100 * bad / all", "ReturnData": True},
            {"Id": "bad", "MetricStat": stat("Invocation5XXErrors"), "ReturnData": False},
            {"Id": "all", "MetricStat": stat("Invocations"), "ReturnData": False},
        ],
    )
    town.invoke()
    town.clock.advance(60)
    fail(town, {"status": 500})
    town.clock.advance(60)
    assert state(town, "rate") == "ALARM"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ComparisonOperator": "LessThanLowerThreshold"},
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "never"},
        {"ExtendedStatistic": "p99"},
        {"Period": 61},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_an_alarm_that_makes_no_sense_is_refused(town: Town, wrong: dict[str, Any]) -> None:
    given = {
        "AlarmName": "wrong",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocations",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **wrong,
    }
    with pytest.raises(ClientError):
        town.client("cloudwatch").put_metric_alarm(**given)


def test_a_rollback_asks_the_same_alarms(town: Town) -> None:
    """A rolling update of the control plane whose alarm is raised by real calls leaves the component as it was."""
    town.model("bare", BARE)
    town.component("guarded", "echo")
    put_alarm(town, "guard", TreatMissingData="notBreaching")
    town.clock.advance(60)
    town.sagemaker.update_inference_component(
        InferenceComponentName="guarded",
        Specification={
            "ModelName": "bare",
            "ComputeResourceRequirements": {
                "NumberOfAcceleratorDevicesRequired": 1,
                "MinMemoryRequiredInMb": 1024,
            },
        },
        DeploymentConfig={
            "RollingUpdatePolicy": {
                "MaximumBatchSize": {"Type": "COPY_COUNT", "Value": 1},
                "WaitIntervalInSeconds": 600,
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "guard"}]},
        },
    )
    town.clock.advance(30)
    fail(town, {"status": 500})
    town.clock.advance(60)
    assert state(town, "guard") == "ALARM"
    assert town.rested("guarded")["Specification"]["ModelName"] == "echo"
