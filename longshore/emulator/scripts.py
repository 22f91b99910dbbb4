"""Stories that take emulated time, told from top to bottom: generators that wait for a condition or an instant.

An update is a story: start a batch, wait until it is ready, bake, end the old ones. Written as a generator it reads in
that order; the runner turns each `yield Wait(…)` into timers and conditions.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from longshore.emulator.clock import Clock, Timer


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Wait:
    """Wait until something holds, or so many seconds; `yield` gives whether it held."""

    until: Callable[[], bool] = _never
    seconds: float | None = None
    look: float | None = None
    """Look at least so often, where nothing tells that the condition may have changed."""


Script = Generator[Wait, bool, None]


@dataclass(eq=False)
class _Running:
    owner: str
    script: Script
    wait: Wait
    deadline: Timer | None = None
    looker: Timer | None = None


class Scripts:
    """The stories under way, one an owner. Not safe between threads: its user holds a lock."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        """Run stories over a clock.

        Args:
            clock: the emulated time.
            wake: called at instants at which `look` should be; on the clock's thread.
        """
        self._clock = clock
        self._wake = wake
        self._running: dict[str, _Running] = {}

    def start(self, owner: str, script: Script) -> None:
        """Begin a story; the one that its owner had before ends where it is."""
        self.cancel(owner)
        try:
            wait = next(script)
        except StopIteration:
            return
        self._waiting(_Running(owner, script, wait), wait)

    def cancel(self, owner: str) -> None:
        """End a story where it is."""
        running = self._running.pop(owner, None)
        if running is not None:
            self._quiet(running)
            running.script.close()

    def runs(self, owner: str) -> bool:
        """Whether an owner has a story under way."""
        return owner in self._running

    def look(self) -> bool:
        """Go on with every story whose wait is over, once; True if there was one."""
        due = []
        for running in self._running.values():
            if (over := self._over(running)) is not None:
                due.append((running, over))
            elif running.looker is not None and running.looker.when <= self._clock.now():
                self._look_again(running)
        for running, held in due:
            if self._running.get(running.owner) is running:
                self._go_on(running, held=held)
        return bool(due)

    def _over(self, running: _Running) -> bool | None:
        """Whether its condition held; None if it must wait on."""
        if running.wait.until():
            return True
        if running.deadline is not None and self._clock.now() >= running.deadline.when:
            return False
        return None

    def _go_on(self, running: _Running, *, held: bool) -> None:
        self._quiet(running)
        try:
            wait = running.script.send(held)
        except BaseException as error:
            if self._running.get(running.owner) is running:
                del self._running[running.owner]
            if isinstance(error, StopIteration):
                return
            raise
        if self._running.get(running.owner) is running:
            self._waiting(running, wait)

    def _waiting(self, running: _Running, wait: Wait) -> None:
        running.wait = wait
        self._running[running.owner] = running
        if wait.seconds is not None:
            running.deadline = self._clock.call_later(wait.seconds, self._wake)
        self._look_again(running)

    def _look_again(self, running: _Running) -> None:
        if running.wait.look is not None:
            running.looker = self._clock.call_later(running.wait.look, self._wake)

    @staticmethod
    def _quiet(running: _Running) -> None:
        for timer in (running.deadline, running.looker):
            if timer is not None:
                timer.cancel()
        running.deadline = running.looker = None
