"""The emulator's time: real and perhaps faster, or turned by hand. What takes time at AWS is a timer here."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

logger = structlog.get_logger(__name__)

Action = Callable[[], None]


class Timer:
    """One thing to do at an instant."""

    def __init__(self, when: float, action: Action) -> None:
        self.when = when
        self.cancelled = False
        self._action = action

    def cancel(self) -> None:
        """Do not do it, if it has not begun."""
        self.cancelled = True

    def fire(self) -> None:
        """Do it. An error is logged: one broken action must not stop the time of all others."""
        if self.cancelled:
            return
        try:
            self._action()
        except Exception:
            logger.exception("a timed action failed")


class Clock(Protocol):
    """Emulated seconds since the epoch, and things to do at such instants.

    Actions run one after another, in order of their instants, on a thread that the clock chooses.
    """

    def now(self) -> float:
        """The instant, in seconds since the epoch."""
        ...

    def call_at(self, when: float, action: Action) -> Timer:
        """Do something at an instant; at once if it has passed."""
        ...

    def call_later(self, seconds: float, action: Action) -> Timer:
        """Do something in so many emulated seconds."""
        ...

    def stop(self) -> None:
        """Do nothing more."""
        ...


class ManualClock:
    """Stands still until it is advanced: for tests."""

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._timers = _Timers()

    def now(self) -> float:
        """The instant, in seconds since the epoch."""
        return self._now

    def call_at(self, when: float, action: Action) -> Timer:
        """Do something when the clock is advanced to an instant, or the next time it is advanced if that has passed."""
        return self._timers.add(when, action)

    def call_later(self, seconds: float, action: Action) -> Timer:
        """Do something once the clock was advanced by so many seconds."""
        return self.call_at(self._now + seconds, action)

    def advance(self, seconds: float) -> None:
        """Let so much time pass, doing what is due on the way, on the caller's thread."""
        end = self._now + seconds
        while (timer := self._timers.pop(end)) is not None:
            self._now = max(self._now, timer.when)
            timer.fire()
        self._now = end

    def stop(self) -> None:
        """Forget what was to be done."""
        self._timers.clear()


class RealClock:
    """Passes by itself, `speed` emulated seconds a real one."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed is {speed}; it must be above 0")
        self.speed = speed
        self._began = (time.time(), time.monotonic())
        self._timers = _Timers()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="emulator-clock", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """The instant, in seconds since the epoch."""
        epoch, monotonic = self._began
        return epoch + (time.monotonic() - monotonic) * self.speed

    def call_at(self, when: float, action: Action) -> Timer:
        """Do something at an instant, on the clock's own thread."""
        timer = self._timers.add(when, action)
        with self._changed:
            self._changed.notify()
        return timer

    def call_later(self, seconds: float, action: Action) -> Timer:
        """Do something in so many emulated seconds, on the clock's own thread."""
        return self.call_at(self.now() + seconds, action)

    def stop(self) -> None:
        """Do nothing more; the action under way ends first."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopped:
            timer = self._timers.pop(self.now())
            if timer is not None:
                timer.fire()
                continue
            with self._changed:
                due = self._timers.next_due()
                if not self._stopped and (due is None or due > self.now()):
                    self._changed.wait(None if due is None else (due - self.now()) / self.speed)


class _Timers:
    """What is to be done, in order of time and then of asking. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Timer]] = []

    def add(self, when: float, action: Action) -> Timer:
        timer = Timer(when, action)
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def pop(self, until: float) -> Timer | None:
        with self._lock:
            if self._heap and self._heap[0][0] <= until:
                return heapq.heappop(self._heap)[2]
        return None

    def next_due(self) -> float | None:
        with self._lock:
            return self._heap[0][0] if self._heap else None

    def clear(self) -> None:
        with self._lock:
            self._heap.clear()
