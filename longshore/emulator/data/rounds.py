"""What happens every ten seconds of the emulator's time: copies are looked at, alarms judged, capacities moved."""

import math
from collections.abc import Callable

from longshore.emulator.clock import Clock, Timer
from longshore.emulator.data.copies import Copies, Load
from longshore.emulator.data.hosting import WorldHosting
from longshore.emulator.data.metering import HIGH_RESOLUTION, Meter
from longshore.emulator.data.usage import Usages


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
    """Tells how busy every copy is, and what it uses."""

    def __init__(self, hosting: WorldHosting, copies: Copies, meter: Meter) -> None:
        self._hosting = hosting
        self._copies = copies
        self._meter = meter
        self._usages = Usages()

    def __call__(self) -> None:
        """One look at all that calls can be for."""
        for target in self._hosting.targets():
            for share in target.shares:
                loads = {copy: self._copies.load(copy) for copy in share.copies}
                if loads:
                    at_once = sum(load.at_once for load in loads.values())
                    self._meter.were_at_once(target, share.variant, at_once, len(loads))
                for copy, load in loads.items():
                    self._meter.was_used(target, share.variant, self._percent(copy, load))

    def _percent(self, copy: str, load: Load) -> dict[str, float]:
        """What a copy used, of what it has. No GPU is looked at: it is in use while its copy has a call."""
        need, found = self._hosting.need(copy), {}
        if need.accelerators:
            found["GPUUtilizationNormalized"] = 100 * load.busy
            found["GPUUtilization"] = 100 * load.busy * need.accelerators
        container = self._copies.containers.get(copy)
        used = self._usages.look(container.pid) if container is not None and container.pid is not None else None
        if used is not None:
            found["CPUUtilization"] = 100 * used.cores
            if need.cpus:
                found["CPUUtilizationNormalized"] = 100 * used.cores / need.cpus
            if need.memory_mib:
                found["MemoryUtilizationNormalized"] = 100 * used.memory_mib / need.memory_mib
        return found
