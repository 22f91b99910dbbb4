"""A rollout of N batches against a bare workflow with the same calls, on one Temporal server.

`python bench/bench_rollout.py`; see docs/performance.md for what is counted.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import bare
import structlog
from measured import Spread, ratios, stack, table
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from longshore.backends.simulated.fleet import SimulatedFleet
from longshore.messages import DEPLOYMENT_WORKFLOW, TASK_QUEUE, Answer, ApplyRequest, VersionFacts, workflow_id
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import ModelVersionSpec, Resources
from longshore.spec.target import Host, TargetSpec
from longshore.stack.temporal import make_current
from longshore.store.database import Database
from longshore.store.store import Store
from longshore.traffic.simulated import SimulatedTraffic
from worker.main import connect, workflow_worker
from worker.targets import TargetWorkers, utc_now

RUNS = {1: 7, 5: 5, 20: 3}
"""Batches → rollouts that are measured, after one that warms up."""
TARGET, MODEL = "fleet", "codegen"
BUILD = "bench"
REFERENCES: dict[str, Callable[[str], str]] = {
    "bare": lambda _queue: bare.QUEUE,
    "bare, same queues": lambda queue: bare.QUEUE if queue == TASK_QUEUE else bare.BESIDE,
}
"""The reference → which of its queues stands for one of the rollout's."""
WITHIN = 60.0
"""Seconds for anything to come to its end."""


@dataclass(frozen=True)
class Run:
    """One rollout, or its reference."""

    seconds: float
    transitions: int
    queues: tuple[str, ...] = ()
    """Task queues of the operation's remote activity calls, in their order."""
    local: int = 0
    """Its local activity calls."""


class Observed:
    """Reads what the server itself counts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def transitions(self, workflow: str) -> int:
        """State transitions of a workflow so far, once it is at rest."""
        deadline = time.monotonic() + WITHIN
        while True:
            found = await self._describe(workflow)
            busy = found.pending_children or found.pending_activities or found.HasField("pending_workflow_task")
            if not busy:
                return found.workflow_execution_info.state_transition_count
            if time.monotonic() > deadline:
                raise TimeoutError(f"{workflow} does not come to rest")
            await asyncio.sleep(0.02)

    async def calls(self, workflow: str) -> tuple[tuple[str, ...], int]:
        """Task queues of the remote activity calls in their order, and the number of local ones."""
        history = await self._client.get_workflow_handle(workflow).fetch_history()
        queues, local = [], 0
        for event in history.events:
            if event.HasField("activity_task_scheduled_event_attributes"):
                queues.append(event.activity_task_scheduled_event_attributes.task_queue.name)
            local += event.marker_recorded_event_attributes.marker_name == "core_local_activity"
        return tuple(queues), local

    async def _describe(self, workflow: str) -> DescribeWorkflowExecutionResponse:
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow)
        )
        return await self._client.workflow_service.describe_workflow_execution(request)


class Rollouts:
    """Rolls one deployment to the other version, again and again."""

    def __init__(self, client: Client, store: Store, batches: int, name: str) -> None:
        self._client = client
        self._store = store
        self._observed = Observed(client)
        self._name = name
        self._copies = batches
        self._numbers = count()

    async def roll(self) -> str:
        """One rollout, or the onboarding when it is the first: the id of its workflow."""
        answer = await self._apply(next(self._numbers))
        operation = f"deployment/{answer.operation}"
        result = await self._client.get_workflow_handle(operation).result()
        assert result["phase"] == "Succeeded", result
        return operation

    async def settled(self) -> None:
        """Wait until the deployment has taken in how its operation ended; until then another rollout would wait."""
        await self._observed.transitions(workflow_id(self._name))

    async def measured(self) -> Run:
        """One rollout of a deployment that is there."""
        before = await self._observed.transitions(workflow_id(self._name))
        began = time.perf_counter()
        operation = await self.roll()
        seconds = time.perf_counter() - began
        both = await self._observed.transitions(operation) + await self._observed.transitions(workflow_id(self._name))
        queues, local = await self._observed.calls(operation)
        return Run(seconds, both - before, queues, local)

    async def _apply(self, number: int) -> Answer:
        version = str(number % 2 + 1)
        policy = {"batch": 1, "bake": "0s"}
        spec = DeploymentSpec.model_validate(
            {"target": TARGET, "model": MODEL, "version": version, "copies": self._copies, "rollout": policy}
        )
        return await applied(self._client, self._name, spec, f"{self._name}-{number}")


async def applied(client: Client, name: str, spec: DeploymentSpec, key: str) -> Answer:
    """Have a deployment take a specification whose copies need one accelerator each."""
    facts = VersionFacts(version=spec.version, resources=Resources(accelerators=1))
    request = ApplyRequest(actor="bench", key=key, name=name, spec=spec, facts=facts)
    start: WithStartWorkflowOperation[Any, None] = WithStartWorkflowOperation(
        DEPLOYMENT_WORKFLOW,
        id=workflow_id(name),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    answer: Answer = await client.execute_update_with_start_workflow(
        "apply", request, id=key, result_type=Answer, start_workflow_operation=start
    )
    return answer


class References:
    """Makes the calls of a rollout from a bare workflow."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._observed = Observed(client)
        self._name = name
        self._numbers = count(1)

    async def run(self, queues: list[str]) -> str:
        """As many calls, to these queues in this order: the id of the workflow that made them."""
        operation = f"{self._name}/{next(self._numbers)}"
        start: WithStartWorkflowOperation[bare.BareDeployment, None] = WithStartWorkflowOperation(
            bare.BareDeployment.run,
            id=self._name,
            task_queue=bare.QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await self._client.execute_update_with_start_workflow(
            bare.BareDeployment.go, args=[operation, queues], start_workflow_operation=start
        )
        await self._client.get_workflow_handle(operation).result()
        return operation

    async def measured(self, queues: list[str]) -> Run:
        """The same, after it was run at least once."""
        before = await self._observed.transitions(self._name)
        began = time.perf_counter()
        operation = await self.run(queues)
        seconds = time.perf_counter() - began
        both = await self._observed.transitions(operation) + await self._observed.transitions(self._name)
        return Run(seconds, both - before)


@asynccontextmanager
async def workers(client: Client, store: Store, accelerators: int) -> AsyncIterator[None]:
    """The product's worker as production runs it, save that fleet and traffic are arithmetic; and the reference's."""
    hosts = (Host(name="a", accelerators=accelerators),)
    fleet = SimulatedFleet(TARGET, hosts, utc_now)
    traffic = SimulatedTraffic(utc_now)
    await store.targets.put(TARGET, TargetSpec(backend="simulated", hosts=hosts), "bench")
    await store.fleet.save_observation(fleet.observe(None))
    for version in ("1", "2"):
        await store.models.put(MODEL, version, _version(), "bench")
    beside = asyncio.create_task(TargetWorkers(client, store, traffic, lambda _name, _spec: fleet.backend()).run())
    async with (
        workflow_worker(client, store, traffic, BUILD),
        Worker(
            client, task_queue=bare.QUEUE, workflows=[bare.BareDeployment, bare.BareOperation], activities=[bare.no_op]
        ),
        Worker(client, task_queue=bare.BESIDE, activities=[bare.no_op]),
    ):
        await make_current(client, BUILD, WITHIN)
        yield
        beside.cancel()
        await asyncio.wait([beside])


def _version() -> ModelVersionSpec:
    return ModelVersionSpec.model_validate(
        {
            "artifact": {"uri": "file:///models/codegen", "digest": "sha256:" + "0" * 64},
            "server": {"command": ["serve"]},
            "resources": {"accelerators": 1},
        }
    )


async def compare(client: Client, store: Store, batches: int) -> list[list[str]]:
    """Rows of the table for one number of batches."""
    rollouts = Rollouts(client, store, batches, f"codegen-{batches}")
    references = {name: References(client, f"{name} {batches}") for name in REFERENCES}
    await rollouts.roll()
    for reference in references.values():
        await reference.run([])
    measured: list[Run] = []
    compared: dict[str, list[Run]] = {name: [] for name in REFERENCES}
    for turn in range(RUNS[batches] + 1):
        rolled = await rollouts.measured()
        others = {
            name: await references[name].measured([queue_of(queue) for queue in rolled.queues])
            for name, queue_of in REFERENCES.items()
        }
        print(f"{batches} batches, run {turn}: {rolled.seconds:.2f} s", file=sys.stderr)
        if turn:
            measured.append(rolled)
            for name, other in others.items():
                compared[name].append(other)
    calls = f"{len(measured[-1].queues)}+{measured[-1].local}"
    rows = [[str(batches), "rollout", calls, *_shown(measured), "", ""]]
    for name, runs in compared.items():
        time_ratio = ratios([run.seconds for run in measured], [run.seconds for run in runs])
        steps = ratios([run.transitions for run in measured], [run.transitions for run in runs])
        calls = f"{len(measured[-1].queues)}"
        rows.append([str(batches), name, calls, *_shown(runs), time_ratio.show(2), steps.show(2)])
    return rows


def _shown(runs: list[Run]) -> list[str]:
    seconds, steps = Spread.of([run.seconds for run in runs]), Spread.of([run.transitions for run in runs])
    return [seconds.show(0, 1000), steps.show()]


async def main() -> None:
    """Measure, and print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with stack("postgres", "setup", "temporal") as settings:
        assert settings.database_url
        database = Database.connect(settings.database_url)
        client = await connect(settings)
        try:
            async with workers(client, Store(database), accelerators=8 * max(RUNS)):
                rows = [row for batches in RUNS for row in await compare(client, Store(database), batches)]
        finally:
            await database.dispose()
    heads = ["batches", "what", "calls", "ms", "transitions", "rollout / it, time", "rollout / it, transitions"]
    print(table(heads, rows))


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # a process that used temporalio may crash on its way out
