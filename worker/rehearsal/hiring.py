"""Hires and dismisses the workers of a rehearsal: each is forked from a process that has imported everything.

To import Temporal costs a second, at the start and again after every crash. So the engine forks a quiet copy of itself
before it has any thread, and that copy forks the workers, one crew at a time. None of them has our stdio; none outlives
the engine, however that ends: the copy reads the end of the engine's line, and the kernel helps where it can.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from worker.rehearsal.crew import Workplace, work
from worker.rehearsal.server import die_with_parent

ANSWER_LIMIT = 30.0
"""Real seconds for the copy to fork or kill a crew; it takes milliseconds."""


class Hiring:
    """The engine's end of the line to the copy."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._answers = line.makefile("r", encoding="utf-8")

    def hire(self, place: Workplace, log: Path) -> None:
        """Start a crew; what it says goes to `log`."""
        self._ask({"hire": place.to_json(), "log": str(log)})

    def dismiss(self) -> None:
        """Kill the crew, if there is one."""
        self._ask({"dismiss": True})

    def ended(self) -> bool:
        """Whether the crew ended by itself."""
        return bool(self._ask({"ended": True}))

    def close(self) -> None:
        """Let the copy end, and its crew with it."""
        self._answers.close()
        self._line.close()

    def _ask(self, question: dict[str, Any]) -> Any:
        self._line.sendall(json.dumps(question).encode() + b"\n")
        return json.loads(self._answers.readline())


@contextlib.contextmanager
def hiring() -> Iterator[Hiring]:
    """Fork the copy; to be called while this process has one thread."""
    ours, theirs = socket.socketpair()
    ours.settimeout(ANSWER_LIMIT)
    copy = os.fork()
    if copy == 0:
        ours.close()
        _serve(theirs)
    theirs.close()
    hiring = Hiring(ours)
    try:
        yield hiring
    finally:
        hiring.close()
        os.waitpid(copy, 0)


# -- in the copy ---------------------------------------------------------------------------------------------------


def _serve(line: socket.socket) -> NoReturn:
    """Do what the engine asks until it is gone."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine's to heed, and its end is ours
    _leave_stdio()
    crew: int | None = None
    with contextlib.suppress(OSError):
        for question in line.makefile("r", encoding="utf-8"):
            asked, answer = json.loads(question), False
            if "hire" in asked:
                crew = _fork(asked["hire"], asked["log"], line)
            elif "dismiss" in asked:
                _kill(crew)
                crew = None
            elif crew is not None and os.waitpid(crew, os.WNOHANG)[0]:
                crew, answer = None, True
            line.sendall(json.dumps(answer).encode() + b"\n")
    _kill(crew)
    os._exit(0)


def _fork(place: str, log: str, line: socket.socket) -> int:
    crew = os.fork()
    if crew == 0:
        die_with_parent()
        line.close()
        _leave_stdio(log)
        try:
            asyncio.run(work(Workplace.from_json(place)))
        except BaseException:  # noqa: BLE001 - it must not return to be a copy of the copy
            traceback.print_exc()
        os._exit(1)
    return crew


def _kill(crew: int | None) -> None:
    if crew is not None:
        os.kill(crew, signal.SIGKILL)
        os.waitpid(crew, 0)


def _leave_stdio(errors: str = os.devnull) -> None:
    nothing, log = os.open(os.devnull, os.O_RDWR), os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for target, source in ((0, nothing), (1, nothing), (2, log)):
        os.dup2(source, target)
