"""Plays a rehearsal: asks, breaks and passes the time until all is at rest."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from temporalio.client import Client

from longshore.messages import DEPLOYMENT_WORKFLOW, TASK_QUEUE, workflow_id
from longshore.spec.rehearsal import (
    CrashWorker,
    Event,
    FailHost,
    FailMetrics,
    RefuseCapacity,
    Rehearsal,
    Request,
    SetVersion,
    Throttle,
)
from longshore.store.database import Database
from longshore.store.store import Store
from worker.rehearsal import dying, link, server
from worker.rehearsal.answer import answer_of
from worker.rehearsal.asking import Asking
from worker.rehearsal.clock import STRETCH, Clock, seconds_of
from worker.rehearsal.crew import Workplace
from worker.rehearsal.dying import Deaths
from worker.rehearsal.hiring import Hiring
from worker.rehearsal.link import Question
from worker.rehearsal.passing import Time, server_time
from worker.rehearsal.seeding import seed
from worker.rehearsal.world import World

CREW_LIMIT = 60.0
"""Real seconds for the workers to be there; they take one."""
GLANCE_S = 600
"""Simulated seconds between two looks whether something has begun that will change by itself."""
ACTS_FROM, ACTS_SPAN = 0.5, 0.4
"""The timeline acts from the middle of a second on: by then all that workflows do at that instant is done."""
SETTLED = 0.95
"""By then all that was asked at the end of the timeline has begun: before, what stands still may be about to move."""
RETURNS_AT, RETURNS_SPAN = 0.25, 0.2
"""A worker is back before the timeline acts in the same second, and after the instant began."""


E = TypeVar("E")


class CrewError(Exception):
    """The workers did not come up, or ended unasked."""


async def rehearse(rehearsal: Rehearsal, hiring: Hiring, deaths: Deaths | None = None) -> dict[str, Any]:
    """Play a rehearsal to its end and say how it went.

    Args:
        rehearsal: what is given, asked and broken.
        hiring: whence the workers come.
        deaths: where they are killed besides, and at once replaced.

    Raises:
        DoesNotFitError: what is given does not fit on the hosts.
        MissingProgramError: there is no test server.
        CrewError, StuckError, UnansweredError: the machinery failed, not the rollout.
    """
    with tempfile.TemporaryDirectory(prefix="ls-") as folder, ExitStack() as stack:
        return await Engine(rehearsal, hiring, Path(folder), stack, deaths).play()


class Engine:
    """Plays one rehearsal."""

    def __init__(
        self, rehearsal: Rehearsal, hiring: Hiring, folder: Path, stack: ExitStack, deaths: Deaths | None
    ) -> None:
        self._spec: Final = rehearsal.spec
        self._hiring = hiring
        self._deaths = deaths
        self._name = rehearsal.metadata.name
        self._folder = folder
        self._stack = stack
        self._database_url = f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"
        self._hired = False
        self._returns: int | None = None
        """When the workers that crashed are replaced."""
        self._held_back: list[Request] = []
        """Asked while there was no worker."""

    async def play(self) -> dict[str, Any]:
        """Play it to its end; see `rehearse`."""
        process, address = server.start_server()
        self._stack.callback(server.kill, process)
        database = Database.connect(self._database_url)
        try:
            await database.create_all()
            store = Store(database)
            self._world = World(self._spec, store)
            await seed(self._spec, self._world, store)
            self._client = await server.connect(address)
            await self._begin(self._client, address, store)
            await self._run()
            self._dismiss()
            ended = "atRest" if self._world.at_rest.is_set() else "until"
            return await answer_of(self._name, ended, self._world, store)
        finally:
            self._dismiss()
            await database.dispose()

    async def _begin(self, client: Client, address: str, store: Store) -> None:
        await server.register_attributes(client)
        stretch = dying.STRETCH if self._deaths else STRETCH
        self._place = Workplace(
            address=address,
            origin=await server_time(client),
            stretch=stretch,
            socket=self._folder / "world.sock",
            database_url=self._database_url,
            mortal=self._deaths is not None,
        )
        clock = Clock(self._place.origin, stretch)
        self._time = Time(client, clock)
        self._asking = Asking(client, self._world, store)
        listening = await link.serve(self._place.socket, self._answer)
        self._stack.callback(listening.close)
        await self._hire()
        for name in self._spec.given:
            await client.start_workflow(DEPLOYMENT_WORKFLOW, id=workflow_id(name), task_queue=TASK_QUEUE)

    # -- the course of things ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Play the timeline, then wait for rest, `until` at most."""
        until = int(self._spec.until)
        ordered = sorted(self._spec.timeline, key=lambda event: int(event.at))
        for second, together in groupby(ordered, key=lambda event: int(event.at)):
            for event, part in _spread(list(together), ACTS_FROM, ACTS_SPAN):
                await self._pass_to(second, part)
                await self._do(event)
                self._world.upcoming.popleft()
        last = int(ordered[-1].at) if ordered else 0
        await self._pass_to(last, SETTLED)
        while self._returns is not None or not self._asking.answered:
            last = min(max(last + 1, self._returns or 0), until)
            await self._pass_to(last, ACTS_FROM)
            if last == until:
                break
        else:
            async with self._world.turn:
                self._world.done()
        await self._pass_to(until, ACTS_FROM)

    async def _pass_to(self, second: int, part: float) -> None:
        """Let time pass to a part of a second, or until all is at rest, with what changes by itself on the way."""
        while not self._world.at_rest.is_set():
            if self._returns is not None and self._returns <= second:
                await self._outlast(self._returns)
            change = self._world.fleet.next_change()
            stops = [second + part, self._world.second + GLANCE_S + part]
            if change is not None:
                stops.append(seconds_of(change) + ACTS_FROM)
            stop = min(stops)
            if not await self._skip_to(stop):
                return
            async with self._world.turn:
                await self._world.pass_to(int(stop))
            if stop == second + part:
                return

    async def _skip_to(self, instant: float) -> bool:
        """Skip to an instant; false when all was at rest before."""
        skip = self._time.skip_to if self._returns is None else self._time.skip_without_workers
        skipping = asyncio.ensure_future(skip(instant))
        resting = asyncio.ensure_future(self._world.at_rest.wait())
        await asyncio.wait({skipping, resting}, return_when=asyncio.FIRST_COMPLETED)
        resting.cancel()
        if self._world.at_rest.is_set():
            skipping.cancel()
            await asyncio.gather(skipping, return_exceptions=True)
            return False
        await skipping
        self._see_to_crew()
        return True

    # -- what is done ------------------------------------------------------------------------------------------------

    async def _do(self, event: Event) -> None:
        if isinstance(event, Request):
            if self._returns is not None:
                self._held_back.append(event)
            else:
                await self._asking.ask(event)
            return
        async with self._world.turn:
            await self._break(event)

    async def _break(self, event: Event) -> None:
        world = self._world
        match event:
            case CrashWorker():
                self._dismiss()
                self._returns = max(self._returns or 0, int(event.at + event.lasts))
            case FailHost(do="fail-host"):
                await world.fail_host(event.host)
            case FailHost():
                await world.restore_host(event.host)
            case RefuseCapacity(do="refuse-capacity"):
                world.fleet.refuse_capacity(event.host)
            case RefuseCapacity():
                await world.restore_capacity(event.host)
            case SetVersion():
                changes = {name: getattr(event, name) for name in event.model_fields_set & set(_BEHAVIOUR)}
                await world.set_version(event.version, changes)
            case FailMetrics():
                world.traffic.down = event.do == "fail-metrics"
            case Throttle():
                world.fleet.throttle(event.every)
            case _:
                raise AssertionError(f"{event.do} is no fault")

    # -- the crew ----------------------------------------------------------------------------------------------------

    async def _answer(self, question: Question) -> Any:
        if self._deaths and question.part == dying.PART:
            return await self._deaths.answer(question, self._replace, self._client)
        return await self._world.answer(question)

    async def _replace(self) -> None:
        self._dismiss()
        await self._hire()

    @property
    def _log(self) -> Path:
        return self._folder / "crew.log"

    async def _hire(self) -> None:
        """Start the workers.

        Raises:
            CrewError: they did not come up.
        """
        self._world.crew_ready.clear()
        self._hiring.hire(self._place, self._log)
        self._hired = True
        deadline = asyncio.get_running_loop().time() + CREW_LIMIT
        while not self._world.crew_ready.is_set():
            self._see_to_crew()
            if asyncio.get_running_loop().time() > deadline:
                raise CrewError("the workers did not come up")
            await asyncio.wait({asyncio.ensure_future(self._world.crew_ready.wait())}, timeout=0.1)

    def _see_to_crew(self) -> None:
        if self._hired and self._hiring.ended():
            said = self._log.read_text(errors="replace").strip().splitlines()
            raise CrewError(f"the workers ended unasked: {said[-1] if said else 'they said nothing'}")

    def _dismiss(self) -> None:
        """Kill the workers."""
        if self._hired:
            self._hiring.dismiss()
            self._hired = False

    async def _outlast(self, second: int) -> None:
        """Pass the time without workers, then start others, and ask what was held back."""
        await self._time.skip_without_workers(second + RETURNS_AT)
        async with self._world.turn:
            await self._world.pass_to(second)
        self._returns = None
        await self._hire()
        held_back, self._held_back = self._held_back, []
        for event, part in _spread(held_back, RETURNS_AT, RETURNS_SPAN):
            await self._pass_to(second, part)
            await self._asking.ask(event)


_BEHAVIOUR: Final = ("startup", "resources", "error_rate", "latency", "never_ready", "side_by_side")


def _spread(events: list[E], begin: float, span: float) -> Iterator[tuple[E, float]]:
    """Events of one second, each at its own part of it, so that each finds all that the one before set off done."""
    for index, event in enumerate(events):
        yield event, begin + span * index / len(events)
