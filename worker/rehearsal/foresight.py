"""What the checks of a bake would say later on: simulated traffic is arithmetic, so it can be told beforehand.

The readings that the rollout would take are taken now, at the very instants at which it would, and are judged by the
same rules. As long as they go on saying what they say, the rollout need not ask; see `planning.steady`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Protocol, cast

from activities.inputs import MeasureInput
from activities.measuring import MANY_READINGS, Meter, evidence_of
from longshore.planning.checks import Evidence, Measurement, Outcome, could_not_measure, measure, pruned
from longshore.planning.observed import Observation, Sample
from longshore.planning.steady import GOOD, Foresight
from longshore.planning.windows import MOST_READINGS
from longshore.spec.deployment import Check
from longshore.traffic.port import TrafficError

FURTHEST: Final = 5_000
"""Instants foreseen at once: a bake of seven hours that is watched every five seconds."""
FEW_READINGS: Final = 32
"""Readings from which on those are left out at which no later window begins; every one is looked at at each instant."""

Ticks = dict[datetime, list[Check]]
"""Instants, ascending, and the checks due at each."""


class ForeseenTraffic(Protocol):
    """Traffic whose counters can be told beforehand; see `SimulatedTraffic`."""

    async def ahead(
        self, deployment: str, versions: tuple[str, ...], instants: tuple[datetime, ...]
    ) -> list[list[Sample]]:
        """What would be read at later instants."""


class ForeseeingMeter(Meter):
    """A meter of simulated traffic."""

    async def foresee(
        self, asked: MeasureInput, measured: tuple[Measurement, ...], observation: Observation
    ) -> Foresight | None:
        """See `Meter`: how long all checks go on saying what they just said."""
        horizon = observation.steady_until
        golden = any(check.source is not None for check in asked.watched)
        if horizon is None or golden or asked.bake_ended or not measured or not all(map(_lasting, measured)):
            return None
        ticks = ticks_of(asked, observation.at, min(horizon, asked.until or horizon))
        if not ticks:
            return None
        traffic = cast("ForeseenTraffic", self._traffic)
        versions = (asked.new, asked.old) if asked.old else (asked.new,)
        try:
            taken = await traffic.ahead(asked.deployment, versions, tuple(ticks))
        except TrafficError as error:
            blind = tuple(could_not_measure(check, str(error), observation.at) for check in asked.watched)
            return self._foresight(asked, blind, horizon)
        samples = await self._store.traffic.samples(asked.operation, asked.batch)
        earlier = await self._store.traffic.samples(asked.operation, asked.batch - 1)
        evidence = evidence_of(asked, samples, earlier, observation.at)
        course = Course(asked, evidence, {one.check: one for one in measured})
        until = await course.follow(ticks, taken)
        await self._store.traffic.append_samples(asked.operation, asked.batch, course.taken())
        return self._foresight(asked, tuple(course.said.values()), until)

    def _foresight(self, asked: MeasureInput, said: tuple[Measurement, ...], until: datetime) -> Foresight:
        return Foresight(measurements=said, batch=asked.batch, not_before=asked.not_before, until=until)


class Course:
    """How the evidence of a bake grows, and what the checks make of it."""

    def __init__(self, asked: MeasureInput, evidence: Evidence, said: dict[str, Measurement]) -> None:
        self.said = said
        """Check → what it says all the while."""
        self._asked = asked
        self._evidence = evidence
        self._since = evidence.now
        self._enough = FEW_READINGS

    async def follow(self, ticks: Ticks, taken: list[list[Sample]]) -> datetime:
        """Follow the readings until a check says something else, or to their end: the instant until which none does."""
        for (instant, due), samples in zip(ticks.items(), taken, strict=True):
            await asyncio.sleep(0)  # comparisons take their time, and the server must hear that somebody works on it
            before = self._evidence
            self._evidence = _grown(before, self._asked, samples, instant)
            said = [measure(check, self._evidence) for check in due]
            if any(not _same(self.said.setdefault(one.check, one), one) for one in said):
                self._evidence = before
                return instant
            self._forget()
        return instant + timedelta(seconds=1)

    def taken(self) -> Iterable[Sample]:
        """The readings that later windows may begin at."""
        return (sample for sample in (*self._evidence.new, *self._evidence.old) if sample.at > self._since)

    def _forget(self) -> None:
        """Let go of what is not needed; readings are thinned out only where the rollout itself would do so."""
        readings = len(self._evidence.new)
        if readings > self._enough and (readings <= MOST_READINGS or readings > MANY_READINGS):
            self._evidence = pruned(self._evidence, self._asked.watched)
            self._enough = max(FEW_READINGS, 2 * len(self._evidence.new))


def ticks_of(asked: MeasureInput, now: datetime, until: datetime) -> Ticks:
    """The instants after `now` and before `until` at which checks of this bake are due, in whole seconds."""
    ticks: defaultdict[datetime, list[Check]] = defaultdict(list)
    for check in asked.watched:
        done = int((now - asked.not_before).total_seconds() // check.interval)
        for nth in range(done + 1, done + 1 + FURTHEST):
            instant = asked.not_before + timedelta(seconds=ceil(nth * check.interval))
            if instant >= until:
                break
            if check not in ticks[instant]:
                ticks[instant].append(check)
    return {instant: ticks[instant] for instant in sorted(ticks)[:FURTHEST]}


def _grown(evidence: Evidence, asked: MeasureInput, taken: list[Sample], now: datetime) -> Evidence:
    return evidence.model_copy(
        update={
            "new": (*evidence.new, *(sample for sample in taken if sample.version == asked.new)),
            "old": (*evidence.old, *(sample for sample in taken if sample.version == asked.old)),
            "now": now,
        }
    )


def _lasting(measured: Measurement) -> bool:
    """Whether it may say the same for long: a check that fails or cannot tell soon makes the rollout act."""
    return measured.outcome in {*GOOD, Outcome.ERROR, Outcome.FAILED}


def _same(before: Measurement, now: Measurement) -> bool:
    return before.outcome is now.outcome or {before.outcome, now.outcome} <= GOOD
