"""Drift, take, adopt and import as people ask for them: over HTTP, on the real workflows of a fleet others touch."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager
from temporalio.client import Client
from world import NAME, TARGET, Phase, World, version_spec

from longshore.api.app import create_app
from longshore.api.dependencies import Dependencies
from longshore.api.metrics import Metrics
from longshore.api.temporal import DeploymentWorkflows
from longshore.backends.local.backend import LocalBackend
from longshore.backends.port import BackendError
from longshore.backends.simulated.outside import Stranger
from longshore.planning.requests import Answer
from longshore.settings import Settings
from longshore.spec.prices import load
from longshore.spec.target import TargetSpec

OTHER = version_spec(artifact={"uri": "file:///models/patched", "digest": "sha256:" + "1" * 64})


@pytest.fixture
async def api(world: World, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The API over the world's store, workflows and fleet."""
    settings = Settings(
        home=tmp_path,
        database_url=None,
        temporal_address="127.0.0.1:1",
        temporal_namespace="default",
        temporal_ui_url=None,
        api_url="http://127.0.0.1:8470",
        api_listen="127.0.0.1:8470",
        discovery_listen="127.0.0.1:8472",
        gateway_url=None,
        agent_socket=tmp_path / "agent.sock",
        build_id="longshore-test",
    )

    async def connected() -> Client:
        return world.client

    def backend_of(name: str, spec: TargetSpec) -> Any:
        if spec.backend == "local":
            raise BackendError("AgentUnavailable", f"the agent of {name} does not answer", retryable=True)
        return world.fleet.backend() if name == TARGET else LocalBackend(name, settings.agent_socket)

    dependencies = Dependencies(
        settings=settings,
        store=world.store,
        workflows=DeploymentWorkflows(connected),
        backend_of=backend_of,
        metrics=Metrics(),
        prices=load(),
    )
    _, key = await world.store.keys.create("ada")
    app = create_app(dependencies)
    async with (
        LifespanManager(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers={"Authorization": f"Bearer {key}"}
        ) as client,
    ):
        yield client


def manifest(world: World, copies: int) -> dict[str, Any]:
    spec = world.spec("1", copies).model_dump(mode="json", exclude_defaults=True) | {"copies": copies}
    return {"kind": "Deployment", "metadata": {"name": NAME}, "spec": spec}


async def ended(world: World, answer: httpx.Response) -> Phase:
    assert answer.status_code in {200, 202}, answer.text
    operation = answer.json().get("operation") or answer.json()["items"][0]["operation"]
    rows = [row for row in await world.store.deployments.operations(NAME) if row.id == operation]
    if not rows or not rows[0].phase.ended:
        return (await world.ended(Answer(changed=True, message="", operation=operation))).phase
    await world.settled()
    return rows[0].phase


async def test_the_same_content_says_what_somebody_else_changed_and_taking_undoes_it(
    world: World, api: httpx.AsyncClient
) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=5)

    (item,) = (await api.post("/v1/apply", json={"documents": [manifest(world, 3)]})).json()["items"]
    assert item["result"] == "unchanged"
    assert "CopyCount of version 1 is 5, not 3" in item["message"]
    assert "`longshore apply -f FILE --take` puts it right" in item["message"]
    detail = (await api.get(f"/v1/deployments/{NAME}/detail")).json()
    assert (detail["deployment"]["drift"], detail["deployment"]["reason"]) == ("Drifted", "ChangedOutside")
    assert [(one["what"], one["wanted"], one["found"]) for one in detail["differences"]] == [("CopyCount", "3", "5")]

    taken = await api.post("/v1/apply", json={"documents": [manifest(world, 3)], "take": True})
    assert await ended(world, taken) is Phase.SUCCEEDED
    assert world.copies() == {"1": 3}


async def test_another_number_of_copies_is_adopted_and_asking_again_changes_nothing(
    world: World, api: httpx.AsyncClient
) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=5)
    assert await ended(world, await api.post(f"/v1/deployments/{NAME}/adopt")) is Phase.SUCCEEDED
    again = (await api.post(f"/v1/deployments/{NAME}/adopt")).json()
    assert (again["changed"], again["operation"]) == (False, None)
    assert (await api.get(f"/v1/deployments/{NAME}/detail")).json()["spec"]["copies"] == 5


async def test_another_specification_needs_a_name_and_is_registered_under_it(
    world: World, api: httpx.AsyncClient
) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", spec=OTHER, copies=4)

    unnamed = await api.post(f"/v1/deployments/{NAME}/adopt")
    assert (unnamed.status_code, unnamed.json()["reason"]) == (409, "VersionNeeded")
    assert f"longshore adopt {NAME} --as VERSION" in unnamed.json()["detail"]
    taken = await api.post(f"/v1/deployments/{NAME}/adopt", json={"as": "2"})
    assert (taken.status_code, taken.json()["reason"]) == (409, "Conflict")

    assert await ended(world, await api.post(f"/v1/deployments/{NAME}/adopt", json={"as": "1-p"})) is Phase.SUCCEEDED
    registered = await world.store.models.get("codegen", "1-p")
    assert registered is not None
    assert registered.spec == OTHER
    assert world.copies() == {"1-p": 4}
    needless = await api.post(f"/v1/deployments/{NAME}/adopt", json={"as": "9"})
    assert needless.json()["reason"] == "NothingToRegister"


async def test_what_was_deleted_is_adopted_as_no_copies(world: World, api: httpx.AsyncClient) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", deleted=True)
    assert await ended(world, await api.post(f"/v1/deployments/{NAME}/adopt")) is Phase.SUCCEEDED
    view = (await api.get(f"/v1/deployments/{NAME}")).json()
    assert (view["health"], view["drift"]) == ("ScaledToZero", "InSync")


async def test_strangers_are_listed_shown_as_manifests_and_imported(world: World, api: httpx.AsyncClient) -> None:
    world.fleet.outside.strangers["theirs"] = Stranger(spec=OTHER, copies=2)
    world.fleet.outside.strangers["taken"] = Stranger(spec=OTHER, copies=1, installation="another")
    path = f"/v1/targets/{TARGET}/components"

    items = (await api.get(path)).json()["items"]
    assert [(one["component"], one["ours"], one["installation"]) for one in items] == [
        ("taken", False, "another"),
        ("theirs", False, None),
    ]
    query = {"deployment": NAME, "model": "codegen", "version": "7"}
    version, deployment = (await api.get(f"{path}/theirs/manifests", params=query)).json()["documents"]
    assert version["spec"]["artifact"]["uri"] == OTHER.artifact.uri
    assert (deployment["spec"]["version"], deployment["spec"]["copies"]) == ("7", 2)
    assert (await api.post("/v1/apply", json={"documents": [version], "dryRun": True})).status_code == 200

    refused = await api.post(f"{path}/taken/import", json=query)
    assert (refused.status_code, refused.json()["reason"]) == (409, "CannotBeTaken")
    missing = await api.post(f"{path}/nothing/import", json=query)
    assert (missing.status_code, missing.json()["reason"]) == (404, "NotFound")

    assert await ended(world, await api.post(f"{path}/theirs/import", json=query)) is Phase.SUCCEEDED
    view = (await api.get(f"/v1/deployments/{NAME}")).json()
    assert (view["revision"], view["version"], view["ready"]) == (1, "7", {"7": 2})
    again = (await api.post(f"{path}/theirs/import", json=query)).json()
    assert (again["changed"], again["message"]) == (False, "theirs is that already, as version 7")
    other = await api.post(f"{path}/theirs/import", json=query | {"deployment": "other"})
    assert other.json()["reason"] == "TakenAlready"


async def test_where_nothing_can_be_taken_over_or_nobody_answers_that_is_said(
    world: World, api: httpx.AsyncClient
) -> None:
    await world.store.targets.put("plain", TargetSpec(backend="simulated"), "ada")
    await world.store.targets.put("away", TargetSpec(backend="local"), "ada")
    wanted = {"plain": (409, "NothingToAdopt"), "away": (503, "AgentUnavailable"), "unknown": (404, "NotFound")}
    for target, problem in wanted.items():
        answer = await api.get(f"/v1/targets/{target}/components")
        assert (answer.status_code, answer.json()["reason"]) == problem
