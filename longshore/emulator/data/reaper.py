"""Ends the serving processes of an emulator that was killed, and removes their files: it waits for a pipe to close.

Run as a script with the emulator's mark and its folder. The mark is in every serving process's environment, and so in
its children's; with nobody left to write into the pipe, whoever has the mark is ended.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "LONGSHORE_EMULATOR"
"""The variable that says whose process it is."""


def start(mark: str, folder: Path) -> "subprocess.Popen[bytes]":
    """A reaper for the processes with a mark, and a folder; closing its stdin has it do its work and end."""
    return subprocess.Popen(
        [sys.executable, __file__, mark, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C in the terminal is not for it
    )


def marked(mark: str) -> list[int]:
    """The processes that have a mark, except this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process.pid)
    return found


def main() -> None:
    """Wait for the emulator's end, then end what it left."""
    sys.stdin.buffer.read()
    for pid in marked(sys.argv[1]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
