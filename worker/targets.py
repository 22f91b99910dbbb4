"""The part of the worker that sits beside its targets: an activity worker and an observer for each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from temporalio.client import Client
from temporalio.worker import Worker

from activities.measuring import Meter
from longshore.backends.port import Backend
from longshore.messages import target_queue
from longshore.sources.cloudwatch import CloudWatchSource
from longshore.spec.target import TargetSpec
from longshore.store.errors import StoreError
from longshore.store.store import Store
from longshore.traffic.port import TrafficPlane
from worker.observer import Observer
from worker.wiring import target_activities

INTERVAL = 1.0
"""Seconds between two looks for targets that came, went or changed."""

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The clock of everything that is not simulated."""
    return datetime.now(UTC)


@dataclass
class Beside:
    """What runs beside one target."""

    spec: TargetSpec
    task: asyncio.Task[None]


class TargetWorkers:
    """Keeps a worker and an observer beside every registered target."""

    def __init__(
        self, client: Client, store: Store, traffic: TrafficPlane, backend_for: Callable[[str, TargetSpec], Backend]
    ) -> None:
        self._client = client
        self._store = store
        self._traffic = traffic
        self._backend_for = backend_for
        self._beside: dict[str, Beside] = {}

    async def run(self) -> None:
        """Follow the registered targets for ever."""
        try:
            while True:
                await self._follow()
                await asyncio.sleep(INTERVAL)
        finally:
            await self._end(*self._beside)

    async def _follow(self) -> None:
        try:
            wanted = {row.name: row.spec for row in await self._store.targets.list()}
        except StoreError as error:
            log.warning("cannot read the targets", reason=str(error))
            return
        gone = [
            name
            for name, beside in self._beside.items()
            if beside.task.done() or name not in wanted or wanted[name] != beside.spec
        ]
        await self._end(*gone)
        for name in wanted.keys() - self._beside.keys():
            task = asyncio.create_task(self._run_beside(name, wanted[name]), name=f"target {name}")
            self._beside[name] = Beside(spec=wanted[name], task=task)

    async def _end(self, *names: str) -> None:
        for name in names:
            task = self._beside.pop(name).task
            task.cancel()
            for outcome in await asyncio.gather(task, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.error("the worker beside a target ended", target=name, reason=str(outcome))

    async def _run_beside(self, name: str, spec: TargetSpec) -> None:
        backend = self._backend_for(name, spec)
        observer = Observer(name, backend, self._store, spec.hosts)
        # Once before anything is asked of it. Where it fails, activities answer with the reason: silence tells nobody.
        await observer.declare()
        # Unversioned on purpose: a pinned operation's activities are taken by whichever build is beside the target.
        worker = Worker(
            self._client,
            task_queue=target_queue(name),
            activities=target_activities(
                backend, self._store, self._traffic, utc_now, partial(Meter, cloudwatch=_cloudwatch(name, spec))
            ),
        )
        log.info("beside target", target=name, backend=spec.backend)
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            group.create_task(observer.run())


def _cloudwatch(name: str, spec: TargetSpec) -> CloudWatchSource:
    """CloudWatch as a target sees it: on SageMaker with its own region and role."""
    if spec.sagemaker is None:
        return CloudWatchSource(name)
    return CloudWatchSource(name, spec.sagemaker.region, spec.sagemaker.role)
