"""What every benchmark shares: a stack of its own, medians with their range, and a small table."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from longshore.settings import Settings
from longshore.stack.down import down
from longshore.stack.up import up

OF_A_STACK = ("LONGSHORE_", "TEMPORAL_")
"""Variables that would lead a benchmark to somebody's stack, or change its own."""


@contextmanager
def stack(*parts: str) -> Iterator[Settings]:
    """A stack in a new home under /tmp, on free ports, gone afterwards; only these parts of it when they are named."""
    for name in [name for name in os.environ if name.startswith(OF_A_STACK)]:
        del os.environ[name]
    # Short, for sockets lie in it; outside of anyone's home, for under root Postgres runs as another user.
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    os.environ |= {"LONGSHORE_HOME": str(home), "LONGSHORE_PORT_BASE": "auto"}
    try:
        up(Settings.from_environment(), only=parts)
        yield Settings.from_environment()
    finally:
        down(Settings.from_environment(), purge=True)
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Spread:
    """The median of several runs, and the range they were in."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def show(self, places: int = 0, scale: float = 1.0) -> str:
        """`12.3 (11.9-14.0)`."""
        median, least, most = (f"{value * scale:.{places}f}" for value in (self.median, self.least, self.most))
        return f"{median} ({least}-{most})"


def ratios(measured: Sequence[float], reference: Sequence[float]) -> Spread:
    """Each run against the reference run beside it: what slowed the machine then slowed both."""
    return Spread.of([one / other for one, other in zip(measured, reference, strict=True)])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is Markdown, and aligned for a terminal."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    cells = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    shown = [f"| {' | '.join(line)} |" for line in cells]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def waited(reached: Callable[[], bool], interval: float, within: float) -> None:
    """Look every so many seconds until it is so.

    Raises:
        TimeoutError: it was not, within so many seconds.
    """
    deadline = time.monotonic() + within
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:g} s")
        time.sleep(interval)
