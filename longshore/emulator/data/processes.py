"""A serving process behind a copy, by the contract that SageMaker has with containers.

The program listens on `SAGEMAKER_BIND_TO_PORT`, answers `GET /ping` with 200 once it can serve, and gets
`POST /invocations`. Its model lies in the folder that `SM_MODEL_DIR` names (in a container, /opt/ml/model);
`SAGEMAKER_BASE_DIR` is the folder above, as the SageMaker Inference Toolkit reads it. A process that dies is started
again; to end, it gets SIGTERM and 30 s.
Source: SageMaker Developer Guide, "Custom Inference Code with Hosting Services".
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
import structlog

from longshore.emulator.data.channel import Channel
from longshore.emulator.data.images import ImagesError, Program
from longshore.emulator.data.model_data import ModelData, ModelDataError
from longshore.emulator.data.reaper import MARK

logger = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"
END_SECONDS = 30.0
"""Between SIGTERM and SIGKILL, as the guide says."""
_START_LOOK = 0.05
_LOOK = 2.0
"""Seconds between two pings, of a process that is not ready yet and of one that is."""
_PING_TIMEOUT = 2.0
"""The guide's: a ping is answered within two seconds."""
_FIRST_REST = 0.5
_LONGEST_REST = 30.0
"""Seconds before a process that died is started again; they double with each death before it was ready."""
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


class Work(NamedTuple):
    """What one copy runs."""

    copy: str
    """The copy's id."""
    program: Program
    model: ModelData | None
    environment: Mapping[str, str]
    """The container's `Environment`, from whoever created the model."""
    accelerators: tuple[int, ...]
    """Which of the machine's GPUs are its own, by index."""


Bring = Callable[[ModelData, Path], None]
"""Brings a model's data into a folder; blocks."""


class Container:
    """One copy's process, from its first start to its end, whatever dies in between.

    Belongs to one event loop. `changed` is called when it begins or ceases to be ready.
    """

    def __init__(
        self, work: Work, folder: Path, mark: str, bring: Bring, changed: Callable[["Container"], None]
    ) -> None:
        self.copy = work.copy
        self.ready = False
        self.failure: str | None = None
        """Why it cannot serve, if that is known: a `FailureReason`."""
        self.channel: Channel | None = None
        """The way to its process, while there is one."""
        self.pid: int | None = None
        self._work = work
        self._folder = folder
        self._mark = mark
        self._bring = bring
        self._changed = changed
        self._retired = False
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, client: httpx.AsyncClient) -> None:
        """Bring the model and keep its process running until `end`."""
        self._task = asyncio.create_task(self._keep(client), name=f"copy {self.copy}")

    def retire(self) -> None:
        """Take it out of service; its process goes on with what it is at."""
        self._retired = True
        self._become(ready=False)

    async def end(self, seconds: float = END_SECONDS) -> None:
        """Take it out of service and end its process, by force if it has not gone in so many seconds."""
        self.retire()
        self._ending.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), seconds)
            self._kill()
            await self._task

    async def _keep(self, client: httpx.AsyncClient) -> None:
        rest = _FIRST_REST
        try:
            await asyncio.to_thread(self._prepare)
            while not self._ending.is_set():
                served = await self._run(client)
                rest = _FIRST_REST if served else min(rest * 2, _LONGEST_REST)
                await self._until_ending(rest)
        except (ModelDataError, ImagesError, OSError, ValueError) as error:
            # ValueError: a NUL in what whoever made the model says of its environment.
            self.failure = str(error)
            logger.warning("copy cannot serve", copy=self.copy, reason=self.failure)
            self._changed(self)
        finally:
            self._kill()

    def _prepare(self) -> None:
        folder = self._folder / "model"
        folder.mkdir(parents=True, exist_ok=True)
        if self._work.model is not None:
            self._bring(self._work.model, folder)

    async def _run(self, client: httpx.AsyncClient) -> bool:
        """Run the process until it dies or shall end; True if it was ready at some time."""
        port = _free_port()
        with (self._folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._work.program.arguments(self._values(port)),
                env=self._environment(port),
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that it is ended with all that it started
            )
        self.pid = process.pid
        gone = asyncio.create_task(process.wait())
        try:
            self.channel = Channel(f"http://{LOOPBACK}:{port}")
            return await self._watch(client, self.channel, gone)
        finally:
            self._become(ready=False)
            if self.channel is not None:
                await self.channel.close()
            if self._ending.is_set():
                self._send(signal.SIGTERM)
            await gone
            logger.info("copy's process ended", copy=self.copy, code=process.returncode)
            self._kill()

    async def _watch(self, client: httpx.AsyncClient, channel: Channel, gone: "asyncio.Task[int]") -> bool:
        """Ping it until it is gone or shall end."""
        served = False
        ending = asyncio.create_task(self._ending.wait())
        try:
            while not gone.done() and not ending.done():
                ready = await _pings(client, channel.url)
                served = served or ready
                self._become(ready=ready and not self._retired and not gone.done())
                await asyncio.wait(
                    (gone, ending), timeout=_LOOK if ready else _START_LOOK, return_when="FIRST_COMPLETED"
                )
        finally:
            ending.cancel()
        return served

    async def _until_ending(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    def _values(self, port: int) -> dict[str, str]:
        return {"PORT": str(port), "HOST": LOOPBACK, "MODEL_DIR": str(self._folder / "model")}

    def _environment(self, port: int) -> dict[str, str]:
        """Small on purpose: keys and addresses of whoever started the emulator are no model's business."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        given = {
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_BASE_DIR": str(self._folder),
            "SM_MODEL_DIR": str(self._folder / "model"),
            "HOST": LOOPBACK,
            "CUDA_VISIBLE_DEVICES": ",".join(str(index) for index in self._work.accelerators),
            MARK: self._mark,
        }
        # What the container is given wins: it must listen where it is looked for, and only on the loopback.
        return {**inherited, "PYTHONUNBUFFERED": "1", **self._work.environment, **given}

    def _become(self, *, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._changed(self)

    def _kill(self) -> None:
        self._send(signal.SIGKILL)
        self.pid = None

    def _send(self, number: signal.Signals) -> None:
        """To the process and all that it started: they are a group of their own."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


async def _pings(client: httpx.AsyncClient, url: str) -> bool:
    try:
        answer = await client.get(f"{url}/ping", timeout=_PING_TIMEOUT)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
