"""What counts only on a real server: children and their parents, continuing as new, search attributes."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment
from world import NAME, EventType, Phase, World

from worker.plugin import longshore_plugin
from workflows import details

EVENTS_SUGGESTED = 40
"""Events after which this server suggests to continue as new: several times in each operation."""
CHECKED = {"bake": "1s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01, "interval": "0.5s"}]}


@pytest.fixture
async def real_world() -> AsyncIterator[World]:
    """The world on a dev server of its own, in real time."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    async with (
        await WorkflowEnvironment.start_local(
            plugins=[longshore_plugin()],
            dev_server_existing_path=str(binary),
            search_attributes=[details.DEPLOYMENT, details.MODEL, details.TARGET, details.PHASE, details.REVISION],
            dev_server_extra_args=[
                "--dynamic-config-value",
                f"limit.historyCount.suggestContinueAsNew={EVENTS_SUGGESTED}",
            ],
        ) as env,
        World(env, build="1") as world,
    ):
        yield world


async def test_operations_and_their_deployment_continue_as_new_in_the_middle_and_nobody_can_tell(
    real_world: World,
) -> None:
    world = real_world
    await world.ended(await world.apply("1", copies=2, key="once"))
    world.behave("3", error_rate=0.5)
    world.traffic.rates[NAME] = 500.0
    rollout = await world.apply("2", copies=2, **CHECKED)
    row = await world.ended(rollout)
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 2}
    bad = await world.ended(await world.apply("3", copies=2, **CHECKED))
    assert (bad.phase, bad.reason) == (Phase.ROLLED_BACK, "CheckFailed")
    undone = await world.ended(await world.ask("undo"))
    assert undone.phase is Phase.SUCCEEDED

    batch = ["BatchStarted", "BatchReady", "TrafficShifted", "CheckPassed", "BatchDone"]
    told = [event.type.value for event in await world.events() if event.operation == rollout.operation]
    assert told == ["RolloutStarted", *batch, *batch, "RolloutSucceeded"]
    assert world.fleet.most_accelerators == 3
    assert await runs(world, f"deployment/{rollout.operation}") > 1
    assert await runs(world, f"deployment/{NAME}") > 1
    # The key of the first request is answered as it was, although the update is of an earlier run.
    again = await world.apply("1", copies=2, key="once")
    assert (again.changed, again.operation) == (True, f"{NAME}/onboard-1")
    assert world.copies() == {"1": 2}


async def runs(world: World, workflow: str) -> int:
    """Runs of a workflow, once the server lists them."""
    for _ in range(100):
        found = [one async for one in world.client.list_workflows(f"WorkflowId = '{workflow}'")]
        if len(found) > 1:
            return len(found)
        await asyncio.sleep(0.1)
    return len(found)


async def test_an_operation_terminated_in_the_ui_is_failed_and_lost_and_the_deployment_takes_the_next(
    real_world: World,
) -> None:
    world = real_world
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.client.get_workflow_handle(f"deployment/{answer.operation}").terminate("by hand")
    for _ in range(100):
        held = [row for row in await world.store.deployments.revisions(NAME) if row.held]
        if held:
            break
        await asyncio.sleep(0.1)
    assert [(row.number, row.phase, row.reason) for row in held] == [(2, Phase.FAILED, "OperationLost")]
    assert world.copies() == {"1": 4, "2": 1}  # nothing undone by guess

    lost = await world.store.deployments.operation(answer.operation or "")
    assert lost is not None
    assert (lost.phase, lost.reason) == (Phase.FAILED, "OperationLost")

    await world.ask("retry")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.ask("promote", full=True)
    row = await world.ended(await world.apply("2", bake="10h"))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 4}


async def test_an_operation_outlives_its_deployment_and_is_found_by_what_it_is(real_world: World) -> None:
    world = real_world
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.client.get_workflow_handle(f"deployment/{NAME}").terminate("by hand")
    operation = await world.client.get_workflow_handle(f"deployment/{answer.operation}").describe()
    assert operation.status is WorkflowExecutionStatus.RUNNING
    attributes = {pair.key.name: pair.value for pair in operation.typed_search_attributes}
    assert attributes["LongshoreDeployment"] == NAME
    assert attributes["LongshorePhase"] == "Progressing"
    assert attributes["LongshoreRevision"] == 2

    row = await world.ended(await world.apply("3", bake="0s"))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"3": 4}
    ended = await world.store.deployments.operation(answer.operation or "")
    assert ended is not None
    assert ended.phase is Phase.ABORTED
