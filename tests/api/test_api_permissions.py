"""Which role may do what: every endpoint against every role, and what approvals and overrides carry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from typing import get_args

import httpx
import pytest
from api_world import Seed, problem
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.worker import Worker
from tiny_listener import TinyListener

from longshore.api.authorisation import Role
from longshore.api.temporal import Connect
from longshore.messages import DEPLOYMENT_WORKFLOW, TASK_QUEUE, workflow_id
from longshore.store.store import Store

ALL = frozenset[str](get_args(Role))
CHANGERS = frozenset({"operator", "admin"})
DECIDERS = frozenset({"approver", "admin"})
ADMINS = frozenset({"admin"})
NOT_READING: dict[tuple[str, str], frozenset[str]] = {
    ("post", "/v1/apply"): CHANGERS,
    ("delete", "/v1/targets/{target}"): CHANGERS,
    ("delete", "/v1/freezes/{freeze}"): DECIDERS,
    ("delete", "/v1/deployments/{deployment}"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/scale"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/undo"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/adopt"): CHANGERS,
    ("post", "/v1/targets/{target}/components/{component}/import"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/promote"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/{verb}"): CHANGERS,
    ("post", "/v1/deployments/{deployment}/approve"): DECIDERS,
    ("post", "/v1/deployments/{deployment}/override"): DECIDERS,
    ("get", "/v1/keys"): ADMINS,
    ("post", "/v1/keys"): ADMINS,
    ("delete", "/v1/keys/{key}"): ADMINS,
}
"""Who may; all others are for reading, and for all."""
READING = {("post", "/v1/plan")}
"""Reads, with a body."""
ENDLESS = {("get", "/v1/events")}
BODIES = {
    "scale": {"copies": 1},
    "override": {"reason": "it must"},
    "import": {"deployment": "d", "model": "m"},
    "apply": {"documents": [{"kind": "Target", "metadata": {"name": "t"}, "spec": {"backend": "local"}}]},
    "plan": {"documents": [{"kind": "Target", "metadata": {"name": "t"}, "spec": {"backend": "local"}}]},
    "keys": {"name": "bob", "roles": ["viewer"]},
}

As = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def acting(anonymous: httpx.AsyncClient, store: Store) -> As:
    """A client whose key has these roles."""

    async def become(*roles: str, name: str = "eve") -> httpx.AsyncClient:
        _, key = await store.keys.create(name, roles=roles)
        anonymous.headers["Authorization"] = f"Bearer {key}"
        return anonymous

    return become


def endpoints(app: FastAPI) -> list[tuple[str, str]]:
    paths = app.openapi()["paths"].items()
    return [(method, path) for path, item in paths for method in item if path.startswith("/v1/")]


async def test_every_exception_of_the_table_is_an_endpoint(app: FastAPI) -> None:
    assert set(NOT_READING) <= set(endpoints(app))
    assert {method for method, path in set(endpoints(app)) - set(NOT_READING) - READING} == {"get"}


@pytest.mark.parametrize("role", sorted(ALL))
async def test_every_endpoint_lets_in_exactly_the_roles_of_the_table(app: FastAPI, acting: As, role: str) -> None:
    await app.state.dependencies.store.keys.create("root")
    client = await acting(role)
    for method, path in endpoints(app):
        if (method, path) in ENDLESS:
            continue
        filled = path.replace("{verb}", "pause").replace("{", "").replace("}", "")
        body = BODIES.get(path.rpartition("/")[2]) if method == "post" else None
        answer = await client.request(method, filled, json=body)
        may = role in NOT_READING.get((method, path), ALL)
        assert (answer.status_code != 403) == may, (method, path, answer.text)
        assert answer.status_code not in {401, 405, 422, 500}, (method, path, answer.text)


async def test_events_are_for_readers_too(acting: As) -> None:
    client = await acting("viewer")
    assert (await client.get("/v1/events", headers={"Accept": "application/json"})).status_code == 200


async def test_a_role_of_ones_own_alone_permits_nothing_and_beside_another_takes_nothing(acting: As) -> None:
    assert (await (await acting("release-manager")).get("/v1/targets")).status_code == 403
    assert (await (await acting("release-manager", "viewer")).get("/v1/targets")).status_code == 200


async def test_who_may_not_hears_which_roles_may(acting: As) -> None:
    refusal = problem(await (await acting("viewer")).post("/v1/deployments/d/pause"), 403, "Forbidden")
    assert refusal["detail"] == "the key 'eve' may not change: ask for a key with one of the roles admin, operator"


# -- what is carried ----------------------------------------------------------------------------------------------


@pytest.fixture
def connect(temporal_client: Client) -> Connect:
    async def connected() -> Client:
        return temporal_client

    return connected


@pytest.fixture
async def listening(temporal_client: Client, seed: Seed) -> AsyncIterator[None]:
    """The deployment `digits`, whose workflow says what it hears."""
    await seed()
    async with Worker(temporal_client, task_queue=TASK_QUEUE, workflows=[TinyListener]):
        await temporal_client.start_workflow(DEPLOYMENT_WORKFLOW, id=workflow_id("digits"), task_queue=TASK_QUEUE)
        yield


PATH = "/v1/deployments/digits"


async def test_an_approval_carries_the_roles_of_the_key_and_nothing_that_is_sent(listening: None, acting: As) -> None:
    client = await acting("approver", "release-manager")
    answer = await client.post(f"{PATH}/approve", json={"reason": "looks good"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["message"] == "eve as approver, release-manager: looks good"
    problem(await client.post(f"{PATH}/approve", json={"roles": ["admin"]}), 422, "InvalidRequest")
    assert (await client.post(f"{PATH}/approve")).json()["message"] == "eve as approver, release-manager: None"


async def test_an_override_carries_its_reason_and_needs_one(listening: None, acting: As) -> None:
    client = await acting("approver")
    answer = await client.post(f"{PATH}/override", json={"reason": "a leak must be closed"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["message"] == "eve: a leak must be closed"
    for body in (None, {}, {"reason": ""}):
        problem(await client.post(f"{PATH}/override", json=body), 422, "InvalidRequest")


@pytest.mark.parametrize(("verb", "name"), list(product(["approve", "override"], ["none", "digits"])))
async def test_both_are_answered_like_every_verb(listening: None, acting: As, verb: str, name: str) -> None:
    client = await acting("approver")
    path = f"/v1/deployments/{name}/{verb}"
    first, again = [
        await client.post(path, json={"reason": "because"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    if name == "none":
        problem(first, 404, "NotFound")
    else:
        assert (first.status_code, again.json()) == (202, first.json())
