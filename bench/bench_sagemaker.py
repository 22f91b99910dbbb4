"""What rollouts on SageMaker ask of AWS, and which instances they need, on the emulator.

Calls against those of a script that makes the same change with boto3, calls while nothing changes, and instances at
peak against SageMaker's own blue/green update.

`python bench/bench_sagemaker.py`; see docs/performance.md for what is counted.
"""

import asyncio
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from aws import (
    ACCELERATORS,
    IMAGE,
    INSTANCE_TYPE,
    REGION,
    ROLE,
    SLOW,
    WITHIN,
    ByHand,
    CountingEmulator,
    sagemaker,
    version,
)
from bench_rollout import BUILD, Observed, applied
from measured import stack, table, waited
from temporalio.client import Client

from longshore.backends.port import CopiesLevel
from longshore.backends.sagemaker.backend import SageMakerBackend
from longshore.backends.sagemaker.reading import Pace
from longshore.emulator.clock import ManualClock, RealClock
from longshore.emulator.durations import Durations
from longshore.emulator.faults import Faults
from longshore.messages import workflow_id
from longshore.planning.fence import Fence
from longshore.planning.observed import CopyState
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.prices import load
from longshore.spec.target import TargetSpec
from longshore.stack.temporal import make_current
from longshore.store.database import Database
from longshore.store.store import Store
from longshore.traffic.simulated import SimulatedTraffic
from worker.main import connect, workflow_worker
from worker.observer import INTERVAL
from worker.targets import TargetWorkers, utc_now

SPEED: Final = 60.0
"""Emulated seconds a second, where instances are counted and not calls."""
QUICK: Final = Durations(instance_launch=1, copy_load=5, copy_cached_load=5, copy_start=5, copy_drain=5)
"""Where calls are counted, in real seconds: a copy is ready after 10, and gone 5 after it was given up."""
SLOWER: Final = 5.0
"""Times that the slow image takes longer to load: a copy of it is ready after 30 seconds."""
IDLE_MINUTES: Final = 2


@dataclass(frozen=True)
class Case:
    """One rollout on an endpoint of its own."""

    name: str
    copies: int
    batch: int
    image: str = IMAGE
    """Of the version that it goes to."""
    region: str = REGION
    aside: str = REGION
    """The region of the reference, where it is told apart by that."""

    @property
    def instances(self) -> int:
        """The fewest that hold its copies."""
        return -(-self.copies // ACCELERATORS)

    def target(self) -> TargetSpec:
        """Its endpoint, made by us: room for a second set, so that it is the policy that decides the peak."""
        bounds = {"type": INSTANCE_TYPE, "min": self.instances, "max": 2 * self.instances}
        spec = {"region": self.region, "endpoint": self.name, "executionRole": ROLE, "instances": bounds}
        return TargetSpec.model_validate({"backend": "sagemaker", "sagemaker": spec})

    def deployment(self, number: str) -> DeploymentSpec:
        """At the version of this number."""
        values = {"target": self.name, "model": self.name, "version": number, "copies": self.copies}
        return DeploymentSpec.model_validate(values | {"rollout": {"batch": self.batch, "bake": "0s"}})


CALLS: Final = (
    Case("one-batch", 4, 4, region="eu-central-1", aside="eu-central-2"),
    Case("two-batches", 4, 2, region="eu-west-1", aside="eu-west-2"),
    Case("slow-copies", 4, 4, image=SLOW, region="eu-north-1", aside="eu-south-1"),
)
PEAKS: Final = tuple(
    Case(f"copies-{copies}-batch-{batch}", copies, batch)
    for copies, batch in ((4, 1), (16, 1), (16, 4), (64, 4), (64, 16))
)
"""Sixteen batches at most, for the time that this takes."""
HASTE: Final = Pace(moving=timedelta(seconds=0.25), whole=timedelta(seconds=1), steady=timedelta(seconds=4))
"""A pace for that speed."""
FLEETS: Final = (1, 20, 100)
"""Idle deployments on one endpoint."""


@dataclass(frozen=True)
class Change:
    """What one way of making a change took."""

    calls: Counter[str]
    seconds: float


class Site:
    """The product's own worker, and what is deployed by it."""

    def __init__(self, client: Client, store: Store, emulator: CountingEmulator) -> None:
        self._client = client
        self._store = store
        self._emulator = emulator

    @asynccontextmanager
    async def workers(self, pace: Pace) -> AsyncIterator[None]:
        """The worker as production runs it, save that traffic is arithmetic."""
        traffic = SimulatedTraffic(utc_now)

        def backend(name: str, spec: TargetSpec) -> SageMakerBackend:
            assert spec.sagemaker is not None
            return SageMakerBackend(name, spec.sagemaker, self._store.notes(name), pace)

        beside = asyncio.create_task(TargetWorkers(self._client, self._store, traffic, backend).run())
        async with workflow_worker(self._client, self._store, traffic, BUILD):
            await make_current(self._client, BUILD, WITHIN)
            yield
            beside.cancel()
            await asyncio.wait([beside])

    async def onboard(self, case: Case) -> None:
        """Its first version, live on an endpoint made for it."""
        for number, image in (("1", IMAGE), ("2", case.image)):
            await self._store.models.put(case.name, number, version(image), "bench")
        await self._store.targets.put(case.name, case.target(), "bench")
        deadline = time.monotonic() + WITHIN
        while not await self._has_room(case):
            if time.monotonic() > deadline:
                raise TimeoutError(f"endpoint {case.name} does not come into service")
            await asyncio.sleep(0.1)
        await self.apply(case, "1")
        print(f"{case.name}: onboarded", file=sys.stderr)

    async def apply(self, case: Case, number: str) -> None:
        """Go to a version, until the other one is gone for good."""
        answer = await applied(self._client, case.name, case.deployment(number), f"{case.name}-{number}")
        result = await self._client.get_workflow_handle(f"deployment/{answer.operation}").result()
        assert result["phase"] == "Succeeded", result
        await Observed(self._client).transitions(workflow_id(case.name))  # until it has taken that in
        await asyncio.to_thread(waited, lambda: self._components(case) == 1, 0.1, WITHIN)

    async def _has_room(self, case: Case) -> bool:
        seen = await self._store.fleet.observation(case.name)
        return seen is not None and any(not host.obtainable for host in seen.hosts)

    def _components(self, case: Case) -> int:
        with self._emulator.world.lock:
            return sum(one.endpoint == case.name for one in self._emulator.world.components.values())


async def count_calls(client: Client, store: Store) -> str:
    """The table of calls by what they were for."""
    with sagemaker(clock=RealClock(), durations=QUICK, faults=Faults(slow={SLOW: SLOWER})) as emulator:
        site = Site(client, store, emulator)
        async with site.workers(Pace()):
            found = await asyncio.gather(*(_compared(site, emulator, case) for case in CALLS))
    rows = []
    for case, (ours, least) in zip(CALLS, found, strict=True):
        made, needed = ours.calls, least.calls
        rows += [_row(case, operation, made[operation], needed[operation]) for operation in sorted({*made, *needed})]
        rows.append([*_row(case, "all", made.total(), needed.total()), f"{ours.seconds:.0f}", f"{least.seconds:.0f}"])
    heads = ["rollout", "operation", "calls", "by hand", "a batch", "by hand", "ratio", "s", "by hand"]
    return table(heads, [[*row, *[""] * (len(heads) - len(row))] for row in rows])


async def _compared(site: Site, emulator: CountingEmulator, case: Case) -> tuple[Change, Change]:
    """The calls of a rollout, and those of the script beside it."""
    by_hand = ByHand(f"{case.name}-by-hand", Pace().moving.total_seconds(), case.aside)
    old, new = f"{case.name}-1", f"{case.name}-2"

    def prepare() -> None:
        by_hand.make_endpoint(2 * case.instances)
        by_hand.deploy(old, case.copies)
        by_hand.image = case.image

    await asyncio.gather(site.onboard(case), asyncio.to_thread(prepare))
    ours, least = await asyncio.gather(
        _calls(emulator, case.region, site.apply(case, "2")),
        _calls(emulator, case.aside, asyncio.to_thread(by_hand.roll, old, new, case.copies, case.batch)),
    )
    return ours, least


async def _calls(emulator: CountingEmulator, region: str, change: Awaitable[None]) -> Change:
    emulator.calls[region].clear()
    began = time.perf_counter()
    await change
    return Change(Counter(emulator.calls[region]), time.perf_counter() - began)


def _row(case: Case, operation: str, ours: int, least: int) -> list[str]:
    batches = case.copies // case.batch
    each = [f"{calls / batches:.1f}" for calls in (ours, least)]
    return [case.name, operation, str(ours), str(least), *each, f"{ours / least:.2f}" if least else ""]


async def count_idle(store: Store) -> str:
    """The table of calls while nothing changes: the looks of one observer, by a clock that is turned by hand."""
    rows = []
    with sagemaker(clock=(clock := ManualClock())) as emulator:
        for deployments in FLEETS:
            case = Case(f"idle-{deployments}", deployments, 1)
            calls = await _idle(store, emulator, clock, case)
            every = 60 / Pace().whole.total_seconds() * (deployments + 1)
            split = ", ".join(f"{name} {count / IDLE_MINUTES:.1f}" for name, count in sorted(calls.items()))
            total = calls.total() / IDLE_MINUTES
            rows.append([str(deployments), split, f"{total:.1f}", f"{every:.0f}", f"{total / every:.2f}"])
    return table(["deployments", "calls a minute", "all", "each described", "ratio"], rows)


async def _idle(store: Store, emulator: CountingEmulator, clock: ManualClock, case: Case) -> Counter[str]:
    target = case.target()
    assert target.sagemaker is not None
    await store.targets.put(case.name, target, "bench")
    now = partial(_instant, clock)
    backend = SageMakerBackend(case.name, target.sagemaker, store.notes(case.name), clock=now)
    await backend.declare(())
    clock.advance(3600)
    for number in range(case.copies):
        name = f"{case.name}-{number}"
        level = CopiesLevel(
            deployment=name,
            model=name,
            version="1",
            copies=1,
            surplus="end",
            spec=version(),
            fence=Fence(operation=1, step=1),
        )
        await backend.ensure(level)
    clock.advance(3600)
    for minutes in (1, IDLE_MINUTES):
        emulator.calls.clear()
        for _ in range(round(minutes * 60 / INTERVAL)):
            observed = await backend.observe()
            clock.advance(INTERVAL)
    assert sum(copy.state is CopyState.READY for copy in observed.copies) == case.copies
    return emulator.calls[REGION]


def _instant(clock: ManualClock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


async def count_instances(client: Client, store: Store) -> str:
    """The table of instances at peak."""
    with sagemaker(clock=RealClock(SPEED)) as emulator:
        site = Site(client, store, emulator)
        async with site.workers(HASTE):
            await asyncio.gather(
                *(_rolled(site, emulator, case) for case in PEAKS),
                *(_replaced(n) for n in {case.copies for case in PEAKS}),
            )
        price = load().of(REGION, INSTANCE_TYPE)
        assert price is not None
        rows = []
        for case in PEAKS:
            most, twice = emulator.most_instances[case.name], emulator.most_instances[_classic(case.copies)]
            cost = [f"{count * price.amount:.2f}" for count in (case.instances, most, twice)]
            counts = [case.copies, case.batch, case.instances, most, twice]
            rows.append([*map(str, counts), *cost, f"{most / twice:.2f}"])
    print(f"{INSTANCE_TYPE}: {price.amount} {price.currency} an hour ({price.source}, {price.priced})", file=sys.stderr)
    heads = ["copies", "batch", "instances", "at peak", "blue/green", "an hour", "at peak", "blue/green", "ratio"]
    return table(heads, rows)


async def _rolled(site: Site, emulator: CountingEmulator, case: Case) -> None:
    await site.onboard(case)
    del emulator.most_instances[case.name]
    began = time.perf_counter()
    await site.apply(case, "2")
    print(f"{case.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)


async def _replaced(copies: int) -> None:
    """SageMaker's own blue/green update of as many instances, of one model that uses all that is in them."""
    by_hand = ByHand(_classic(copies), HASTE.moving.total_seconds())
    await asyncio.to_thread(by_hand.blue_green, -(-copies // ACCELERATORS))


def _classic(copies: int) -> str:
    return f"classic-{copies}"


async def main() -> None:
    """Measure, and print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    logging.getLogger("temporalio.activity").setLevel(logging.ERROR)  # a component that is busy is asked again
    with stack("postgres", "setup", "temporal") as settings:
        assert settings.database_url
        database = Database.connect(settings.database_url)
        client = await connect(settings)
        try:
            store = Store(database)
            for shown in (count_calls(client, store), count_idle(store), count_instances(client, store)):
                print(await shown, end="\n\n", flush=True)
        finally:
            await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # a process that used temporalio may crash on its way out
