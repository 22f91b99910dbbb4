"""Checks of versions on SageMaker: the activity measures their components by the names that they have there."""

from datetime import UTC, datetime, timedelta

from aws_fleet import REGION, Fleet

from activities.inputs import MeasureInput
from activities.measuring import Meter as CheckMeter
from longshore.emulator.data.cloudwatch import Metrics
from longshore.emulator.data.metering import Meter, Outcome
from longshore.emulator.data.series import Series
from longshore.emulator.data.targets import Target
from longshore.emulator.protocol import JsonService
from longshore.planning.checks import Measurement
from longshore.planning.checks import Outcome as Said
from longshore.sources.cloudwatch import CloudWatchSource
from longshore.spec.deployment import Check
from longshore.traffic.simulated import SimulatedTraffic

ERRORS = {"name": "errors", "metric": "error-rate", "max": 0.01, "source": {"cloudwatch": {}}}
GATEWAY = {"name": "gateway", "metric": "error-rate", "max": 0.01}


async def names(fleet: Fleet, version: str) -> dict[str, str]:
    return await fleet.backend.names_of("search", version)


async def test_a_version_is_called_what_sagemaker_calls_it(fleet: Fleet) -> None:
    before = await names(fleet, "1")
    await fleet.settled(1)

    assert before == await names(fleet, "1")
    assert [before["COMPONENT"]] == list(fleet.components())
    assert (before["ENDPOINT"], before["VARIANT"]) == ("fleet", "AllTraffic")


async def measured(fleet: Fleet, *, failing: bool) -> dict[str, Measurement]:
    """What is said of version 2 after three minutes at a request a second."""
    series = Series()
    fleet.emulator.services.append(JsonService("cloudwatch", Metrics(series, fleet.clock).handlers()))
    meter, component = Meter(series, fleet.clock), (await names(fleet, "2"))["COMPONENT"]
    began = datetime.fromtimestamp(fleet.clock.now() // 60 * 60 + 60, UTC)
    for second in range(240):
        fleet.clock.advance(1)
        outcome = Outcome("AllTraffic", 1, 500 if failing and second % 5 == 0 else 200, 0.05, 0.001)
        meter.called(Target("fleet", (), component), outcome)

    def clock() -> datetime:
        return datetime.fromtimestamp(fleet.clock.now(), UTC) + timedelta(minutes=1)

    asked = MeasureInput(
        target="fleet",
        deployment="search",
        model="search",
        operation="search/rollout-2",
        batch=1,
        new="2",
        old="1",
        checks=tuple(Check.model_validate(one) for one in (ERRORS, GATEWAY)),
        not_before=began,
        bake_ended=False,
    )
    traffic = SimulatedTraffic(clock, rates={"search": 50}, error_rates={})
    checks = CheckMeter(traffic, fleet.store, clock, CloudWatchSource("fleet", REGION))
    return {one.check: one for one in await checks.measure(asked, fleet.backend, ())}


async def test_a_component_that_fails_requests_fails_its_check(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.settled(1, version="2")

    said = await measured(fleet, failing=True)

    assert (said["errors"].outcome, round(said["errors"].value or 0, 1)) == (Said.FAILED, 0.2)
    assert said["gateway"].outcome is Said.NOT_YET


async def test_a_component_that_answers_passes_its_check(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.settled(1, version="2")

    assert (await measured(fleet, failing=False))["errors"].outcome is Said.PASSED


async def test_a_rehearsals_worker_says_that_it_asks_no_cloudwatch(fleet: Fleet) -> None:
    asked = MeasureInput(
        target="fleet", deployment="search", model="search", operation="search/rollout-2", batch=1, new="2",
        checks=(Check.model_validate(ERRORS),), not_before=datetime(2026, 3, 1, tzinfo=UTC), bake_ended=False,
    )  # fmt: skip

    def clock() -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)

    meter = CheckMeter(SimulatedTraffic(clock, rates={}, error_rates={}), fleet.store, clock)
    (said,) = await meter.measure(asked, fleet.backend, ())

    assert (said.outcome, "CloudWatch is not asked" in said.message) == (Said.ERROR, True)


async def test_instances_say_what_they_are_sold_as(fleet: Fleet) -> None:
    observed = await fleet.settled(1)

    assert {host.instance_type for host in observed.hosts} == {"ml.g5.12xlarge"}
    assert [host.obtainable for host in observed.hosts] == [False, True]
