"""The worker process: workflows and the store's activities, and what sits beside the targets."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from functools import partial

import structlog
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from longshore.backends.port import Backend
from longshore.backends.registry import backend_for
from longshore.logs import configure_logs
from longshore.messages import TASK_QUEUE
from longshore.settings import Settings
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.store import Store
from longshore.traffic.plane import EnvoyTrafficPlane
from longshore.traffic.port import TrafficPlane
from worker.plugin import WORKFLOWS, longshore_plugin
from worker.targets import TargetWorkers
from worker.wiring import central_activities

DEPLOYMENT_NAME = "longshore"
"""Name of the Worker Deployment in Temporal's Worker Versioning."""
CONNECT_INTERVAL = 0.5
CONNECT_LIMIT = 60.0
"""Seconds to wait for Temporal before giving up; the supervisor starts the worker again."""
STICKY = timedelta(seconds=2)
"""A workflow task waits so long for the worker that has the workflow in its cache, and then goes to any: when that
worker was killed, its rollouts go on after this, and not after the default of 10 s."""

log = structlog.get_logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT, then leave at once: a temporalio process may crash in its interpreter's exit."""
    configure_logs("worker")
    settings = Settings.from_environment()
    try:
        code = asyncio.run(_serve(settings))
    except (ConnectionError, RuntimeError, OSError) as error:
        log.error("the worker cannot go on", reason=str(error))  # noqa: TRY400 - one line for people, no traceback
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(settings: Settings) -> int:
    if settings.database_url is None:
        raise ConnectionError("LONGSHORE_DATABASE_URL is not set: longshore up starts a database")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = Database.connect(settings.database_url)
    store = Store(database)
    client = await connect(settings)
    traffic = EnvoyTrafficPlane(store.traffic)
    beside = TargetWorkers(client, store, traffic, partial(_backend, settings, store))
    tasks = [
        asyncio.create_task(workflow_worker(client, store, traffic, settings.build_id).run(), name="workflows"),
        asyncio.create_task(beside.run(), name="targets"),
        asyncio.create_task(stop.wait(), name="stop"),
    ]
    log.info("the worker is up", build=settings.build_id)
    done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await database.dispose()
    for task in done:
        task.result()
    return 0 if stop.is_set() else 1


def workflow_worker(client: Client, store: Store, traffic: TrafficPlane, build_id: str) -> Worker:
    """The worker of the queue `longshore`. A real server refuses pinned workflows of an unversioned one."""
    versioning = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT_NAME, build_id=build_id),
        use_worker_versioning=True,
    )
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=central_activities(client, store, traffic),
        sticky_queue_schedule_to_start_timeout=STICKY,
        deployment_config=versioning,
    )


async def connect(settings: Settings) -> Client:
    """A client with our plugin, once Temporal is there.

    Raises:
        ConnectionError: it was not, for a minute.
    """
    deadline = asyncio.get_running_loop().time() + CONNECT_LIMIT
    while True:
        try:
            return await Client.connect(
                settings.temporal_address, namespace=settings.temporal_namespace, plugins=[longshore_plugin()]
            )
        except RuntimeError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConnectionError(f"no Temporal at {settings.temporal_address}: {error}") from None
            await asyncio.sleep(CONNECT_INTERVAL)


def _backend(settings: Settings, store: Store, name: str, spec: TargetSpec) -> Backend:
    return backend_for(name, spec, settings, store.notes)
