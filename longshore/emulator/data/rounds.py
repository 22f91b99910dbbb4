"""What happens every ten seconds of the emulator's time: copies are looked at, alarms judged, capacities moved."""

import math
from collections.abc import Callable

from longshore.emulator.clock import Clock, Timer
from longshore.emulator.data.copies import Copies
from longshore.emulator.data.hosting import WorldHosting
from longshore.emulator.data.metering import HIGH_RESOLUTION, Meter


class Rounds:
    """Runs things one after another, at whole multiples of ten seconds."""

    def __init__(self, clock: Clock, *things: Callable[[], None]) -> None:
        self._clock = clock
        self._things = things
        self._timer: Timer | None = None

    def begin(self) -> None:
        """From the next multiple of ten seconds on, until `end`."""
        due = math.floor(self._clock.now() / HIGH_RESOLUTION + 1) * HIGH_RESOLUTION
        self._timer = self._clock.call_at(due, self._round)

    def end(self) -> None:
        """No more rounds."""
        if self._timer is not None:
            self._timer.cancel()

    def _round(self) -> None:
        self.begin()
        for thing in self._things:
            thing()


class Looking:
    """Tells how busy every copy is."""

    def __init__(self, hosting: WorldHosting, copies: Copies, meter: Meter) -> None:
        self._hosting = hosting
        self._copies = copies
        self._meter = meter

    def __call__(self) -> None:
        """One look at all that calls can be for."""
        for target in self._hosting.targets():
            for share in target.shares:
                loads = [self._copies.load(copy) for copy in share.copies]
                if loads:
                    self._meter.were_at_once(target, share.variant, sum(load.at_once for load in loads), len(loads))
                    accelerators = [self._hosting.accelerators(copy) for copy in share.copies]
                    used = [(load.busy, count) for load, count in zip(loads, accelerators, strict=True)]
                    self._meter.were_used(target, share.variant, used)
