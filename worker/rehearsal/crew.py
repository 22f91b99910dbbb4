"""The workers of a rehearsal, with the world at the other end of a link."""

import asyncio
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from temporalio.worker import Worker

from longshore.backends.port import CopiesLevel, HttpAnswer
from longshore.messages import TASK_QUEUE, target_queue
from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, Observation, Sample
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.route import Route
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.rehearsal import TARGET
from longshore.spec.target import Host
from longshore.store.database import Database
from longshore.store.records import Record
from longshore.store.reservations import Reservations
from longshore.store.store import Store
from longshore.traffic.port import RouteStatus
from worker.plugin import WORKFLOWS
from worker.rehearsal.clock import Clock, rehearsal_plugin, seconds_of
from worker.rehearsal.dying import Mortality
from worker.rehearsal.foresight import ForeseeingMeter
from worker.rehearsal.link import Link, Question
from worker.rehearsal.server import connect
from worker.wiring import central_activities, target_activities

BUILD = "rehearsal"
"""Nobody asks for it; left to itself a worker makes one of the bytecode of all modules, which takes 0.15 s."""


class World:
    """The world as the workers reach it: every question carries the simulated second at which it is asked."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock

    async def ask(self, part: str, method: str, *arguments: Any) -> Any:
        """Ask from within an activity."""
        second = int(seconds_of(self._clock.now()))
        return await self._link.ask(Question(part, method, arguments, second))

    async def tell(self, method: str, *arguments: Any) -> None:
        """Tell what was written. Local activities do, which do not know the instant; what they wrote does."""
        await self._link.ask(Question("rest", method, arguments, None))


class FarBackend:
    """The fleet's `Backend`, in the other process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        """See `Backend`."""
        await self._world.ask("backend", "declare", hosts)

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """See `Backend`."""
        await self._world.ask("backend", "verify", model, version, spec)

    async def ensure(self, level: CopiesLevel) -> Observation:
        """See `Backend`."""
        seen: Observation = await self._world.ask("backend", "ensure", level)
        return seen

    async def observe(self, deployment: str | None = None) -> Observation:
        """See `Backend`."""
        seen: Observation = await self._world.ask("backend", "observe", deployment)
        return seen

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """See `Backend`."""
        answer: HttpAnswer = await self._world.ask("backend", "send", copy, method, path, body, timeout)
        return answer

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """See `Backend`."""
        lines: list[str] = await self._world.ask("backend", "logs", copy_id, tail)
        return lines


class FarTraffic:
    """The `TrafficPlane`, in the other process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, route: Route, fence: Fence) -> int:
        """See `TrafficPlane`."""
        return int(await self._world.ask("traffic", "publish", route, fence))

    async def withdraw(self, deployment: str, fence: Fence) -> int:
        """See `TrafficPlane`."""
        return int(await self._world.ask("traffic", "withdraw", deployment, fence))

    async def weights(self, deployment: str) -> dict[str, int]:
        """See `TrafficPlane`."""
        weights: dict[str, int] = await self._world.ask("traffic", "weights", deployment)
        return weights

    async def revision(self) -> int:
        """See `TrafficPlane`."""
        return int(await self._world.ask("traffic", "revision"))

    async def status(self, revision: int, wait: float) -> RouteStatus:
        """See `TrafficPlane`."""
        status: RouteStatus = await self._world.ask("traffic", "status", revision, wait)
        return status

    async def active_requests(self, addresses: tuple[str, ...]) -> dict[str, int]:
        """See `TrafficPlane`."""
        active: dict[str, int] = await self._world.ask("traffic", "active_requests", addresses)
        return active

    async def requests_at(self, deployment: str, versions: tuple[str, ...]) -> dict[str, int]:
        """See `TrafficPlane`."""
        active: dict[str, int] = await self._world.ask("traffic", "requests_at", deployment, versions)
        return active

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """See `TrafficPlane`."""
        samples: list[Sample] = await self._world.ask("traffic", "sample", deployment, versions)
        return samples

    async def ahead(
        self, deployment: str, versions: tuple[str, ...], instants: tuple[datetime, ...]
    ) -> list[list[Sample]]:
        """See `SimulatedTraffic`."""
        future: list[list[Sample]] = await self._world.ask("traffic", "ahead", deployment, versions, instants)
        return future


class ToldStore(Store):
    """A store that tells the world what operations and deployments said, once it is written."""

    def __init__(self, database: Database, world: World) -> None:
        super().__init__(database)
        self._world = world
        self.reservations = ToldReservations(database, world)

    async def record(self, record: Record) -> bool:
        """See `Store`."""
        written = await super().record(record)
        await self._world.tell("recorded", record)
        return written


class ToldReservations(Reservations):
    """Reservations that tell the world who waits for room, and when some was given back."""

    def __init__(self, database: Database, world: World) -> None:
        super().__init__(database)
        self._world = world

    async def reserve(self, request: ReservationRequest) -> Grant:
        """See `Reservations`."""
        grant = await super().reserve(request)
        await self._world.tell("answered", request.operation, grant.granted)
        return grant

    async def release(self, target: str, operation: str) -> None:
        """See `Reservations`."""
        await super().release(target, operation)
        await self._world.tell("released", operation)


@dataclass(frozen=True)
class Workplace:
    """Where a crew works, and on what terms."""

    address: str
    """Of the test server."""
    origin: datetime
    """The server's time at 0s."""
    stretch: int
    """Seconds of the server for a simulated one."""
    socket: Path
    """The other end of the link."""
    database_url: str
    mortal: bool
    """Whether it tells of every activity, so that it can be ended there; see `worker.rehearsal.dying`."""

    def to_json(self) -> str:
        """As text, for the way to another process."""
        return json.dumps(asdict(self) | {"origin": self.origin.isoformat(), "socket": str(self.socket)})

    @classmethod
    def from_json(cls, text: str) -> "Workplace":
        """From that text."""
        said = json.loads(text)
        return cls(**said | {"origin": datetime.fromisoformat(said["origin"]), "socket": Path(said["socket"])})


async def work(place: Workplace) -> None:
    """Work until killed."""
    # A task that dead workers were given and had not begun is lost, too, and tried again within its instant.
    clock = Clock(place.origin, place.stretch, 1 if place.mortal else place.stretch)
    link = await Link.connect(place.socket)
    world = World(link, clock)
    database = Database.connect(place.database_url)
    client = await connect(place.address, rehearsal_plugin(clock))
    store = ToldStore(database, world)
    traffic = FarTraffic(world)
    central = central_activities(client, store, traffic, clock.now)
    beside = target_activities(FarBackend(world), store, traffic, clock.now, ForeseeingMeter)
    watched = (Mortality(link),) if place.mortal else ()
    workers = [
        Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=central,
            interceptors=watched,
            build_id=BUILD,
            max_cached_workflows=0,  # every task is a replay, too; and tasks of a killed worker are given to the next
        ),
        Worker(client, task_queue=target_queue(TARGET), activities=beside, interceptors=watched, build_id=BUILD),
    ]
    await link.ask(Question("crew", "ready", (), None))
    await asyncio.gather(*(worker.run() for worker in workers))
