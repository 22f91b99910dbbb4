"""Checks measured from CloudWatch over its own protocol: boto3 as it is, and the metrics that SageMaker tells."""

from collections.abc import Mapping
from typing import Any

import pytest
from told import NEW, Told, check

from longshore.emulator.errors import throttled
from longshore.emulator.protocol import Caller
from longshore.planning.checks import Outcome
from longshore.sources.cloudwatch import CloudWatchSource

ERRORS = check(name="errors", metric="error-rate", max=0.01)
SLOW = check(name="slow", metric="latency-p99", compare="baseline", maxIncrease="20%")
BUSY = check(name="busy", metric="gpu-utilization", max=95)
PAGED = check(name="paged", source={"cloudwatch": {"alarm": "fleet-5xx"}})
OWN = check(
    name="own",
    max=100,
    source={
        "cloudwatch": {
            "namespace": "Search",
            "metric": "FirstToken",
            "statistic": "Maximum",
            "dimensions": {"Component": "$(COMPONENT)", "Version": "v$(VERSION)"},
        }
    },
)


async def test_a_good_version_passes_what_a_bad_one_fails(told: Told) -> None:
    told.serve(600)
    told.serve(180)
    good = await told.measured(ERRORS, SLOW)
    told.serve(120, failing=0.1, milliseconds={NEW: 90})
    told.clock.advance(60)
    bad = await told.measured(ERRORS, SLOW)

    assert [one.outcome for one in good.values()] == [Outcome.PASSED] * 2
    assert [one.outcome for one in bad.values()] == [Outcome.FAILED] * 2
    assert bad["errors"].value == pytest.approx(0.1, abs=0.02)
    assert bad["slow"].value == pytest.approx(90, rel=0.03)
    assert bad["slow"].baseline == pytest.approx(50, rel=0.03)


async def test_all_metrics_of_a_tick_are_one_call(told: Told) -> None:
    told.serve(780)

    await told.measured(ERRORS, SLOW, BUSY, OWN)

    assert told.calls == {"GetMetricData": 1}


async def test_before_a_window_can_be_complete_nobody_is_asked(told: Told) -> None:
    told.serve(600 + 119)

    said = await told.measured(ERRORS, SLOW)

    assert [one.outcome for one in said.values()] == [Outcome.NOT_YET] * 2
    assert told.calls == {}


async def test_while_data_of_the_bake_are_to_come_nobody_is_asked(told: Told) -> None:
    told.serve(600 + 600)

    early = (await told.measured(ERRORS, over=True))["errors"]
    assert (early.outcome, early.message) == (Outcome.NOT_YET, "CloudWatch told of the time until 12:09:00 so far")
    assert told.calls == {}

    told.clock.advance(60)
    assert (await told.measured(ERRORS, over=True))["errors"].outcome is Outcome.PASSED


async def test_how_busy_the_copies_of_the_new_version_are(told: Told) -> None:
    told.serve(780)

    said = (await told.measured(BUSY))["busy"]

    assert (said.outcome, said.value) == (Outcome.FAILED, pytest.approx(97))


async def test_any_metric_by_the_names_of_the_version(told: Told) -> None:
    told.serve(600)
    dimensions = [{"Name": "Component", "Value": NEW}, {"Name": "Version", "Value": "v2"}]
    values = {"MetricName": "FirstToken", "Dimensions": dimensions, "Timestamp": told.clock.now()}
    told.boto.put_metric_data(Namespace="Search", MetricData=[{**values, "Value": 80}, {**values, "Value": 120}])
    told.clock.advance(120)

    said = (await told.measured(OWN))["own"]

    assert (said.outcome, said.value, said.samples) == (Outcome.FAILED, 120, 2)
    assert said.message == "FirstToken Maximum 120 of 2 samples, wanted ≤ 100"


async def test_what_nobody_told_anything_of_is_inconclusive_in_the_end(told: Told) -> None:
    told.clock.advance(600 + 700)

    said = await told.measured(ERRORS, OWN, over=True)

    assert [one.outcome for one in said.values()] == [Outcome.INCONCLUSIVE] * 2


async def test_an_alarm_is_asked_and_never_changed(told: Told) -> None:
    told.boto.put_metric_alarm(
        AlarmName="fleet-5xx", Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors", Statistic="Sum",
        Dimensions=[{"Name": "InferenceComponentName", "Value": NEW}], Period=60, EvaluationPeriods=1,
        ComparisonOperator="GreaterThanThreshold", Threshold=1,
    )  # fmt: skip
    seen = []
    for seconds, failing in ((600, 0.0), (60, 0.0), (120, 0.0), (120, 0.5)):
        told.serve(seconds, failing=failing)
        told.judge()
        seen.append((await told.measured(PAGED))["paged"].outcome)

    assert seen == [Outcome.NOT_YET, Outcome.NOT_YET, Outcome.PASSED, Outcome.FAILED]
    assert set(told.calls) == {"PutMetricAlarm", "DescribeAlarms"}


async def test_an_alarm_that_is_not_there_spoils_no_other_check(told: Told) -> None:
    told.serve(780)

    said = await told.measured(PAGED, ERRORS)

    assert (said["paged"].outcome, said["errors"].outcome) == (Outcome.ERROR, Outcome.PASSED)
    assert "there is no alarm fleet-5xx" in said["paged"].message


async def test_a_throttled_call_is_an_error_of_every_check(told: Told) -> None:
    def refuse(_: Caller, __: Mapping[str, Any]) -> None:
        raise throttled()

    told.serve(780)
    told.answers("GetMetricData", refuse)

    said = await told.measured(ERRORS, BUSY)

    assert [one.outcome for one in said.values()] == [Outcome.ERROR] * 2
    assert "cloudwatch:GetMetricData" in said["errors"].message


async def test_half_an_answer_is_an_error_of_the_check_that_it_is_about(told: Told) -> None:
    whole = told.answer_of("GetMetricData")

    def broken(caller: Caller, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = whole(caller, parameters) or {}
        first, *others = answer["MetricDataResults"]
        return {**answer, "MetricDataResults": [{**first, "StatusCode": "InternalError"}, *others]}

    told.serve(780)
    told.answers("GetMetricData", broken)

    said = await told.measured(ERRORS, check(name="fast", metric="latency-p50", max=60))

    assert (said["errors"].outcome, said["fast"].outcome) == (Outcome.ERROR, Outcome.PASSED)
    assert said["errors"].message == "could not measure: CloudWatch answered InternalError"


async def test_an_answer_in_pages_is_one_answer(told: Told) -> None:
    whole = told.answer_of("GetMetricData")

    def paged(caller: Caller, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        results = (whole(caller, parameters) or {})["MetricDataResults"]
        if parameters.get("NextToken"):
            return {"MetricDataResults": results}
        empty = [{**one, "Timestamps": [], "Values": [], "StatusCode": "PartialData"} for one in results]
        return {"MetricDataResults": empty, "NextToken": "more"}

    told.serve(780)
    told.answers("GetMetricData", paged)

    assert (await told.measured(ERRORS))["errors"].outcome is Outcome.PASSED


async def test_without_a_region_a_check_is_an_error_that_says_so(told: Told) -> None:
    told.source = CloudWatchSource("workstation")

    said = await told.measured(
        ERRORS, check(name="there", metric="error-rate", max=1, source={"cloudwatch": {"region": "us-east-1"}})
    )

    assert said["errors"].message == (
        "could not measure: target workstation has no region: add source.cloudwatch.region"
    )
    assert said["there"].outcome is Outcome.NOT_YET
