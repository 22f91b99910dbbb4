"""The parts' logs: rotated under their feet, and quoted when a part does not start."""

import contextlib
import os
import shutil
from pathlib import Path

MOST_BYTES = 16 * 2**20
KEPT = 3
_TAIL_BYTES = 8192


def rotate(file: Path, most: int = MOST_BYTES) -> bool:
    """Copy a log that has grown too long to `.1`, the older ones one further, and empty it; whether it did.

    Parts write to their own descriptor in append mode and go on writing when the supervisor dies, so the file
    stays and is emptied; what is written between copy and emptying is lost. A full disk costs the copy, not the room.
    """
    try:
        if file.stat().st_size < most:
            return False
    except OSError:
        return False
    with contextlib.suppress(OSError):
        for number in range(KEPT - 1, 0, -1):
            older = Path(f"{file}.{number}")
            if older.exists():
                older.replace(f"{file}.{number + 1}")
        shutil.copyfile(file, f"{file}.1")
        Path(f"{file}.1").chmod(0o600)
    os.truncate(file, 0)
    return True


def last_line(file: Path) -> str:
    """The last line that says something, at most 300 characters; empty when there is none."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
