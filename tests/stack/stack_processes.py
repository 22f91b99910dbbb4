"""Which processes belong to a home, and waiting for what they do."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes that were started for a home: each names it, or inherited its name."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            inherited = process.environ().get("LONGSHORE_HOME") == str(home) and process.pid != os.getpid()
            if (inherited or str(home) in line) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(line)
    return found


def eventually(condition: Callable[[], bool], within: float = 60.0) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it did not within so many seconds.
    """
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
