"""The API over the real deployment workflow, its records and a real Temporal server.

No worker is beside the target, so what was started stays under way.
"""

import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from api_world import DEADLINE, TARGET, applied, deployment, problem, version
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from longshore.api.temporal import Connect
from longshore.stack.temporal import make_current
from longshore.store.store import Store
from longshore.traffic.plane import EnvoyTrafficPlane
from worker.main import workflow_worker
from worker.plugin import longshore_plugin
from workflows import details

BUILD = "test"
"""The real server runs pinned workflows only on a worker with a build, and only the current one gets tasks."""


@pytest.fixture
async def temporal_client() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_local(
        plugins=[longshore_plugin()],
        dev_server_existing_path=str(Path(sysconfig.get_path("scripts")) / "temporal"),
        dev_server_log_level="error",
        search_attributes=[details.DEPLOYMENT, details.MODEL, details.TARGET, details.PHASE, details.REVISION],
    )
    async with environment:
        yield environment.client


@pytest.fixture
def connect(temporal_client: Client) -> Connect:
    async def connected() -> Client:
        return temporal_client

    return connected


async def test_what_is_applied_is_shown_refused_and_answered_alike(
    client: httpx.AsyncClient, store: Store, temporal_client: Client
) -> None:
    async with workflow_worker(temporal_client, store, EnvoyTrafficPlane(store.traffic), BUILD):
        assert await make_current(temporal_client, BUILD, DEADLINE)
        once = await applied(client, TARGET, version("1"), deployment(copies=2), key="k")
        assert once.status_code == 200, once.text
        assert once.json()["items"][2] | {"message": ""} == {
            "kind": "Deployment",
            "name": "digits",
            "result": "created",
            "message": "",
            "revision": 1,
            "operation": "digits/onboard-1",
        }
        again = await applied(client, TARGET, version("1"), deployment(copies=2), key="k")
        assert again.json()["items"][2] == once.json()["items"][2]
        unchanged = await applied(client, deployment(copies=2), key="other")
        assert unchanged.json()["items"][0]["result"] == "unchanged"

        shown = (await client.get("/v1/deployments/digits")).json()
        assert (shown["revision"], shown["rolloutTo"]) == (None, {"revision": 1, "version": "1"})
        assert (shown["health"], shown["drift"]) == ("Unavailable", "InSync")
        assert len(await store.deployments.revisions("digits")) == 1

        assert (await client.get("/readyz")).json() == {"ready": True, "checks": {"store": "ok", "temporal": "ok"}}

        for verb in ("retry", "undo"):
            answer = await client.post(f"/v1/deployments/digits/{verb}", json={})
            problem(answer, 409, "OperationUnderWay")
        events = (await client.get("/v1/deployments/digits/events")).json()["items"]
        assert [event["verb"] for event in events if event["type"] == "Refused"] == ["retry", "undo"]
