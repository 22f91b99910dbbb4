"""A small world for workflow tests: the real workflows and activities over a simulated fleet and simulated traffic."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from temporalio import activity
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, UnlockTimeSkippingRequest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkerDeploymentVersion, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Interceptor, Worker, WorkerDeploymentConfig

from longshore.backends.simulated.fleet import Behaviour, SimulatedFleet
from longshore.messages import DEPLOYMENT_WORKFLOW, TASK_QUEUE, target_queue, workflow_id
from longshore.planning.operation import Adopts, VersionFacts
from longshore.planning.requests import (
    AdoptRequest,
    Answer,
    ApplyRequest,
    ApproveRequest,
    ControlRequest,
    OverrideRequest,
    PromoteRequest,
    Refusal,
    Request,
    ScaleRequest,
    UndoRequest,
)
from longshore.planning.words import EventType, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host, TargetSpec
from longshore.stack.temporal import make_current
from longshore.store.database import Database
from longshore.store.records import LedgerEntry, OperationRow, StoredEvent, View
from longshore.store.store import Store
from longshore.traffic.simulated import SimulatedTraffic
from worker.main import DEPLOYMENT_NAME
from worker.plugin import WORKFLOWS
from worker.wiring import central_activities, target_activities

TARGET = "fleet"
MODEL = "codegen"
NAME = "codegen"
POLLS_WITHIN = 30.0
"""Seconds for a versioned worker to begin polling."""


ENDS_WITHIN = 300.0
"""Real seconds for an operation whose waits are skipped; on a machine with nothing else to do it takes a few."""


def scheduled() -> datetime:
    """The clock of a simulation: when this attempt of the activity was scheduled."""
    return activity.info().current_attempt_scheduled_time


def version_spec(**changes: Any) -> ModelVersionSpec:
    """A model version with one accelerator."""
    return ModelVersionSpec.model_validate(
        {
            "artifact": {"uri": "file:///models/codegen", "digest": "sha256:" + "0" * 64},
            "server": {"command": ["serve"], **changes.pop("server", {})},
            "resources": {"accelerators": 1},
            **changes,
        }
    )


@dataclass
class World:
    """The world of one test: `async with World(env, accelerators=8) as world`."""

    env: WorkflowEnvironment
    accelerators: int = 8
    database: str = "sqlite+aiosqlite://"
    rate: float = 50.0
    fleet: SimulatedFleet = field(init=False)
    traffic: SimulatedTraffic = field(init=False)
    store: Store = field(init=False)
    interceptors: tuple[Interceptor, ...] = ()
    cached_workflows: int = 1000
    """With none, every task is a replay from the beginning, as if the worker had died before it."""
    build: str | None = None
    """Build id of a versioned worker, which a real server wants; the time-skipping one knows no versions."""
    _running: list[asyncio.Task[None]] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _keys: Any = field(default_factory=itertools.count)

    async def __aenter__(self) -> Self:
        hosts = (Host(name="a", accelerators=self.accelerators),)
        self.fleet = SimulatedFleet(TARGET, hosts, scheduled)
        self.traffic = SimulatedTraffic(scheduled, rates={NAME: self.rate})
        database = Database.connect(self.database)
        self._stack.push_async_callback(database.dispose)
        await database.create_all()
        self.store = Store(database)
        await self.store.targets.put(TARGET, TargetSpec(backend="simulated", hosts=hosts), "test")
        await self.look()
        for version in ("1", "2", "3"):
            await self.register(version)
        self._stack.push_async_callback(self.kill_workers)
        await self.start_workers()
        return self

    async def look(self) -> None:
        """Read the whole fleet and save it, as the observer does."""
        with await self.outside():
            await self.store.fleet.save_observation(self.fleet.observe(None))

    async def lose(self, version: str) -> None:
        """Lose one copy of a version."""
        lost = next(copy for copy in self.fleet.copies if copy.level.version == version)
        with await self.outside():
            self.fleet.lose(lost.id)

    async def meddle(self, version: str, **change: Any) -> None:
        """Somebody else changes a version behind Longshore's back, and the observer sees it."""
        with await self.outside():
            self.fleet.meddle(NAME, version, **change)
        await self.look()

    async def outside(self) -> AbstractContextManager[None]:
        """The fleet's clock for a moment outside of activities."""
        now = await self.env.get_current_time()

        @contextmanager
        def clock() -> Iterator[None]:
            self.fleet.clock = lambda: now
            try:
                yield
            finally:
                self.fleet.clock = scheduled

        return clock()

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def client(self) -> Client:
        """The client of the test server."""
        return self.env.client

    async def start_workers(self) -> None:
        """Start the worker of the workflows and the one beside the target."""
        common: Any = {"interceptors": self.interceptors, "max_cached_workflows": self.cached_workflows}
        versioned = self.build and WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT_NAME, build_id=self.build),
            use_worker_versioning=True,
        )
        workers = [
            Worker(
                self.client,
                task_queue=TASK_QUEUE,
                workflows=WORKFLOWS,
                deployment_config=versioned or None,
                activities=central_activities(self.client, self.store, self.traffic),
                **common,
            ),
            Worker(
                self.client,
                task_queue=target_queue(TARGET),
                activities=target_activities(self.fleet.backend(), self.store, self.traffic, scheduled),
                **common,
            ),
        ]
        self._running = [asyncio.create_task(worker.run()) for worker in workers]
        if self.build:
            await make_current(self.client, self.build, POLLS_WITHIN)

    async def kill_workers(self) -> None:
        """End both workers in the middle of whatever they do."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def register(self, version: str, **changes: Any) -> None:
        """Register a model version."""
        await self.store.models.put(MODEL, version, version_spec(**changes), "test")

    def behave(self, version: str, **behaviour: Any) -> None:
        """How the copies and the answers of a version behave."""
        self.traffic.error_rates[version] = behaviour.pop("error_rate", 0.0)
        self.traffic.latencies[version] = behaviour.pop("latency", 20.0)
        self.fleet.behave(version, Behaviour(**behaviour))

    # -- requests --------------------------------------------------------------------------------------------------

    def spec(self, version: str, copies: int = 4, **rollout: Any) -> DeploymentSpec:
        """A desired state."""
        scaling = rollout.pop("scaling", None)
        policy = {"batch": 1, "bake": "30s", **rollout}
        return DeploymentSpec.model_validate(
            {
                "target": TARGET,
                "model": MODEL,
                "version": version,
                "copies": copies,
                "scaling": scaling,
                "rollout": policy,
            }
        )

    async def apply(
        self, version: str, copies: int = 4, *, key: str | None = None, take: bool = False, **rollout: Any
    ) -> Answer:
        """Apply a desired state, starting the deployment's workflow if need be."""
        request = ApplyRequest(
            actor="ada",
            key=key or self._key(),
            name=NAME,
            spec=self.spec(version, copies, **rollout),
            facts=await self.facts(version),
            take=take,
        )
        return await self._start_with("apply", request)

    async def adopt(self, version: str, copies: int, component: str, before: str | None = None) -> Answer:
        """Let something on the fleet be the deployment, as the API asks it of its workflow."""
        request = AdoptRequest(
            actor="ada",
            key=self._key(),
            name=NAME,
            spec=self.spec(version, copies),
            facts=await self.facts(version),
            adopts=Adopts(component=component, before=before),
        )
        return await self._start_with("adopt", request)

    async def facts(self, version: str) -> VersionFacts:
        """What decisions need of a registered version."""
        stored = await self.store.models.get(MODEL, version)
        assert stored is not None
        return VersionFacts(
            version=version,
            resources=stored.spec.resources,
            side_by_side=stored.spec.side_by_side,
            smoke=stored.spec.server.smoke is not None,
        )

    async def _start_with(self, verb: str, request: Request) -> Answer:
        start = WithStartWorkflowOperation(
            DEPLOYMENT_WORKFLOW,
            id=workflow_id(NAME),
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        return await self.client.execute_update_with_start_workflow(
            verb, request, id=request.key, result_type=Answer, start_workflow_operation=start
        )

    async def ask(self, verb: str, **arguments: Any) -> Answer:
        """Ask a control verb, an undo, a scale, a retry or a retirement."""
        kinds: dict[str, type[Request]] = {
            "scale": ScaleRequest,
            "undo": UndoRequest,
            "promote": PromoteRequest,
            "approve": ApproveRequest,
            "override": OverrideRequest,
        }
        request = kinds.get(verb, ControlRequest)(actor="ada", key=self._key(), **arguments)
        handle = self.client.get_workflow_handle(workflow_id(NAME))
        return await handle.execute_update(verb, request, id=request.key, result_type=Answer)

    def _key(self) -> str:
        return f"key-{next(self._keys)}"

    # -- the course of things ----------------------------------------------------------------------------------------

    async def ended(self, answer: Answer) -> OperationRow:
        """Let time pass until an operation ended."""
        assert answer.operation is not None
        handle = self.client.get_workflow_handle(f"deployment/{answer.operation}")
        async with self.skipping():
            await _result(handle)
        row = await self.store.deployments.operation(answer.operation)
        assert row is not None
        await self.settled()
        return row

    @asynccontextmanager
    async def skipping(self) -> AsyncIterator[None]:
        """Let time fly while the block waits for a workflow that it did not start; on a real server it does not."""
        if not self.env.supports_time_skipping:
            yield
            return
        await self.client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        try:
            yield
        finally:
            await self.client.test_service.lock_time_skipping(LockTimeSkippingRequest())

    async def settled(self) -> None:
        """Let the deployment take in how its operation ended."""
        for _ in range(200):
            view = await self.store.deployments.view(NAME)
            if view is not None and view.row.rollout_to is None and view.operation and view.operation.phase.ended:
                return
            await self.env.sleep(timedelta(milliseconds=100))
        raise AssertionError("the deployment did not settle")

    async def ended_at(self, revision: int) -> OperationRow:
        """Let time pass until the newest operation of a revision ended, which may not have begun yet."""
        for _ in range(3600):
            rows = await self.store.deployments.operations(NAME)
            row = next((one for one in rows if one.to_revision == revision), None)
            if row is not None and row.phase.ended:
                await self.settled()
                return row
            await self.env.sleep(timedelta(seconds=1))
        raise AssertionError(f"revision {revision} did not end within an hour")

    async def until(self, type_: EventType, **wanted: Any) -> StoredEvent:
        """Let time pass, second by second, until an event of this type is there."""
        for _ in range(3600):
            for event in await self.events():
                if event.type is type_ and all(getattr(event, name) == value for name, value in wanted.items()):
                    return event
            await self.env.sleep(timedelta(seconds=1))
        raise AssertionError(f"no {type_} within an hour")

    async def events(self) -> list[StoredEvent]:
        """All events of the deployment."""
        return await self.store.events.list(deployment=NAME, limit=1000)

    async def story(self, *, since: int = 0) -> list[str]:
        """The types of the events, in order."""
        return [event.type.value for event in await self.events() if event.sequence > since]

    async def newest(self) -> int:
        """Sequence of the newest event."""
        return max((event.sequence for event in await self.events()), default=0)

    async def view(self) -> View:
        """The deployment as the store has it."""
        view = await self.store.deployments.view(NAME)
        assert view is not None
        return view

    async def ledger(self) -> list[LedgerEntry]:
        """Who held which share."""
        return list(await self.store.ledger.list(NAME))

    def copies(self) -> dict[str, int]:
        """Copies by version, as the fleet really has them."""
        counted: dict[str, int] = {}
        for copy in self.fleet.copies:
            counted[copy.level.version] = counted.get(copy.level.version, 0) + 1
        return counted


async def _result(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait for the end. The test server now and then ends the wait itself, on a machine with much else to do."""
    async with asyncio.timeout(ENDS_WITHIN):
        while True:
            try:
                await handle.result()
            except RuntimeError as error:
                if "No completion event found" not in str(error):
                    raise
            else:
                return


def refusal_of(error: WorkflowUpdateFailedError) -> Refusal:
    """Why an update was refused."""
    assert isinstance(error.cause, ApplicationError)
    assert error.cause.type == "Refused"
    return Refusal.model_validate(error.cause.details[0])


__all__ = ["EventType", "Phase", "World", "refusal_of"]
