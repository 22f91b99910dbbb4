"""What a copy's process takes of the machine. Only the process itself: looking for its children costs too much."""

import time
from contextlib import suppress
from typing import NamedTuple

import psutil

_MIB = 1024**2


class Usage(NamedTuple):
    """Between two looks."""

    cores: float
    """CPUs that were busy, on average."""
    memory_mib: float


class Usages:
    """Remembers the last look at each process, for what it did since."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}
        """Process → when it was looked at, and the seconds of CPU that it had used by then."""

    def look(self, pid: int) -> Usage | None:
        """What a process used since the last look; None at the first one, and of a process that is gone."""
        before, now = self._last.pop(pid, None), time.monotonic()
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            times, memory = process.cpu_times(), process.memory_info().rss / _MIB
            used = times.user + times.system
            self._last[pid] = (now, used)
            if before is not None and now > before[0]:
                return Usage((used - before[1]) / (now - before[0]), memory)
        return None
