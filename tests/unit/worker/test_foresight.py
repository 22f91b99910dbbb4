"""What a rehearsal foresees of a check is what it would have measured, instant by instant."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.inputs import MeasureInput
from activities.measuring import Meter
from longshore.backends.port import Backend
from longshore.backends.simulated.fleet import SimulatedFleet
from longshore.planning.checks import Measurement
from longshore.planning.fence import Fence
from longshore.planning.observed import Observation
from longshore.planning.route import Route
from longshore.planning.steady import GOOD, Foresight
from longshore.spec.deployment import Check
from longshore.spec.target import Host
from longshore.store.database import Database
from longshore.store.store import Store
from longshore.traffic.simulated import SimulatedTraffic
from worker.rehearsal.foresight import ForeseeingMeter, ticks_of

START = datetime(2000, 1, 1, tzinfo=UTC)
FENCE = Fence(operation=1, step=1)


class Bake:
    """The bake of one batch, on a clock that is set by hand."""

    def __init__(self, checks: tuple[Check, ...], rate: float, error_rate: float, weight: int) -> None:
        self.now = START
        self.checks = checks
        self.weight = weight
        self.traffic = SimulatedTraffic(lambda: self.now, rates={"codegen": rate}, error_rates={"2": error_rate})
        self.backend: Backend = SimulatedFleet("fleet", (Host(name="a", accelerators=1),), lambda: self.now).backend()
        self.database = Database.connect("sqlite+aiosqlite://")
        self.store = Store(self.database)

    async def __aenter__(self) -> Self:
        await self.database.create_all()
        weights = {"1": 100 - self.weight, "2": self.weight}
        await self.traffic.publish(Route(deployment="codegen", model="codegen", weights=weights), FENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.dispose()

    def asked(self, due: tuple[Check, ...], *, over: bool = False) -> MeasureInput:
        return MeasureInput(
            target="fleet",
            deployment="codegen",
            model="codegen",
            operation="codegen/rollout-2",
            batch=1,
            new="2",
            old="1",
            checks=due,
            watched=self.checks,
            not_before=START,
            bake_ended=over,
        )

    async def measure(self, second: int, meter: type[Meter] = Meter, *, over: bool = False) -> tuple[Measurement, ...]:
        self.now = START + timedelta(seconds=second)
        due = self.checks if over else tuple(check for check in self.checks if second % check.interval == 0)
        return await meter(self.traffic, self.store, lambda: self.now).measure(
            self.asked(due, over=over), self.backend, ()
        )

    async def foresee(self, measured: tuple[Measurement, ...], until: int) -> Foresight | None:
        observation = Observation(
            target="fleet", sequence=1, at=self.now, hosts=(), copies=(), steady_until=START + timedelta(seconds=until)
        )
        meter = ForeseeingMeter(self.traffic, self.store, lambda: self.now)
        return await meter.foresee(self.asked(self.checks), measured, observation)


def _settled(measured: Measurement) -> str:
    return "good" if measured.outcome in GOOD else measured.outcome.value


checks = st.sampled_from(
    [
        (Check(name="errors", metric="error-rate", max=0.05, interval=5.0, min_samples=20),),
        (
            Check(name="errors", metric="error-rate", max=0.1, interval=5.0, min_samples=20),
            Check(
                name="slow", metric="latency-p99", compare="baseline", max_increase=0.2, interval=7.0, min_samples=30
            ),
        ),
        (Check(name="errors", metric="error-rate", max=0.02, interval=3.0, min_samples=50, mode="observe"),),
    ]
)


@settings(max_examples=15, deadline=None)
@given(
    checks=checks,
    rate=st.sampled_from([0.5, 3.0, 50.0]),
    error_rate=st.sampled_from([0.0, 0.01, 0.03, 0.2]),
    weight=st.sampled_from([5, 50, 100]),
    end=st.integers(20, 200),
)
def test_skipping_measures_what_looking_would_have(
    checks: tuple[Check, ...], rate: float, error_rate: float, weight: int, end: int
) -> None:
    async def looked() -> tuple[int, list[Measurement]]:
        """The second of the first measurement that says something else than before, and the last call's words."""
        async with Bake(checks, rate, error_rate, weight) as bake:
            said: dict[str, str] = {}
            for second in range(0, end, 1):
                due = any(second % check.interval == 0 for check in checks)
                for measured in await bake.measure(second) if due else ():
                    if said.setdefault(measured.check, _settled(measured)) != _settled(measured):
                        return second, []
            return end, list(await bake.measure(end, over=True))

    async def foreseen() -> tuple[int, list[Measurement]]:
        async with Bake(checks, rate, error_rate, weight) as bake:
            foresight = await bake.foresee(await bake.measure(0), end)
            last = end if foresight is None else int((foresight.until - START).total_seconds())
            if foresight is not None and last in {int((one - START).total_seconds()) for one in _ticks(bake, end)}:
                return last, []
            return end, list(await bake.measure(end, over=True))

    assert asyncio.run(foreseen()) == asyncio.run(looked())


def _ticks(bake: Bake, end: int) -> list[datetime]:
    return list(ticks_of(bake.asked(bake.checks), START, START + timedelta(seconds=end)))


async def test_an_outage_of_the_counters_is_foreseen_as_long_as_it_lasts() -> None:
    (check,) = (Check(name="errors", metric="error-rate", max=0.05),)
    async with Bake((check,), 50.0, 0.0, 50) as bake:
        bake.traffic.down = True

        foresight = await bake.foresee(await bake.measure(0), 100)

    assert foresight is not None
    assert foresight.until == START + timedelta(seconds=100)
    assert foresight.measurements[0].message == "could not measure: the simulated metrics are down"


async def test_golden_requests_are_asked_every_time() -> None:
    golden = Check.model_validate(
        {"name": "right", "metric": "accuracy", "min": 0.9, "source": {"golden": "file:///golden.jsonl"}}
    )
    async with Bake((golden,), 50.0, 0.0, 50) as bake:
        assert await bake.foresee((), 100) is None


@pytest.mark.parametrize(("interval", "seconds"), [(2.5, [3, 5, 8, 10]), (0.4, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])])
def test_instants_are_whole_seconds_whatever_the_interval(interval: float, seconds: list[int]) -> None:
    bake = Bake((Check(name="errors", metric="error-rate", max=0.05, interval=interval),), 50.0, 0.0, 50)

    assert [(one - START).total_seconds() for one in _ticks(bake, 11)] == seconds
