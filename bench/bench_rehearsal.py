"""How fast rehearsals are: simulated hours per second, for 1, 10 and 100 deployments rolling at once.

The reference is what the same number of bare workflows cost on a test server and a worker of their own, under the same
terms (no cached workflow, so every task is a replay): each makes as many calls of an activity that does nothing as a
rollout of one batch makes calls, and no time passes in it.

`python bench/bench_rehearsal.py`; see docs/performance.md for what is counted.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any, Final

from bare import QUEUE, BareOperation, no_op
from measured import Spread, ratios, table
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from worker.rehearsal.server import PROGRAM

HOURS: Final = 1.0
INTERVAL_S: Final = 5
STARTUP_S: Final = 60
CALLS: Final = 24
"""Of a rollout of one batch, the records of its steps among them."""
SERVER: Final = str(Path(sysconfig.get_path("scripts")) / PROGRAM)
TOO_LONG_S: Final = 1800.0
"""Of one run; the slowest takes minutes."""


def rehearsal(deployments: int) -> dict[str, Any]:
    """Rollouts of one copy each, all at once, that bake for an hour and are watched every five seconds."""
    checks = [{"name": "errors", "metric": "error-rate", "max": 0.01, "interval": f"{INTERVAL_S}s"}]
    bake = f"{HOURS * 3600 - STARTUP_S:g}s"
    names = [f"model-{number}" for number in range(deployments)]
    given = {"model": "model", "version": "1", "copies": 1, "rollout": {"bake": bake, "checks": checks}}
    return {
        "apiVersion": "longshore/v1",
        "kind": "Rehearsal",
        "metadata": {"name": f"rolling-{deployments}"},
        "spec": {
            "hosts": [{"name": "a", "accelerators": 2 * deployments}],
            "traffic": {name: {"requestsPerSecond": 50} for name in names},
            "given": dict.fromkeys(names, given),
            "versions": {"2": {"startup": f"{STARTUP_S}s"}},
            "timeline": [{"at": "0s", "do": "apply", "deployment": name, "version": "2"} for name in names],
        },
    }


def rehearsed(deployments: int) -> float:
    """Seconds of one rehearsal, from the start of the interpreter to the end of the answer."""
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-m", "longshore.cli", "rehearse", "-f", "-", "-o", "json"],
        input=json.dumps(rehearsal(deployments)),
        capture_output=True,
        text=True,
        check=True,
        timeout=TOO_LONG_S,
    )
    took, answer = time.perf_counter() - began, json.loads(ran.stdout)
    phases = {item["phase"] for item in answer["deployments"].values()}
    if phases != {"Succeeded"} or answer["duration"] != HOURS * 3600:
        raise RuntimeError(f"the rehearsal ended otherwise: {phases} after {answer['duration']} s")
    return took


async def bare(deployments: int) -> float:
    """Seconds for as many bare workflows with as many calls, from the start of the server."""
    began = time.perf_counter()
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=SERVER) as environment,
        Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[BareOperation],
            activities=[no_op],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=0,
        ),
        asyncio.timeout(TOO_LONG_S),
    ):
        start = environment.client.start_workflow
        handles = [
            await start(BareOperation.run, [QUEUE] * CALLS, id=f"bare-{number}", task_queue=QUEUE)
            for number in range(deployments)
        ]
        await asyncio.gather(*(handle.result() for handle in handles))
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table with a ratio."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=2)
    options.add_argument("--deployments", type=int, nargs="+", default=[1, 10, 100])
    chosen = options.parse_args()
    rows = []
    for deployments in chosen.deployments:
        ours, theirs = [], []
        for _ in range(chosen.runs):
            ours.append(rehearsed(deployments))
            theirs.append(asyncio.run(bare(deployments)))
        simulated = deployments * HOURS
        speed = Spread.of([simulated / took for took in ours])
        rows.append([str(deployments), Spread.of(ours).show(1), speed.show(2), Spread.of(theirs).show(1)])
        rows[-1].append(ratios(ours, theirs).show(2))
    heads = ["deployments", "rehearsal, s", "rollout hours per s", f"{CALLS} bare calls each, s", "ratio"]
    sys.stdout.write(table(heads, rows) + "\n")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a process that used temporalio may crash on its way out
