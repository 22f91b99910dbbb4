"""The data plane as one thing: an event loop in a thread, a port for calls, and a process behind every copy."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import structlog
import uvicorn
from werkzeug.wrappers import Request, Response

from longshore.emulator.data import reaper, wire
from longshore.emulator.data.copies import Copies
from longshore.emulator.data.credentials import known_credentials
from longshore.emulator.data.hosting import WorldHosting
from longshore.emulator.data.images import Images
from longshore.emulator.data.metering import Meter
from longshore.emulator.data.model_data import ModelData, bring
from longshore.emulator.data.processes import END_SECONDS, LOOPBACK, Container, Work
from longshore.emulator.data.runtime import Runtime
from longshore.emulator.data.storage import Storage
from longshore.emulator.state import Copy
from longshore.emulator.world import World

logger = structlog.get_logger(__name__)

_STARTING_SECONDS = 10.0
_STOPPING_SECONDS = 10.0
_LAST_SECONDS = 2.0
"""What a process gets to end by itself when the whole emulator ends."""
_DRAIN_LOOK = 0.05
"""Seconds between two looks at a copy that still has calls."""
_KEEP_ALIVE_SECONDS = 2 * 60 * 60
"""Longer than Envoy keeps an idle connection: whoever closes first must not be the one without a request to send."""


class DataPlane:
    """Serves calls, and runs the processes that answer them."""

    def __init__(self, world: World, meter: Meter, images: Images, port: int = 0) -> None:
        self.copies = Copies(world.clock)
        self._world = world
        self._meter = meter
        self._images = images
        self._mark = uuid.uuid4().hex
        self._folder: Path
        self._socket = socket.create_server((LOOPBACK, port), backlog=1024)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="emulator-data", daemon=True)
        self._reports = ThreadPoolExecutor(max_workers=1, thread_name_prefix="emulator-reports")
        self._started = threading.Event()
        self._reaper: subprocess.Popen[bytes] | None = None
        self._storage: Storage
        self._runtime: Runtime
        self._server: uvicorn.Server
        self._pings: httpx.AsyncClient

    @property
    def url(self) -> str:
        """Where calls are taken: `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`."""
        return f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"

    def open(self, s3_url: str) -> None:
        """Take calls, and bring models from `s3_url`.

        Raises:
            RuntimeError: it did not come up.
        """
        self._storage = Storage(s3_url)
        self._folder = Path(tempfile.mkdtemp(prefix="longshore-emulator-"))
        self._reaper = reaper.start(self._mark, self._folder)
        self._thread.start()
        if not self._started.wait(_STARTING_SECONDS):
            raise RuntimeError("the emulator's runtime did not come up")

    def close(self) -> None:
        """End every process and take no more calls; once it was opened."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(lambda: setattr(self._server, "should_exit", True))
            self._thread.join(_STOPPING_SECONDS)
        self._socket.close()
        self._reports.shutdown()
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait(_STOPPING_SECONDS)

    def start(self, copy: Copy) -> None:
        """Begin to serve a copy. One whose image has no program is ready when its time has come, and serves nothing."""
        container = copy.container
        program = self._images.program_of(container.image)
        if program is None:
            seconds = self._world.durations.copy_start
            self._world.clock.call_later(seconds, lambda: self._world.copy_ready(copy.id))
            return
        model = ModelData(container.model_url) if container.model_url else None
        work = Work(copy.id, program, model, container.environment, copy.accelerators)
        self._loop.call_soon_threadsafe(self._begin, work)

    def end(self, copy: Copy) -> None:
        """Take a copy out of service, let its process finish what it is at, and end it."""
        self._loop.call_soon_threadsafe(self._end, copy.id)

    def respond(self, request: Request) -> Response:
        """Answer a call that came to the main port."""
        return wire.respond(request, self._runtime, self._loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        hosting = WorldHosting(self._world)
        self._runtime = Runtime(hosting, self.copies, self._meter, known_credentials, self._storage)
        self._pings = httpx.AsyncClient(trust_env=False)
        config = uvicorn.Config(
            wire.Application(self._runtime),
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._started.set()
        await self._server.serve(sockets=[self._socket])
        containers = list(self.copies.containers.values())
        await asyncio.gather(*(container.end(_LAST_SECONDS) for container in containers))
        await self._pings.aclose()
        await self._runtime.close()

    def _begin(self, work: Work) -> None:
        container = Container(work, self._folder / work.copy, self._mark, self._bring, self._changed)
        self.copies.containers[work.copy] = container
        container.start(self._pings)

    def _end(self, copy: str) -> None:
        container = self.copies.containers.get(copy)
        if container is not None:
            self._loop.create_task(self._ended(container))

    async def _ended(self, container: Container) -> None:
        container.retire()
        await self._drained(container.copy)
        await container.end()
        self.copies.forget(container.copy)
        await asyncio.to_thread(shutil.rmtree, self._folder / container.copy, ignore_errors=True)

    async def _drained(self, copy: str) -> None:
        """Wait until a copy has answered the calls that it has, or long enough."""
        deadline = time.monotonic() + END_SECONDS
        while self.copies.outstanding([copy])[copy] and time.monotonic() < deadline:  # noqa: ASYNC110 - ends at it, too
            await asyncio.sleep(_DRAIN_LOOK)

    def _bring(self, data: ModelData, folder: Path) -> None:
        bring(data, folder, self._storage.client())

    def _changed(self, container: Container) -> None:
        """Told by a thread of its own, in order: whoever is told may hold the world's lock for a while."""
        if not self._server.should_exit:
            self._reports.submit(self._report, container)

    def _report(self, container: Container) -> None:
        if container.failure is not None:
            self._world.copy_failed(container.copy, container.failure)
        elif container.ready:
            self._world.copy_ready(container.copy)
        else:
            self._world.copy_unready(container.copy)
