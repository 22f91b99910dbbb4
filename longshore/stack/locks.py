"""Locks that live exactly as long as the process that holds them.

The supervisor takes a part's lock and hands it down to the part, so the lock is the part's until the last of its
processes is gone, whatever became of the supervisor. No pid file can go stale, and no part can run twice.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass
class Held:
    """A lock that was taken. `descriptor` may be handed to a child, which then holds it too."""

    descriptor: int

    def release(self) -> None:
        """Let go here; a child that was given the descriptor keeps the lock."""
        os.close(self.descriptor)


def take(file: Path, note: str = "") -> Held | None:
    """Take the lock if it is free, and leave a note in its file; None when it is held.

    Raises:
        OSError: the file cannot be opened or written.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return Held(descriptor)


def is_held(file: Path) -> bool:
    """Whether somebody took the lock. Looking shares it for an instant, so a taker that fails should look, too."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def note(file: Path) -> str:
    """What the holder, or the last one, wrote."""
    try:
        return file.read_text()
    except OSError:
        return ""


def holders(file: Path) -> list[psutil.Process]:
    """Processes that have the lock's file open, parents before their children."""
    found = []
    path = os.path.realpath(file)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(opened.path == path for opened in process.open_files()):
                found.append(process)
    pids = {process.pid for process in found}
    return sorted(found, key=lambda process: _parent(process) in pids)


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None
