"""Records the histories that the replay tests hold the workflows to: `python tests/replay/record.py`.

To be run, and its files committed, when a change of the workflows is meant to break old histories: operations are
pinned to the build that began them, so only a released build's histories bind.
"""

import asyncio
import os
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from worker.plugin import longshore_plugin

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "workflows"))  # the world of the workflow tests, and its server's settings
NAME = "codegen"
HISTORIES = HERE / "histories"
CHECKED = {"bake": "10s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}


async def live(world: Any) -> list[str]:
    """A whole life; the ids of its operations."""
    world.behave("3", error_rate=0.3)
    asked = [
        lambda: world.apply("1", copies=1),
        lambda: world.apply("2", copies=1, **CHECKED),
        lambda: world.apply("3", copies=1, **CHECKED),
        lambda: world.ask("undo"),
        lambda: world.ask("scale", copies=2),
        lambda: world.ask("retire"),
    ]
    lived = []
    for ask in asked:
        answer = await ask()
        await world.ended(answer)
        lived.append(answer.operation or "")
    return lived


async def record() -> None:
    """Live, and save every history."""
    from conftest import ATTRIBUTES
    from world import World

    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        plugins=[longshore_plugin()], test_server_existing_path=str(binary)
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=ATTRIBUTES)
        )
        async with World(env) as world:
            operations = await live(world)
            HISTORIES.mkdir(exist_ok=True)
            for workflow in [f"deployment/{NAME}", *(f"deployment/{one}" for one in operations)]:
                history = await env.client.get_workflow_handle(workflow).fetch_history()
                name = workflow.removeprefix("deployment/").replace("/", "-")
                unnamed = re.sub(r'("identity": *)"[^"]*"', r'\1"recorder"', history.to_json())
                (HISTORIES / f"{name}.json").write_text(unnamed + "\n")


if __name__ == "__main__":
    asyncio.run(record())
    sys.stdout.flush()
    os._exit(0)  # temporalio can crash a finished process at exit
