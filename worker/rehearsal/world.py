"""The world of a rehearsal: one simulated fleet, its traffic, and what an observer would see and tell of it."""

import asyncio
from collections import deque
from datetime import datetime
from typing import Any

from longshore.backends.simulated.fleet import Behaviour as CopyBehaviour
from longshore.backends.simulated.fleet import SimulatedCopy, SimulatedFleet
from longshore.planning.observed import CopyState
from longshore.planning.words import Event, EventType
from longshore.spec.rehearsal import TARGET, Behaviour, RehearsalSpec
from longshore.store.records import Record
from longshore.store.store import Store
from longshore.traffic.simulated import SimulatedTraffic
from worker.rehearsal.clock import seconds_of, simulated
from worker.rehearsal.link import Question
from worker.rehearsal.rest import Rest, instant_of
from worker.rehearsal.scenes import Scenes
from worker.rehearsal.tally import Tally

MS = 1000.0


class World:
    """Whatever happens in it happens in the order of simulated time.

    | call | what it does |
    |---|---|
    | `answer(question)` | what the workers ask; time first passes to the instant of the question |
    | `pass_to(second)` | let copies become ready, one instant after the other, and requests be counted |
    | `fail_host` `restore_host` `set_version` … | faults, at the present instant |
    | `at_rest` | set once all is at rest, when `resting` allows it |
    """

    def __init__(self, spec: RehearsalSpec, store: Store) -> None:
        self.second = 0
        self.behaviours = dict(spec.versions)
        self.upcoming = deque(sorted(int(event.at) for event in spec.timeline))
        """Seconds of what is left of the timeline."""
        self._until = int(spec.until)
        self.fleet = SimulatedFleet(TARGET, spec.hosts, self.now, undisturbed_until=self._undisturbed_until)
        self.traffic = SimulatedTraffic(
            self.now,
            rates={name: traffic.requests_per_second for name, traffic in spec.traffic.items()},
            reached=self.fleet.ready,
        )
        self.rest = Rest(self.fleet)
        self.tally = Tally(self.fleet)
        self.scenes = Scenes(self.fleet, self.traffic)
        self.resting = False
        """Whether the timeline is done, so that rest is the end."""
        self.at_rest = asyncio.Event()
        self.crew_ready = asyncio.Event()
        self._store = store
        self.turn = asyncio.Lock()
        """Held by whoever changes the world: an answer, a fault, the passing of time."""
        for version in self.behaviours:
            self._behave(version)

    def now(self) -> datetime:
        """The present instant."""
        return simulated(self.second)

    def _undisturbed_until(self) -> datetime:
        """Before which instant the timeline does nothing."""
        return simulated(self.upcoming[0] if self.upcoming else self._until)

    # -- what the workers ask --------------------------------------------------------------------------------------

    async def answer(self, question: Question) -> Any:
        """Answer the workers; once all is at rest nobody is answered any more."""
        if question.part == "crew":
            self.crew_ready.set()
            return None
        async with self.turn:
            if not self.at_rest.is_set():
                return await (self._heard(question) if question.part == "rest" else self._carry_out(question))
        return await asyncio.Event().wait()

    async def _carry_out(self, question: Question) -> Any:
        await self.pass_to(question.second or 0)
        part = self.fleet.backend() if question.part == "backend" else self.traffic
        self.traffic.count()
        copies = len(self.fleet.copies)
        try:
            return await getattr(part, question.method)(*question.arguments)
        finally:
            self.tally.look()
            if len(self.fleet.copies) < copies:
                self.rest.room += 1

    async def _heard(self, question: Question) -> None:
        if question.method == "recorded":
            (record,) = question.arguments
            said = instant_of(record)
            if said is not None:
                await self.pass_to(int(seconds_of(said)))
            self.scenes.remember(record.events)
            self._expect(record)
        getattr(self.rest, question.method)(*question.arguments)
        self._look_for_rest()

    def _expect(self, record: Record) -> None:
        """Ready copies count from the first time that all desired ones are ready."""
        if record.deployment is not None:
            self.tally.wanted.setdefault(record.deployment.name, record.deployment.spec.copies)
            self.tally.look()

    # -- time ------------------------------------------------------------------------------------------------------

    async def pass_to(self, second: int) -> None:
        """Let time pass: whatever changes by itself changes at its own instant."""
        while (change := self.fleet.next_change()) is not None and seconds_of(change) <= second:
            await self._step_to(int(seconds_of(change)))
        await self._step_to(second)

    async def _step_to(self, second: int) -> None:
        if second <= self.second or self.at_rest.is_set():
            return
        self.traffic.count(simulated(second))
        self.second = second
        self.tally.look()
        await self._tell_of_replaced()
        self._look_for_rest()

    def _look_for_rest(self) -> None:
        if self.resting and not self.at_rest.is_set() and self.rest.reached():
            self.at_rest.set()

    def done(self) -> None:
        """The timeline is done: rest is the end."""
        self.resting = True
        self._look_for_rest()

    # -- faults ----------------------------------------------------------------------------------------------------

    async def fail_host(self, host: str) -> None:
        """A host goes down, and what an observer sees of it is told."""
        self.traffic.count()
        there = dict.fromkeys(copy.level.deployment for copy in self.fleet.copies if copy.host == host)
        lost = self.fleet.fail_host(host)
        self.tally.look()
        for deployment in there:
            await self._tell(deployment, f"host/{host}", EventType.HOST_LOST, f"host {host} went down", host=host)
        for copy in lost:
            message = f"copy {copy.id} was lost with host {host}"
            await self._tell_of(copy, EventType.COPY_LOST, message, host=host)
        await self.save()
        await self._tell_of_replaced()

    async def restore_host(self, host: str) -> None:
        """A host is back, empty."""
        self.traffic.count()
        self.fleet.restore_host(host)
        self.rest.room += 1
        self.tally.look()
        await self.save()
        await self._tell_of_replaced()

    async def restore_capacity(self, host: str) -> None:
        """A host that was not to be had is to be had again."""
        self.fleet.restore_capacity(host)
        self.rest.room += 1
        self.tally.look()
        await self.save()

    async def set_version(self, version: str, changes: dict[str, Any]) -> None:
        """A version behaves otherwise from now on."""
        self.traffic.count()
        self.behaviours[version] = self.behaviour(version).model_copy(update=changes)
        self._behave(version)
        self.tally.look()
        await self._tell_of_replaced()

    def behaviour(self, version: str) -> Behaviour:
        """How a version behaves now."""
        return self.behaviours.get(version, Behaviour())

    def _behave(self, version: str) -> None:
        behaviour = self.behaviours[version]
        self.fleet.behave(
            version,
            CopyBehaviour(startup=behaviour.startup, never_ready=behaviour.never_ready, resources=behaviour.resources),
        )
        self.traffic.error_rates[version] = behaviour.error_rate
        self.traffic.latencies[version] = (behaviour.latency.p50 * MS, behaviour.latency.p99 * MS)

    # -- what an observer does -------------------------------------------------------------------------------------

    async def save(self) -> None:
        """Save a reading of the whole fleet."""
        await self._store.fleet.save_observation(self.fleet.observe(None))

    async def _tell_of_replaced(self) -> None:
        """Tell once of every copy that stands in for a lost one and is ready."""
        for copy in self.fleet.copies:
            if copy.replaces is not None and self.fleet.state_of(copy) is CopyState.READY:
                message = f"copy {copy.id} on {copy.host} stands in for {copy.replaces}"
                await self._tell_of(copy, EventType.COPY_REPLACED, message, host=copy.host, replaces=copy.replaces)
                copy.replaces = None

    async def _tell_of(self, copy: SimulatedCopy, type_: EventType, message: str, **evidence: Any) -> None:
        about = {"copy": copy.id, "version": copy.level.version, **evidence}
        await self._tell(copy.level.deployment, f"copy/{copy.id}", type_, message, **about)

    async def _tell(self, deployment: str, about: str, type_: EventType, message: str, **evidence: Any) -> None:
        event = Event(at=self.now(), deployment=deployment, type=type_, message=message, evidence=evidence)
        self.scenes.remember((event,))
        await self._store.record(Record(source=f"{about}/{type_}", step=self.second, events=(event,)))
