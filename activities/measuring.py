"""One tick's measurements: read the counters, keep them, and let the pure windows decide."""

from collections.abc import Callable
from datetime import datetime

from activities.inputs import MeasureInput
from longshore.backends import golden
from longshore.backends.naming import names_of
from longshore.backends.port import Backend, BackendError
from longshore.planning.checks import Evidence, Measurement, could_not_measure, measure, measure_golden, pruned
from longshore.planning.observed import Copy, Observation, Sample
from longshore.planning.steady import Foresight
from longshore.sources.port import Asked, MetricSource
from longshore.spec.deployment import Check
from longshore.store.store import Store
from longshore.traffic.port import TrafficError, TrafficPlane

NO_CLOUDWATCH = "CloudWatch is not asked where traffic is simulated"
MANY_READINGS = 128
"""Readings of a batch from which on it is worth forgetting some: ten minutes of a check every five seconds."""

Clock = Callable[[], datetime]


class Meter:
    """Measures checks from the traffic plane, from golden requests, and from CloudWatch."""

    def __init__(
        self, traffic: TrafficPlane, store: Store, clock: Clock, cloudwatch: MetricSource | None = None
    ) -> None:
        self._traffic = traffic
        self._store = store
        self._clock = clock
        self._cloudwatch = cloudwatch

    async def measure(self, asked: MeasureInput, backend: Backend, copies: tuple[Copy, ...]) -> tuple[Measurement, ...]:
        """Measure the checks asked; with none, only keep a reading of the counters for later."""
        traffic = [check for check in asked.checks if check.source is None]
        evidence: Evidence | str = "not asked"
        if traffic or not asked.checks:
            evidence = await self._evidence(asked)
        elsewhere = await self._elsewhere(asked, backend)
        measured = []
        for check in asked.checks:
            if check.name in elsewhere:
                measured.append(elsewhere[check.name])
            elif check.golden is not None:
                measured.append(await self._golden(check, check.golden, backend, copies))
            elif isinstance(evidence, str):
                measured.append(could_not_measure(check, evidence, self._clock()))
            else:
                measured.append(measure(check, evidence))
        return tuple(measured)

    async def foresee(
        self, _asked: MeasureInput, _measured: tuple[Measurement, ...], _observation: Observation
    ) -> Foresight | None:
        """What later measurements would say: nobody knows of real traffic."""
        return None

    async def _evidence(self, asked: MeasureInput) -> Evidence | str:
        """What is known of the versions since the batch began; or why their counters could not be read."""
        versions = (asked.new, asked.old) if asked.old else (asked.new,)
        try:
            taken = await self._traffic.sample(asked.deployment, versions)
        except TrafficError as error:
            return str(error)
        await self._store.traffic.append_samples(asked.operation, asked.batch, taken)
        samples = await self._store.traffic.samples(asked.operation, asked.batch)
        earlier: list[Sample] = []
        if any(check.compare for check in asked.checks):
            earlier = await self._store.traffic.samples(asked.operation, asked.batch - 1)
        evidence = evidence_of(asked, samples, earlier, self._clock())
        await self._forget(asked, evidence, samples)
        return evidence

    async def _forget(self, asked: MeasureInput, evidence: Evidence, samples: list[Sample]) -> None:
        """Let go of readings at which no later window begins, so that a day's bake is not read whole at every tick."""
        instants = {sample.at for sample in samples}
        if len(instants) <= MANY_READINGS or not asked.watched:
            return
        kept = pruned(evidence, asked.watched)
        # The first reading of the bake stays: it is where the old version's last window before the shift ends.
        needed = {sample.at for sample in (*kept.new, *kept.old, *kept.before)}
        needed.add(min((sample.at for sample in evidence.new), default=asked.not_before))
        await self._store.traffic.forget_samples(asked.operation, asked.batch, instants - needed)

    async def _elsewhere(self, asked: MeasureInput, backend: Backend) -> dict[str, Measurement]:
        """Check → what CloudWatch says of it; of those that are measured there."""
        checks = tuple(check for check in asked.checks if check.cloudwatch is not None)
        if not checks:
            return {}
        if self._cloudwatch is None:
            return {check.name: could_not_measure(check, NO_CLOUDWATCH, self._clock()) for check in checks}
        try:
            new = await names_of(backend, asked.deployment, asked.new)
            old = await names_of(backend, asked.deployment, asked.old) if asked.old else None
        except BackendError as error:
            return {check.name: could_not_measure(check, error.message, self._clock()) for check in checks}
        told = await self._cloudwatch.measure(
            Asked(
                checks=checks,
                new=new,
                old=old,
                not_before=asked.not_before,
                now=self._clock(),
                bake_ended=asked.bake_ended,
                until=asked.until,
            )
        )
        return {measurement.check: measurement for measurement in told}

    async def _golden(self, check: Check, file: str, backend: Backend, copies: tuple[Copy, ...]) -> Measurement:
        try:
            requests = golden.load(file)
            score = await golden.ask(backend, copies, requests)
        except golden.GoldenError as error:
            return could_not_measure(check, str(error), self._clock())
        return measure_golden(check, score.right, len(requests), self._clock(), score.first_wrong)


def evidence_of(asked: MeasureInput, samples: list[Sample], earlier: list[Sample], now: datetime) -> Evidence:
    """What the readings of a batch, and of the batch before it, say of the versions.

    The old version's last window before the shift ends at the first reading of the bake: the weight went live just
    before it, so what the old version answered until then it answered under its old share. It begins in the batch
    before, or where this one began: the start of a copy may be shorter than a window.
    """
    since = asked.not_before
    baking = [sample.at for sample in samples if sample.at >= since]
    shifted = min(baking, default=since)
    return Evidence(
        new=tuple(sample for sample in samples if sample.version == asked.new and sample.at >= since),
        old=tuple(sample for sample in samples if sample.version == asked.old and sample.at >= since),
        before=tuple(one for one in (*earlier, *samples) if one.version == asked.old and one.at <= shifted),
        not_before=since,
        now=now,
        bake_ended=asked.bake_ended,
    )
