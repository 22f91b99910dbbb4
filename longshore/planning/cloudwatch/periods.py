"""Which periods a check may look at: whole ones, after the shift, and old enough to be complete."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from longshore.planning.cloudwatch.queries import asked
from longshore.spec.deployment import Check

LOOK_BACK: Final = timedelta(minutes=15)
"""How long before the shift the old version's baseline may begin, where it has none since."""
LONGEST: Final = timedelta(days=1)
"""Data older than that are not read: a day of minutes and two dozen statistics are a third of what one call answers."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Bake:
    """The time that a measurement is about."""

    not_before: datetime
    """When the weight went live, or the window was last discarded."""
    now: datetime
    over: bool = False
    ends: datetime | None = None
    """When it is over, as far as that is known."""


@dataclass(frozen=True)
class Periods:
    """The periods of one check; all instants are multiples of the period since 1970, as CloudWatch's own are."""

    check: Check
    bake: Bake

    @property
    def length(self) -> timedelta:
        """Of one period."""
        return timedelta(seconds=asked(self.check).period)

    @property
    def least(self) -> timedelta:
        """The shortest window: at least `interval`, in whole periods."""
        return ceil(timedelta(seconds=self.check.interval) / self.length) * self.length

    @property
    def first(self) -> datetime:
        """Where the earliest window begins: the first period that saw nothing of the time before the shift."""
        return self._floor(max(self.bake.not_before, self.bake.now - LONGEST) + self.length - timedelta.resolution)

    @property
    def before(self) -> datetime:
        """Where the old version's last window before the shift ends."""
        return self._floor(self.bake.not_before)

    @property
    def complete(self) -> datetime:
        """Where the newest period ends whose data are all there."""
        return self._floor(self.bake.now - timedelta(seconds=asked(self.check).delay))

    @property
    def told(self) -> bool:
        """Whether there can be a window, so that it is worth asking. At the end of a bake that is one to its end."""
        return self.complete >= self.first + self.least and (self.whole or not self.bake.over)

    @property
    def whole(self) -> bool:
        """Whether there is nothing of the bake left to wait for; it takes at least one window."""
        ends = self._floor(self.bake.ends) if self.bake.ends else self.first
        return self.complete >= max(ends, self.first + self.least)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From when until when data are asked for, the end exclusive."""
        return (self.before - LOOK_BACK if self.check.compare else self.first), self.complete

    def _floor(self, instant: datetime) -> datetime:
        return instant - (instant - _EPOCH) % self.length
