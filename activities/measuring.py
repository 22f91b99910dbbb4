"""One tick's measurements: read the counters, keep them, and let the pure windows decide."""

from collections.abc import Callable
from datetime import datetime

from activities.inputs import MeasureInput
from longshore.backends import golden
from longshore.backends.port import Backend
from longshore.planning.checks import Evidence, Measurement, could_not_measure, measure, measure_golden
from longshore.planning.observed import Copy, Sample
from longshore.spec.deployment import Check
from longshore.store.store import Store
from longshore.traffic.port import TrafficError, TrafficPlane

Clock = Callable[[], datetime]


class Meter:
    """Measures checks from the traffic plane and from golden requests."""

    def __init__(self, traffic: TrafficPlane, store: Store, clock: Clock) -> None:
        self._traffic = traffic
        self._store = store
        self._clock = clock

    async def measure(self, asked: MeasureInput, backend: Backend, copies: tuple[Copy, ...]) -> tuple[Measurement, ...]:
        """Measure the checks asked; with none, only keep a reading of the counters for later."""
        traffic = [check for check in asked.checks if check.source is None]
        evidence: Evidence | str = "not asked"
        if traffic or not asked.checks:
            evidence = await self._evidence(asked)
        measured = []
        for check in asked.checks:
            if check.source is not None:
                measured.append(await self._golden(check, backend, copies))
            elif isinstance(evidence, str):
                measured.append(could_not_measure(check, evidence, self._clock()))
            else:
                measured.append(measure(check, evidence))
        return tuple(measured)

    async def _evidence(self, asked: MeasureInput) -> Evidence | str:
        """What is known of the versions since the batch began; or why their counters could not be read."""
        versions = (asked.new, asked.old) if asked.old else (asked.new,)
        try:
            taken = await self._traffic.sample(asked.deployment, versions)
        except TrafficError as error:
            return str(error)
        await self._store.traffic.append_samples(asked.operation, asked.batch, taken)
        samples = await self._store.traffic.samples(asked.operation, asked.batch)
        return Evidence(
            new=_of(samples, asked.new, since=asked.not_before),
            old=_of(samples, asked.old, since=asked.not_before),
            before=_of(samples, asked.old, until=asked.not_before),
            not_before=asked.not_before,
            now=self._clock(),
            bake_ended=asked.bake_ended,
        )

    async def _golden(self, check: Check, backend: Backend, copies: tuple[Copy, ...]) -> Measurement:
        if check.source is None:
            raise AssertionError("only checks with a source are golden")
        try:
            requests = golden.load(check.source.golden)
            right = await golden.ask(backend, copies, requests)
        except golden.GoldenError as error:
            return could_not_measure(check, str(error), self._clock())
        return measure_golden(check, right, len(requests), self._clock())


def _of(
    samples: list[Sample], version: str | None, *, since: datetime | None = None, until: datetime | None = None
) -> tuple[Sample, ...]:
    return tuple(
        sample
        for sample in samples
        if sample.version == version and (since is None or sample.at >= since) and (until is None or sample.at < until)
    )
