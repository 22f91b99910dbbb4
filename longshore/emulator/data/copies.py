"""The processes that calls can be handed to, and how busy each is."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import httpcore

from longshore.emulator.clock import Clock
from longshore.emulator.data.channel import Channel
from longshore.emulator.data.processes import Container
from longshore.emulator.data.targets import Share


class Load(NamedTuple):
    """What a copy had to do between two looks."""

    at_once: float
    """Calls that it had before it, on average."""
    busy: float
    """The share of the time, from 0 to 1, in which it had any."""


@dataclass
class _Tally:
    outstanding: int = 0
    since: float = 0.0
    """When anything last changed."""
    looked: float = 0.0
    calls: float = 0.0
    busy: float = field(default=0.0)

    def change(self, now: float, by: int) -> None:
        passed = now - self.since
        self.calls += self.outstanding * passed
        self.busy += passed if self.outstanding else 0.0
        self.outstanding += by
        self.since = now


class Copies:
    """Every copy with a process. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self.containers: dict[str, Container] = {}
        self._clock = clock
        self._lock = threading.Lock()
        self._tallies: defaultdict[str, _Tally] = defaultdict(self._tally)

    def able(self, share: Share) -> list[str]:
        """Those of a share whose process is ready."""
        containers = self.containers
        return [copy for copy in share.copies if (known := containers.get(copy)) is not None and known.ready]

    def channel(self, copy: str) -> Channel:
        """The way to a copy's process.

        Raises:
            httpcore.ConnectError: it has gone meanwhile.
        """
        container = self.containers.get(copy)
        if container is None or container.channel is None:
            raise httpcore.ConnectError(f"{copy} has no process")
        return container.channel

    def outstanding(self, copies: list[str]) -> dict[str, int]:
        """How many calls wait for an answer, by copy."""
        with self._lock:
            return {copy: self._tallies[copy].outstanding for copy in copies}

    def begin(self, copy: str) -> None:
        """A call is handed to a copy."""
        with self._lock:
            self._tallies[copy].change(self._clock.now(), 1)

    def end(self, copy: str) -> None:
        """A copy has answered a call, or never will."""
        with self._lock:
            self._tallies[copy].change(self._clock.now(), -1)

    def load(self, copy: str) -> Load:
        """What a copy had to do since this was last asked."""
        with self._lock:
            tally, now = self._tallies[copy], self._clock.now()
            tally.change(now, 0)
            passed = now - tally.looked
            load = Load(tally.calls / passed, tally.busy / passed) if passed > 0 else Load(0.0, 0.0)
            tally.looked, tally.calls, tally.busy = now, 0.0, 0.0
        return load

    def forget(self, copy: str) -> None:
        """A copy is gone."""
        self.containers.pop(copy, None)
        with self._lock:
            self._tallies.pop(copy, None)

    def _tally(self) -> _Tally:
        now = self._clock.now()
        return _Tally(since=now, looked=now)
