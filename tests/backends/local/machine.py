"""A machine under test: a real agent process with a home of its own, and what tests ask of it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil

from longshore.backends.local.artifact import digest_of
from longshore.backends.local.backend import LocalBackend
from longshore.backends.local.invocation import AGENT, COPY_ID
from longshore.backends.port import BackendError, CopiesLevel
from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState, Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

HERE = Path(__file__).parent
PATIENCE = 40.0
"""Deadline of every wait, for a slow machine; a passing test waits a fraction of it."""
HOSTS = (Host(name="a", accelerators=4, accelerator_memory_gib=40),)


class Machine:
    """One agent, killed and started again as tests like."""

    def __init__(self, home: Path, hosts: tuple[Host, ...] = HOSTS) -> None:
        self.home = home
        self.folder = (home / "agent").resolve()
        self.hosts = hosts
        self.backend = LocalBackend("workstation", home / "agent.sock")
        self.control = home / "control"
        self.control.mkdir()
        (home / "secrets").mkdir(mode=0o700)
        self.artifact = home / "model.bin"
        self.artifact.write_bytes(b"weights")
        self.log = home / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._step = 0

    def start(self, *program: str) -> None:
        """Start the agent, or a program that is one."""
        environment = {
            **os.environ,
            "LONGSHORE_HOME": str(self.home),
            "LONGSHORE_AGENT_SOCKET": str(self.home / "agent.sock"),
            "LONGSHORE_DATABASE_URL": "postgresql://operator:hunter2@localhost/longshore",
        }
        command = [sys.executable, *(program or ("-m", "longshore.backends.local.agent"))]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    async def answering(self) -> None:
        """Wait until the agent answers, and tell it its hosts."""
        async with deadline("the agent to answer"):
            while True:
                with contextlib.suppress(BackendError):
                    await self.backend.declare(self.hosts)
                    return
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def level(self, version: str = "1", copies: int = 1, **changes: Any) -> CopiesLevel:
        """A level for the tiny server, or another; every one comes with the next fence."""
        self._step += 1
        flags = changes.pop("flags", ())
        server = {
            "command": [sys.executable, "-S", str(HERE / "serving.py"), *flags],
            "env": {"CONTROL": str(self.control)},
            **changes.pop("server", {}),
        }
        spec = {
            "artifact": {"uri": self.artifact.as_uri(), "digest": digest_of(self.artifact)},
            "server": server,
            "resources": {"accelerators": 1, "acceleratorMemoryGiB": 16},
            **changes.pop("spec", {}),
        }
        given = {"deployment": "digits", "model": "digits", "fence": Fence(operation=1, step=self._step), **changes}
        return CopiesLevel(version=version, copies=copies, spec=ModelVersionSpec.model_validate(spec), **given)

    async def until(self, holds: Callable[[Observation], bool], deployment: str | None = None) -> Observation:
        """Observe until something holds of the target."""
        seen: list[Observation] = []
        async with deadline("what was waited for", lambda: f"{seen[-1:]}\n{self.log.read_text()[-3000:]}"):
            while True:
                with contextlib.suppress(BackendError):
                    seen.append(await self.backend.observe(deployment))
                    if holds(seen[-1]):
                        return seen[-1]
                await asyncio.sleep(0.05)

    def processes(self) -> list[psutil.Process]:
        """Every live process that carries this agent's mark."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(AGENT) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def process_of(self, copy: Copy) -> psutil.Process:
        """The process of a copy."""
        return next(process for process in self.processes() if process.environ()[COPY_ID] == copy.id)

    async def close(self) -> None:
        """End the copies as `longshore down` does, then the agent."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(BackendError):
                await self.backend.rest()
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


@contextlib.asynccontextmanager
async def deadline(what: str, more: Callable[[], str] = lambda: "") -> AsyncIterator[None]:
    """Fail with words when it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:g} s for {what} {more()}") from None


def states(observation: Observation, version: str | None = None) -> Counter[CopyState]:
    """How many copies are in each state."""
    return Counter(copy.state for copy in observation.copies if version in {None, copy.version})


def ready(count: int, version: str | None = None) -> Callable[[Observation], bool]:
    """Holds when so many copies are ready, and no other copy is there."""
    return lambda observation: states(observation, version) == Counter({CopyState.READY: count})


def nothing_left(observation: Observation) -> bool:
    """Holds when no copy is there in any state."""
    return not observation.copies


def new_home() -> Path:
    """A home with a path short enough for a Unix socket."""
    return Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))  # noqa: S108 - a fresh folder only we may enter


def now() -> float:
    """Seconds, for measuring."""
    return time.monotonic()
