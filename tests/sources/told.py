"""What a component's calls leave in CloudWatch, and checks that are measured there."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import boto3

from longshore.emulator.clock import ManualClock
from longshore.emulator.data.alarms import Alarms
from longshore.emulator.data.cloudwatch import Metrics
from longshore.emulator.data.metering import Meter, Outcome
from longshore.emulator.data.series import Series
from longshore.emulator.data.targets import Target
from longshore.emulator.protocol import Caller, Handler, JsonService
from longshore.emulator.server import Emulator
from longshore.planning.checks import Measurement
from longshore.sources.cloudwatch import CloudWatchSource
from longshore.sources.port import Asked
from longshore.spec.deployment import Check

REGION = "eu-central-1"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD, NEW = "ls-search-1", "ls-search-2"


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", "source": {"cloudwatch": {}}, **fields})


class Told:
    """An emulator that keeps metrics, with a bake that began at noon."""

    def __init__(self) -> None:
        self.clock = ManualClock(start=NOON.timestamp() - 600)
        self.calls: Counter[str] = Counter()
        self.series = Series()
        self._meter = Meter(self.series, self.clock)
        self._alarms = Alarms(self.series, self.clock)
        self._handlers = {**Metrics(self.series, self.clock).handlers(), **self._alarms.handlers()}
        self._emulator = Emulator(clock=self.clock)
        self._emulator.services.append(
            JsonService("cloudwatch", {name: self._counted(name) for name in self._handlers})
        )
        self.source = CloudWatchSource("fleet", REGION)

    @property
    def url(self) -> str:
        return self._emulator.url

    @property
    def boto(self) -> Any:
        return boto3.client("cloudwatch", region_name=REGION)

    def __enter__(self) -> Self:
        self._emulator.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._emulator.stop()

    def answers(self, operation: str, handler: Handler) -> None:
        """Let an operation be answered so from now on."""
        self._handlers[operation] = handler

    def answer_of(self, operation: str) -> Handler:
        """How an operation is answered."""
        return self._handlers[operation]

    def serve(self, seconds: int, *, failing: float = 0.0, milliseconds: Mapping[str, float] | None = None) -> None:
        """Let both components answer a request a second for so long; a share of the new one's fails."""
        took = {OLD: 50.0, NEW: 50.0} | dict(milliseconds or {})
        for second in range(seconds):
            for component, ms in took.items():
                failed = component == NEW and int((second + 1) * failing) > int(second * failing)
                target = Target("fleet", (), component)
                self._meter.called(target, Outcome("AllTraffic", 1, 500 if failed else 200, ms / 1000, 0.001))
                used = 50.0 if component == OLD else 97.0
                self._meter.was_used(target, "AllTraffic", {"GPUUtilizationNormalized": used})
            self.clock.advance(1)

    def judge(self) -> None:
        """Let the alarms look."""
        self._alarms.judge_all()

    async def measured(self, *checks: Check, over: bool = False, ends: int = 600) -> dict[str, Measurement]:
        """What is said of the checks now, `ends` seconds after the bake began being its end."""
        asked = Asked(
            checks=checks,
            new={"DEPLOYMENT": "search", "VERSION": "2", "COMPONENT": NEW},
            old={"DEPLOYMENT": "search", "VERSION": "1", "COMPONENT": OLD},
            not_before=NOON,
            now=datetime.fromtimestamp(self.clock.now(), UTC),
            bake_ended=over,
            until=datetime.fromtimestamp(NOON.timestamp() + ends, UTC),
        )
        return {one.check: one for one in await self.source.measure(asked)}

    def _counted(self, name: str) -> Handler:
        def carry_out(caller: Caller, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
            self.calls[name] += 1
            return self._handlers[name](caller, parameters)

        return carry_out
