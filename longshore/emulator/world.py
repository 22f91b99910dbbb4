"""The emulated account: everything there is, its time, and the seams by which real processes stand behind copies."""

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from longshore.emulator.clock import Clock
from longshore.emulator.durations import Durations
from longshore.emulator.faults import FaultBox, named
from longshore.emulator.fleets import Fleets
from longshore.emulator.scripts import Script, Scripts, Wait
from longshore.emulator.state import Component, Copy, CopyState, Endpoint, EndpointConfig, Fleet, Model

_LOOK_AT_FAULTS = 30.0
"""Emulated seconds between two looks at a fault that holds something up."""


class DataPlane(Protocol):
    """What runs the copies. Called under the world's lock: it must not block; it reports by `copy_ready` and such."""

    def start(self, copy: Copy) -> None:
        """Begin to serve it: its instance, accelerators and container are known."""
        ...

    def end(self, copy: Copy) -> None:
        """Let it finish its requests, and end it."""
        ...


AlarmState = Callable[[str, str], str | None]
"""Region and name to `OK`, `ALARM` or `INSUFFICIENT_DATA`; None where there is no such alarm."""


def no_alarms(region: str, name: str) -> None:
    """Where nobody reads alarms there are none."""


class World:
    """All state of one emulator, behind one lock. A change ends in `touch`, which lets what follows from it happen."""

    def __init__(self, clock: Clock, durations: Durations | None = None, faults: FaultBox | None = None) -> None:
        self.clock = clock
        self.durations = durations or Durations()
        self.faults = faults or FaultBox()
        self.lock = threading.RLock()
        self.models: dict[str, Model] = {}
        self.configs: dict[str, EndpointConfig] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.components: dict[str, Component] = {}
        self.tags: dict[str, dict[str, str]] = {}
        """By ARN."""
        self.plane: DataPlane = _Nothing(self)
        self.alarm_state: AlarmState = no_alarms
        self.watchers: list[Callable[[], None]] = []
        """Called under the lock after every change."""
        self.scripts = Scripts(clock, self.touch)
        self.fleets = Fleets(self)
        self._touching = False
        self._again = False

    def now(self) -> float:
        """The emulated instant, in seconds since the epoch."""
        return self.clock.now()

    def touch(self) -> None:
        """Let everything happen that follows from a change, until nothing more does."""
        with self.lock:
            if self._touching:
                self._again = True
                return
            self._touching = True
            try:
                self._again = True
                while self._again:
                    self._again = False
                    self._again = self.fleets.settle() or self.scripts.look() or self._again
            finally:
                self._touching = False
            for watcher in self.watchers:
                watcher()

    def stuck(self, name: str) -> Script:
        """The part of a story in which a resource hangs, as long as that fault is injected."""
        yield Wait(lambda: not named(self.faults.now.stuck, name), look=_LOOK_AT_FAULTS)

    # What runs the copies reports here.

    def copy_ready(self, copy_id: str) -> None:
        """A copy passed its health check; ignored where it is no longer wanted."""
        self._becomes(copy_id, (CopyState.STARTING,), CopyState.READY)

    def copy_unready(self, copy_id: str) -> None:
        """A ready copy ceased to answer; whoever runs it starts it again."""
        self._becomes(copy_id, (CopyState.READY,), CopyState.STARTING)

    def copy_failed(self, copy_id: str, reason: str) -> None:
        """A copy will never be ready."""
        self._becomes(copy_id, (CopyState.STARTING, CopyState.READY), CopyState.FAILED, reason)

    def _becomes(self, copy_id: str, was: tuple[CopyState, ...], state: CopyState, failure: str | None = None) -> None:
        with self.lock:
            copy = next((copy for copy in self.copies() if copy.id == copy_id), None)
            if copy is not None and copy.state in was:
                copy.state, copy.failure = state, failure
                copy.was_ready = copy.was_ready or state is CopyState.READY
                self.touch()

    # What serves requests asks here.

    def copies(self) -> Iterator[Copy]:
        """All copies, in whatever state."""
        for endpoint in self.endpoints.values():
            for fleet in endpoint.all_fleets():
                yield from fleet.copies

    def copies_of_component(self, name: str) -> list[Copy]:
        """The ready copies that serve a component; an adapter is served by its base's. Empty if there is none."""
        with self.lock:
            component = self.components.get(name)
            if component is None:
                return []
            serving = component.base or component.name
            return [copy for copy in self.copies() if copy.component == serving and copy.state is CopyState.READY]

    def fleets_of(self, endpoint: str, variant: str) -> list[Fleet]:
        """The fleets of a variant, each with its `share` of the traffic; two of them during a blue/green update."""
        with self.lock:
            found = self.endpoints.get(endpoint)
            return [] if found is None else [fleet for fleet in found.all_fleets() if fleet.variant == variant]

    def ready_copies(self, fleet: Fleet) -> list[Copy]:
        """The copies of a classic variant's model that take requests."""
        with self.lock:
            return [copy for copy in fleet.copies if copy.component is None and copy.state is CopyState.READY]


class _Nothing:
    """No process behind the copies: each is ready once its container had time to start."""

    def __init__(self, world: World) -> None:
        self._world = world

    def start(self, copy: Copy) -> None:
        self._world.clock.call_later(self._world.durations.copy_start, lambda: self._world.copy_ready(copy.id))

    def end(self, copy: Copy) -> None:
        """There is nothing to end."""
