"""Serving processes: started in sessions of their own, found again after a crash, ended to the last child."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import IO

import psutil

from longshore.backends.local.invocation import AGENT, COPY_ID, Invocation
from longshore.backends.local.logs import log_path
from longshore.spec.base import Value

_SAME_BIRTH = 2.0
"""Seconds by which two readings of one creation time may differ, since the boot time they count from is rounded."""
_MORE_LIKELY_TO_BE_KILLED = 500
"""For Linux's oom_score_adj: out of memory, a copy goes before the agent or the database."""


class Found(Value):
    """A live process that belongs to a copy."""

    pid: int
    born: float
    copy_id: str
    leader: bool
    """Whether it is the one the agent started, and not a child of that."""


class Processes:
    """The processes of one agent, its own children and adopted ones alike."""

    def __init__(self, agent: Path) -> None:
        self._agent = agent
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._adopted: dict[int, psutil.Process] = {}

    def spawn(self, invocation: Invocation, folder: Path, log: IO[bytes], cpus: tuple[int, ...]) -> tuple[int, float]:
        """Start a process and say its pid and creation time.

        Raises:
            OSError, ValueError: it could not be started.
        """
        child = subprocess.Popen(
            invocation.arguments,
            executable=invocation.program,
            env=invocation.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it survives the agent, and its children can be told from others
        )
        self._children[child.pid] = child
        try:
            born = psutil.Process(child.pid).create_time()
        except psutil.NoSuchProcess:  # pragma: no cover - an unreaped child keeps its entry
            born = 0.0
        _confine(child.pid, cpus)
        return child.pid, born

    def adopt(self, pid: int, born: float) -> bool:
        """Watch a process that an earlier agent started; False if the pid is gone or someone else's by now."""
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - born) > _SAME_BIRTH or process.status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        self._adopted[pid] = process
        return True

    def alive(self, pid: int) -> bool:
        """Whether a spawned or adopted process still runs."""
        if (child := self._children.get(pid)) is not None:
            return child.poll() is None
        process = self._adopted.get(pid)
        try:
            return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def farewell(self, pid: int) -> str:
        """How a process that is gone ended, in words; it is forgotten with this."""
        self._adopted.pop(pid, None)
        child = self._children.pop(pid, None)
        code = child.returncode if child is not None else None
        if code is None:
            return "exited"
        if code < 0:
            return f"was ended by {_signal_name(-code)}"
        return f"exited with code {code}"

    def terminate(self, pid: int) -> None:
        """Ask a process to end; its children are its own to end."""
        if self.alive(pid):
            _send(pid, signal.SIGTERM)

    def kill(self, pid: int, copy_id: str) -> None:
        """End a process and all it started, now."""
        if self.alive(pid):
            _send(pid, signal.SIGKILL)
        self.kill_leftovers(copy_id)

    def kill_leftovers(self, copy_id: str) -> bool:
        """End what a copy's process left behind, so that ports and GPU memory are free; True if anything was."""
        left = [found.pid for found in self.find() if found.copy_id == copy_id]
        for pid in left:
            _send(pid, signal.SIGKILL)
        return bool(left)

    def find(self) -> list[Found]:
        """Every live process of this agent's copies, whoever recorded it.

        A process is known by its environment; one that has overwritten it (servers that set their title do) by the
        log that it writes to.
        """
        found = []
        for process in psutil.process_iter():
            try:
                with process.oneshot():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    copy_id = self._copy_of(process)
                    if copy_id is not None:
                        leader = _session(process.pid) == process.pid
                        found.append(Found(pid=process.pid, born=process.create_time(), copy_id=copy_id, leader=leader))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def _copy_of(self, process: psutil.Process) -> str | None:
        with contextlib.suppress(psutil.AccessDenied, OSError):
            environment = process.environ()
            if COPY_ID in environment:
                return environment[COPY_ID] if environment.get(AGENT) == str(self._agent) else None
        with contextlib.suppress(OSError):
            written = Path(f"/proc/{process.pid}/fd/1").readlink()
            if written == log_path(self._agent, written.parent.name):
                return written.parent.name
        return None


def _confine(pid: int, cpus: tuple[int, ...]) -> None:
    """Hold a process to its CPUs, where the system can; a process already gone needs no holding."""
    with contextlib.suppress(OSError):
        if cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(pid, cpus)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(_MORE_LIKELY_TO_BE_KILLED))


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
