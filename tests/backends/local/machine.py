"""A machine under test: a real agent process with a home of its own, and targets on it."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
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
LOOK = 0.05
HOSTS = (Host(name="a", accelerators=4, accelerator_memory_gib=40),)
AGENT_PROGRAM = ("-m", "longshore.backends.local.agent")
DATABASE_KEY = "hunter2-of-the-database"


class Agent:
    """One agent process, killed and started again as tests like."""

    def __init__(self) -> None:
        # A short path, for the Unix socket.
        self.home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
        self.folder = (self.home / "agent").resolve()
        self.socket = self.home / "agent.sock"
        self.log = self.home / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None
        (self.home / "secrets").mkdir(mode=0o700)

    def start(self, *program: str) -> None:
        """Start the agent, or a program that is one; answers come when they come."""
        environment = {
            **os.environ,
            "LONGSHORE_HOME": str(self.home),
            "LONGSHORE_AGENT_SOCKET": str(self.socket),
            "LONGSHORE_DATABASE_URL": f"postgresql://operator:{DATABASE_KEY}@127.0.0.1/longshore",
        }
        with self.log.open("ab") as log:
            command = [sys.executable, *(program or AGENT_PROGRAM)]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def dead(self) -> bool:
        """Whether the process has ended."""
        return self.process is None or self.process.poll() is not None

    def processes(self) -> list[psutil.Process]:
        """Every live process that carries this agent's mark."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(AGENT) == str(self.folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def close(self) -> None:
        """End the agent and whatever a failed test left running."""
        if not self.dead():
            assert self.process is not None
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.home)


class Machine:
    """A target on an agent, with hosts and a model of its own."""

    def __init__(self, agent: Agent, target: str) -> None:
        self.agent = agent
        self.target = target
        self.backend = LocalBackend(target, agent.socket)
        self.control = agent.home / target
        self.control.mkdir()
        self.artifact = self.control / "model.bin"
        self.artifact.write_bytes(b"weights")
        self._step = 0
        self._last: dict[tuple[str, str], CopiesLevel] = {}

    async def declared(self, hosts: tuple[Host, ...] = HOSTS) -> None:
        """Wait until the agent answers, and tell it the hosts."""
        async with deadline("the agent to answer", self.agent.log.read_text):
            while True:
                with contextlib.suppress(BackendError):
                    return await self.backend.declare(hosts)
                await asyncio.sleep(LOOK)

    def level(self, version: str = "1", copies: int = 1, **changes: Any) -> CopiesLevel:
        """A level for the tiny server; every one comes with the next fence."""
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
        level = CopiesLevel(version=version, copies=copies, spec=ModelVersionSpec.model_validate(spec), **given)
        self._last[level.deployment, version] = level
        return level

    async def ensure(self, version: str = "1", copies: int = 1, **changes: Any) -> Observation:
        """Ask for a level of the tiny server."""
        return await self.backend.ensure(self.level(version, copies, **changes))

    async def until(self, holds: Callable[[Observation], bool]) -> Observation:
        """Observe until something holds of the target."""
        seen: list[Observation] = []

        def story() -> str:
            return f"last seen: {seen[-1:]}\nthe agent said: {self.agent.log.read_text()[-3000:]}"

        async with deadline("what was waited for", story):
            while True:
                with contextlib.suppress(BackendError):
                    seen.append(await self.backend.observe())
                    if holds(seen[-1]):
                        return seen[-1]
                await asyncio.sleep(LOOK)

    def process_of(self, copy: Copy) -> psutil.Process:
        """The process of a copy."""
        return next(process for process in self.agent.processes() if process.environ()[COPY_ID] == copy.id)

    def starts(self) -> Counter[str]:
        """How often each copy was started."""
        noted = self.control / "starts"
        return Counter(noted.read_text().split()) if noted.exists() else Counter()

    async def clear(self) -> None:
        """End every copy of this target."""
        for level in self._last.values():
            change = {"copies": 0, "surplus": "end", "fence": Fence(operation=2, step=0)}
            await self.backend.ensure(level.model_copy(update=change))
        await self.until(nothing_left)


@contextlib.asynccontextmanager
async def deadline(what: str, story: Callable[[], str] = str) -> AsyncIterator[None]:
    """Fail with words when it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:g} s for {what}\n{story()}") from None


async def eventually(holds: Callable[[], bool], what: str, story: Callable[[], str] = str) -> None:
    """Wait until something holds that nobody will tell of."""
    async with deadline(what, story):
        while not holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(LOOK)


def states(observation: Observation, version: str | None = None) -> dict[CopyState, int]:
    """How many copies are in each state."""
    return dict(Counter(copy.state for copy in observation.copies if version in {None, copy.version}))


def ready(count: int, version: str | None = None) -> Callable[[Observation], bool]:
    """Holds when so many copies are ready, and none is in another state."""
    return lambda observation: states(observation, version) == {CopyState.READY: count}


def nothing_left(observation: Observation) -> bool:
    """Holds when no copy is there in any state."""
    return not observation.copies


def gone(process: psutil.Process) -> bool:
    """Whether a process runs no more; one that nobody has reaped yet is gone too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
