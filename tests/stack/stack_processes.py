"""Which processes belong to a home."""

import contextlib
import os
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
