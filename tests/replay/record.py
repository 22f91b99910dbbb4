"""Records the histories that the replay tests hold the workflows to: `python tests/replay/record.py [LIFE…]`.

To be run, and its files committed, when a change of the workflows is meant to break old histories: operations are
pinned to the build that began them, so only a released build's histories bind.
"""

import argparse
import asyncio
import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from worker.plugin import longshore_plugin

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "workflows")]  # the world of the workflow tests, and its server's settings
HISTORIES = HERE / "histories"


async def record(life: str) -> None:
    """Live it, and save the history of its deployment and of every operation in it."""
    from conftest import ATTRIBUTES
    from lives import DEPLOYMENT, LIVES
    from world import NAME, World

    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        plugins=[longshore_plugin()], test_server_existing_path=str(binary)
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=ATTRIBUTES)
        )
        async with World(env) as world:
            await LIVES[life](world)
            operations = [row.id for row in await world.store.deployments.operations(NAME)]
            folder = HISTORIES / life
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("*.json"):
                old.unlink()
            for workflow in [DEPLOYMENT, *(f"deployment/{one}" for one in operations)]:
                history = await env.client.get_workflow_handle(workflow).fetch_history()
                name = workflow.removeprefix(DEPLOYMENT).removeprefix("/") or "deployment"
                (folder / f"{name}.json").write_text(_lines(history))


def _lines(history: WorkflowHistory) -> str:
    """As JSON with a line for each event, and nothing of the machine that it was recorded on."""
    events = json.loads(history.to_json())["events"]
    return '{"events": [\n' + ",\n".join(json.dumps(_unnamed(event)) for event in events) + "\n]}\n"


def _unnamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "recorder" if key == "identity" else _unnamed(inner) for key, inner in value.items()}
    return [_unnamed(inner) for inner in value] if isinstance(value, list) else value


async def main() -> None:
    """Record the lives that are asked for, or all."""
    from lives import LIVES

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("lives", nargs="*", metavar="LIFE", help=f"of {', '.join(LIVES)}; all if left out")
    for life in options.parse_args().lives or LIVES:
        await record(life)
        sys.stdout.write(f"{life}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # temporalio can crash a finished process at exit
