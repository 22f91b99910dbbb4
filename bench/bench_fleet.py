"""A hundred rollouts at once against as many bare workflows with the same calls, on one Temporal server.

`python bench/bench_fleet.py`; see docs/performance.md for what is counted.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Iterable

import structlog
from bench_rollout import REFERENCES, Observed, References, Rollouts, workers
from measured import Spread, ratios, stack, table
from temporalio.client import Client

from longshore.store.database import Database
from longshore.store.store import Store
from worker.main import connect

DEPLOYMENTS = 100
BATCHES = 1
QUEUE_OF = REFERENCES["bare"]
"""All calls of the reference start eagerly, which a rollout's beside its target cannot: the fastest that there is."""


async def together(parts: Iterable[Awaitable[str]]) -> tuple[float, list[str]]:
    """Seconds for all of them at once, and what they give."""
    began = time.perf_counter()
    given = await asyncio.gather(*parts)
    return time.perf_counter() - began, given


async def compare(client: Client, store: Store, deployments: int, runs: int) -> list[list[str]]:
    """Rows of the table."""
    fleet = [Rollouts(client, store, BATCHES, f"fleet-{number}") for number in range(deployments)]
    bare = [References(client, f"bare {number}") for number in range(deployments)]
    took, _ = await together(one.roll() for one in fleet)
    print(f"{deployments} onboarded: {took:.1f} s", file=sys.stderr)
    await asyncio.gather(*(one.settled() for one in fleet))
    ours, theirs = [], []
    for turn in range(runs):
        took, operations = await together(one.roll() for one in fleet)
        await asyncio.gather(*(one.settled() for one in fleet))
        queues, local = await Observed(client).calls(operations[0])
        asked = [QUEUE_OF(queue) for queue in queues]
        reference, _ = await together(one.run(asked) for one in bare)
        print(f"run {turn + 1}: {took:.1f} s, bare {reference:.1f} s", file=sys.stderr)
        ours.append(took)
        theirs.append(reference)
    return [
        ["rollouts", f"{deployments} x {len(queues)}+{local}", Spread.of(ours).show(1), ratios(ours, theirs).show(2)],
        ["bare", f"{deployments} x {len(queues)}", Spread.of(theirs).show(1), ""],
    ]


async def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deployments", type=int, default=DEPLOYMENTS)
    options.add_argument("--runs", type=int, default=1)
    chosen = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with stack("postgres", "setup", "temporal") as settings:
        assert settings.database_url
        database = Database.connect(settings.database_url)
        client = await connect(settings)
        try:
            async with workers(client, Store(database), accelerators=2 * chosen.deployments * BATCHES):
                rows = await compare(client, Store(database), chosen.deployments, chosen.runs)
        finally:
            await database.dispose()
    print(table(["what", "calls", "s", "rollouts / bare"], rows))


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # a process that used temporalio may crash on its way out
