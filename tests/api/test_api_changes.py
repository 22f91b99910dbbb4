"""Apply and the control verbs, over a real Temporal server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from api_world import TARGET, Seed, applied, deployment, problem, version
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker
from tiny_deployment import TinyDeployment

from longshore.api import temporal
from longshore.api.temporal import Connect
from longshore.messages import TASK_QUEUE, workflow_id
from longshore.planning.words import EventType
from longshore.store.store import Store


@pytest.fixture
def connect(temporal_client: Client) -> Connect:
    async def connected() -> Client:
        return temporal_client

    return connected


def worker_of(client: Client) -> Worker:
    return Worker(client, task_queue=TASK_QUEUE, workflows=[TinyDeployment])


@pytest.fixture
async def worker(temporal_client: Client) -> AsyncIterator[Worker]:
    async with worker_of(temporal_client) as running:
        yield running


async def test_documents_are_applied_in_order_whatever_order_they_come_in(
    client: httpx.AsyncClient, worker: Worker, store: Store
) -> None:
    answer = await applied(client, deployment(), version("1"), TARGET)
    assert answer.status_code == 200, answer.text
    assert answer.json()["dryRun"] is False
    assert [(item["kind"], item["name"], item["result"]) for item in answer.json()["items"]] == [
        ("Deployment", "digits", "created"),
        ("ModelVersion", "digits/1", "created"),
        ("Target", "workstation", "created"),
    ]
    assert answer.json()["items"][0]["operation"] == "digits/onboard-1"
    assert answer.json()["items"][0]["revision"] == 1
    (target,) = await store.targets.list()
    assert target.actor == "ada"


async def test_the_same_key_twice_is_carried_out_once_and_answered_alike(
    client: httpx.AsyncClient, worker: Worker, temporal_client: Client
) -> None:
    once = await applied(client, TARGET, version("1"), deployment(), key="k")
    again = await applied(client, TARGET, version("1"), deployment(), key="k")
    assert [item["result"] for item in again.json()["items"]] == ["created"] * 3
    assert again.json() == once.json()
    assert again.headers["idempotency-key"] == "k"
    assert await temporal_client.get_workflow_handle(workflow_id("digits")).query("answers", result_type=int) == 1


async def test_a_key_of_another_request_is_refused(client: httpx.AsyncClient, store: Store) -> None:
    await applied(client, version("1"), key="k")
    problem(await applied(client, version("2"), key="k"), 422, "IdempotencyKeyReused")
    assert [row.version for row in await store.models.list()] == ["1"]


async def test_another_callers_key_is_its_own(client: httpx.AsyncClient, store: Store) -> None:
    await applied(client, version("1"), key="k")
    _, other = await store.keys.create("bob")
    body = {"documents": [version("2")]}
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {other}"}
    assert (await client.post("/v1/apply", json=body, headers=headers)).status_code == 200


async def test_a_dry_run_says_what_would_come_of_it_and_changes_nothing(
    client: httpx.AsyncClient, store: Store, seed: Seed
) -> None:
    await seed()
    body = {"documents": [TARGET, version("2"), deployment(label="2", copies=3)], "dryRun": True}
    items = (await client.post("/v1/apply", json=body)).json()["items"]
    assert [item["result"] for item in items] == ["unchanged", "created", "changed"]
    assert "spec.version 1 → 2" in items[2]["message"]
    assert "spec.copies 2 → 3" in items[2]["message"]
    assert await store.models.list() == []


async def test_nothing_changes_when_one_document_is_invalid(client: httpx.AsyncClient, store: Store) -> None:
    body = {
        "documents": [TARGET, deployment(copys=2), deployment("other", target="nowhere")],
        "sources": [None, {"file": "fleet.yaml", "line": 7}, None],
    }
    refusal = problem(await client.post("/v1/apply", json=body), 422, "InvalidManifest")
    assert refusal["errors"] == [
        {
            "document": 1,
            "file": "fleet.yaml",
            "line": 7,
            "field": "spec.copys",
            "message": "unknown field `copys`: did you mean `copies`?",
        }
    ]
    assert await store.targets.list() == []


async def test_what_a_deployment_names_must_be_registered_or_come_along(
    client: httpx.AsyncClient, store: Store
) -> None:
    refusal = problem(await applied(client, TARGET, deployment(target="nowhere")), 422, "InvalidManifest")
    errors = refusal["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == ["spec.target", "spec.version"]
    assert await store.targets.list() == []


async def test_other_content_under_a_registered_version_is_a_conflict_and_changes_nothing(
    client: httpx.AsyncClient, store: Store
) -> None:
    await applied(client, version("1"))
    refusal = problem(await applied(client, TARGET, version("1", digest="b")), 409, "Conflict")
    errors = refusal["errors"]
    assert isinstance(errors, list)
    assert (errors[0]["document"], errors[0]["field"]) == (1, "spec.artifact.digest")
    assert await store.targets.list() == []


async def test_a_deployment_keeps_its_model_and_target(client: httpx.AsyncClient, seed: Seed, store: Store) -> None:
    await seed()
    spare = {"kind": "Target", "metadata": {"name": "spare"}, "spec": {"backend": "local"}}
    refusal = problem(await applied(client, version("1"), spare, deployment(target="spare")), 409, "Conflict")
    assert "never changes" in str(refusal["detail"])
    assert await store.targets.get("spare") is None


async def test_a_refused_deployment_does_not_keep_the_others_and_is_on_record(
    client: httpx.AsyncClient, worker: Worker, seed: Seed, store: Store
) -> None:
    await seed()
    await applied(client, TARGET, version("1"), version("2"), deployment(), key="first")
    await client.delete("/v1/deployments/digits")
    answer = await applied(client, deployment(label="2"), deployment("other"), key="second")
    refusal = problem(answer, 409, "Retiring")
    again = await applied(client, deployment(label="2"), deployment("other"), key="second")
    assert again.json() | {"instance": ""} == refusal | {"instance": ""}
    items, errors = refusal["items"], refusal["errors"]
    assert isinstance(items, list)
    assert isinstance(errors, list)
    assert [(item["name"], item["result"]) for item in items] == [("other", "created")]
    assert [error["document"] for error in errors] == [0]
    (event,) = await store.events.list("digits", types=[EventType.REFUSED])
    assert (event.actor, event.evidence["verb"]) == ("ada", "apply")


async def test_an_accepted_verb_is_202_and_gets_a_key_if_it_had_none(
    client: httpx.AsyncClient, worker: Worker, seed: Seed
) -> None:
    await seed()
    await applied(client, TARGET, version("1"), deployment())
    answer = await client.post("/v1/deployments/digits/promote", json={"full": True})
    assert answer.status_code == 202
    assert answer.json() == {
        "changed": True,
        "message": "promote full=True",
        "revision": 1,
        "operation": "digits/onboard-1",
    }
    assert len(answer.headers["idempotency-key"]) == 36
    assert (await client.post("/v1/deployments/digits/pause")).status_code == 202
    assert (await client.post("/v1/deployments/digits/pause", json={"reason": "lunch"})).status_code == 202


async def test_a_refused_verb_is_409_with_what_would_do_and_one_event(
    client: httpx.AsyncClient, worker: Worker, seed: Seed, store: Store
) -> None:
    await seed()
    await applied(client, TARGET, version("1"), deployment())
    details = set()
    for _ in range(2):
        answer = await client.post("/v1/deployments/digits/undo", headers={"Idempotency-Key": "undo-1"})
        details.add(str(problem(answer, 409, "OperationUnderWay")["detail"]))
    (detail,) = details
    assert "longshore rollout abort digits" in detail
    (event,) = await store.events.list("digits", types=[EventType.REFUSED])
    assert (event.actor, event.evidence) == ("ada", {"verb": "undo", "reason": "OperationUnderWay"})


async def test_delete_is_retire(client: httpx.AsyncClient, worker: Worker, seed: Seed) -> None:
    await seed()
    await applied(client, TARGET, version("1"), deployment())
    answer = await client.delete("/v1/deployments/digits")
    assert (answer.status_code, answer.json()["operation"]) == (202, "digits/retire-2")


async def test_an_unknown_deployment_is_404_and_starts_nothing(
    client: httpx.AsyncClient, worker: Worker, temporal_client: Client
) -> None:
    problem(await client.post("/v1/deployments/none/pause"), 404, "NotFound")
    with pytest.raises(RPCError, match="not found"):
        await temporal_client.get_workflow_handle(workflow_id("none")).describe()


@pytest.mark.parametrize(("row", "reason"), [({"retired": True}, "Retired"), ({}, "WorkflowMissing")])
async def test_a_stored_deployment_without_a_workflow_says_how_it_comes_back(
    client: httpx.AsyncClient, worker: Worker, seed: Seed, row: dict[str, bool], reason: str
) -> None:
    await seed(**row)
    refusal = problem(await client.post("/v1/deployments/digits/pause"), 409, reason)
    assert "longshore apply" in str(refusal["detail"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("scale", {}),
        ("scale", {"copies": -1}),
        ("undo", {"to": 0}),
        ("pause", {"because": "typo"}),
        ("dance", {}),
    ],
)
async def test_a_body_that_makes_no_sense_is_422(client: httpx.AsyncClient, path: str, body: dict[str, object]) -> None:
    refusal = problem(await client.post(f"/v1/deployments/digits/{path}", json=body), 422, "InvalidRequest")
    assert refusal["errors"]


async def test_a_key_that_is_none_is_400(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/deployments/digits/pause", headers={"Idempotency-Key": "a b"})
    problem(answer, 400, "InvalidIdempotencyKey")


async def test_without_a_worker_it_is_503_and_the_same_key_gets_the_answer_later(
    client: httpx.AsyncClient, temporal_client: Client, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await applied(client, TARGET, version("1"))
    monkeypatch.setattr(temporal, "UPDATE_TIMEOUT", timedelta(seconds=1))
    answer = await applied(client, deployment(), key="k")
    refusal = problem(answer, 503, "TemporalUnavailable")
    assert answer.headers["retry-after"] == "2"
    assert "same Idempotency-Key" in str(refusal["detail"])
    monkeypatch.undo()
    async with worker_of(temporal_client):
        async with asyncio.timeout(30):
            again = await applied(client, deployment(), key="k")
    assert again.json()["items"][0]["operation"] == "digits/onboard-1"
