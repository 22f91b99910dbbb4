"""API keys are made, listed and revoked by admins, and shown once."""

import httpx
import pytest
from api_world import problem

from longshore.store.store import Store


async def made(client: httpx.AsyncClient, name: str = "bob", *roles: str) -> dict[str, str]:
    answer = await client.post("/v1/keys", json={"name": name, "roles": roles or ["approver"]})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    content: dict[str, str] = answer.json()
    return content


async def test_a_key_is_shown_when_it_is_made_and_never_again(client: httpx.AsyncClient, store: Store) -> None:
    key = await made(client, "bob@search", "approver", "release-manager")
    shown = await client.get("/v1/keys")
    assert [(item["name"], item["roles"]) for item in shown.json()["items"]] == [
        ("ada", ["admin"]),
        ("bob@search", ["approver", "release-manager"]),
    ]
    assert key["key"] not in shown.text
    verified = await store.keys.verify(key["key"])
    assert verified is not None
    assert (verified.id, verified.roles) == (key["id"], ("approver", "release-manager"))


async def test_the_same_request_again_is_refused_and_nothing_of_the_key_was_kept(
    client: httpx.AsyncClient, store: Store
) -> None:
    await made(client)
    again = await client.post("/v1/keys", json={"name": "bob", "roles": ["approver"]}, headers={"Idempotency-Key": "k"})
    assert "revoke it first" in str(problem(again, 409, "Conflict")["detail"])
    (ada,) = [key for key in await store.keys.list() if key.name == "ada"]
    assert await store.answers.get(ada.id, "k") is None


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_revoked_key_no_longer_passes_and_its_name_is_free(
    client: httpx.AsyncClient, store: Store, by: str
) -> None:
    key = await made(client)
    answers = [(await client.delete(f"/v1/keys/{key[by]}")).json() for _ in range(2)]
    assert [answer["changed"] for answer in answers] == [True, False]
    assert await store.keys.verify(key["key"]) is None
    (bob,) = [item for item in (await client.get("/v1/keys")).json()["items"] if item["name"] == "bob"]
    assert bob["revokedAt"] is not None
    assert (await made(client))["id"] != key["id"]


async def test_the_last_admin_stays(client: httpx.AsyncClient) -> None:
    await made(client, "bob", "operator")
    assert "last key of an admin" in str(problem(await client.delete("/v1/keys/ada"), 409, "Conflict")["detail"])
    await made(client, "eve", "admin")
    assert (await client.delete("/v1/keys/ada")).json()["changed"] is True
    problem(await client.get("/v1/keys"), 401, "Unauthorized")


async def test_two_of_one_name_are_told_apart_by_id(client: httpx.AsyncClient, store: Store) -> None:
    ids = [(await store.keys.create("old", roles=("viewer",)))[0].id for _ in range(2)]
    detail = str(problem(await client.delete("/v1/keys/old"), 409, "Conflict")["detail"])
    assert all(one in detail for one in ids)
    assert (await client.delete(f"/v1/keys/{ids[0]}")).json()["changed"] is True


async def test_a_key_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    detail = problem(await client.delete("/v1/keys/none"), 404, "NotFound")["detail"]
    assert detail == "there is no key 'none'; `longshore keys list` lists those there are"


MISTAKES = [
    {"name": "bob", "roles": []},
    {"name": "bob", "roles": ["release-manager"]},
    {"name": "bob", "roles": ["Not A Role"]},
    {"name": "two words", "roles": ["viewer"]},
    {"name": "", "roles": ["viewer"]},
    {"name": "bob"},
]


@pytest.mark.parametrize("body", MISTAKES, ids=map(str, MISTAKES))
async def test_a_key_needs_a_name_and_a_role_that_permits_something(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    refusal = problem(await client.post("/v1/keys", json=body), 422, "InvalidRequest")
    assert "Value error" not in str(refusal)
