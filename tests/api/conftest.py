"""The API over a real store; Temporal where a test asks for it."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import structlog
from api_world import DEADLINE, NOW, Eventually, Seed, free_port, seed_deployment
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from structlog.typing import EventDict
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from longshore.api.app import create_app
from longshore.api.dependencies import Dependencies
from longshore.api.metrics import Metrics
from longshore.api.temporal import Connect, DeploymentWorkflows, connector
from longshore.backends.port import Backend, BackendError
from longshore.settings import Settings
from longshore.spec.prices import load
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.store import Store


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What was logged; unrendered, for structlog's own rendering of a traceback takes seconds."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        database_url=None,
        temporal_address=f"127.0.0.1:{free_port()}",  # nothing listens there
        temporal_namespace="default",
        temporal_ui_url="http://127.0.0.1:8233/",
        api_url="http://127.0.0.1:8470",
        api_listen="127.0.0.1:8470",
        discovery_listen="127.0.0.1:8472",
        gateway_url="http://127.0.0.1:8471",
        agent_socket=tmp_path / "agent.sock",
        build_id="longshore-test",
    )


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    database = Database.connect("sqlite+aiosqlite://")
    await database.create_all()
    yield Store(database)
    await database.dispose()


def no_backend(name: str, spec: TargetSpec) -> Backend:
    raise BackendError("AgentUnavailable", f"the agent of {name} does not answer", retryable=True)


@pytest.fixture
def connect(settings: Settings) -> Connect:
    """How to reach Temporal; by default there is none."""
    return connector(settings)


@pytest.fixture
async def temporal_client() -> AsyncIterator[Client]:
    """A client of a time-skipping server of its own."""
    server = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter, test_server_existing_path=str(server)
    )
    async with environment:
        yield environment.client


@pytest.fixture
def dependencies(settings: Settings, store: Store, connect: Connect) -> Dependencies:
    return Dependencies(
        settings=settings,
        store=store,
        workflows=DeploymentWorkflows(connect),
        backend_of=no_backend,
        metrics=Metrics(),
        prices=load(),
        now=lambda: NOW,
    )


@pytest.fixture
async def app(dependencies: Dependencies) -> AsyncIterator[FastAPI]:
    application = create_app(dependencies)
    async with LifespanManager(application):
        yield application


@pytest.fixture
async def key(store: Store) -> str:
    _, plaintext = await store.keys.create("ada")
    return plaintext


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://longshore.test") as client:
        yield client


@pytest.fixture
async def client(anonymous: httpx.AsyncClient, key: str) -> httpx.AsyncClient:
    """A client with a key."""
    anonymous.headers["Authorization"] = f"Bearer {key}"
    return anonymous


@pytest.fixture
def seed(store: Store) -> Seed:
    return partial(seed_deployment, store)


@pytest.fixture
def eventually() -> Eventually:
    """Ask until the answer is yes, or a deadline passes."""

    async def wait(question: Callable[[], bool | Awaitable[bool]]) -> None:
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while asyncio.get_running_loop().time() < deadline:
            answer = question()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)
        pytest.fail(f"did not come true within {DEADLINE} s")

    return wait
