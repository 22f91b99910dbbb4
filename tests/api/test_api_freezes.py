"""Freezes are applied like everything, and read with whether they hold now."""

import httpx
import pytest
from api_world import TARGET, Seed, applied, problem

from longshore.store.store import Store

WINDOW = {"from": "2026-05-04T00:00", "until": "2026-05-05T00:00"}
"""The day of the tests' clock."""


def freeze(name: str = "sale", **spec: object) -> dict[str, object]:
    return {"kind": "Freeze", "metadata": {"name": name}, "spec": {"reason": "peak", "windows": [WINDOW]} | spec}


async def results(client: httpx.AsyncClient, *documents: dict[str, object]) -> list[tuple[str, str]]:
    answer = await applied(client, *documents)
    assert answer.status_code == 200, answer.text
    return [(item["result"], item["message"]) for item in answer.json()["items"]]


async def test_a_freeze_is_created_changed_and_left_alone(client: httpx.AsyncClient) -> None:
    assert await results(client, freeze()) == [("created", "new")]
    assert await results(client, freeze(timeZone="UTC")) == [("unchanged", "as it is")]
    assert await results(client, freeze(reason="sale")) == [("changed", "spec.reason peak → sale")]


async def test_a_dry_run_says_what_would_come_of_it(client: httpx.AsyncClient, store: Store) -> None:
    answer = await client.post("/v1/apply", json={"documents": [freeze()], "dryRun": True})
    assert [item["result"] for item in answer.json()["items"]] == ["created"]
    assert await store.freezes.list() == []


async def test_a_freeze_is_read_with_when_it_ends_if_it_holds_now(client: httpx.AsyncClient) -> None:
    later = {"from": "2026-06-01T00:00", "until": "2026-06-02T00:00"}
    await results(client, freeze("now", timeZone="Europe/Berlin"), freeze("later", windows=[later]))
    items = (await client.get("/v1/freezes")).json()["items"]
    assert [(item["name"], item["holdsUntil"], item["actor"]) for item in items] == [
        ("later", None, "ada"),
        ("now", "2026-05-04T22:00:00Z", "ada"),
    ]
    assert (await client.get("/v1/freezes/now")).json() == items[1]
    assert items[1]["spec"]["windows"] == [{"days": [], **WINDOW}]


async def test_a_freeze_is_deleted_once(client: httpx.AsyncClient) -> None:
    await results(client, freeze())
    assert [(await client.delete("/v1/freezes/sale")).json()["changed"] for _ in range(2)] == [True, False]
    assert "longshore get freezes" in str(problem(await client.get("/v1/freezes/sale"), 404, "NotFound")["detail"])


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"deployments": ["digts"]}, ("spec.deployments[0]", "no deployment digts: did you mean `digits`?")),
        ({"targets": ["workstatoin"]}, ("spec.targets[0]", "no target workstatoin: did you mean `workstation`?")),
        ({"targets": ["moon"]}, ("spec.targets[0]", "no target moon: longshore get targets lists those there are")),
    ],
)
async def test_a_freeze_for_what_is_not_there_would_hold_nothing_and_is_refused(
    client: httpx.AsyncClient, seed: Seed, store: Store, spec: dict[str, object], error: tuple[str, str]
) -> None:
    await seed()
    refusal = problem(await applied(client, freeze(**spec)), 422, "InvalidManifest")
    assert refusal["errors"] == [{"document": 0, "field": error[0], "message": f"there is {error[1]}"}]
    assert await store.freezes.list() == []


async def test_a_freeze_may_come_with_what_it_is_for(client: httpx.AsyncClient) -> None:
    assert await results(client, freeze(targets=["workstation"]), TARGET) == [("created", "new")] * 2


async def test_a_wrong_freeze_is_told_as_a_file_would_be(client: httpx.AsyncClient) -> None:
    refusal = problem(await applied(client, freeze(timeZone="Berlin")), 422, "InvalidManifest")
    assert refusal["errors"] == [
        {
            "document": 0,
            "field": "spec.timeZone",
            "message": "unknown time zone `Berlin`: did you mean `Europe/Berlin`?",
        }
    ]


async def test_an_operator_may_add_a_freeze_and_leave_it_but_not_loosen_it(
    client: httpx.AsyncClient, store: Store
) -> None:
    _, key = await store.keys.create("bob", roles=("operator",))
    client.headers["Authorization"] = f"Bearer {key}"
    assert await results(client, freeze()) == [("created", "new")]
    assert await results(client, freeze()) == [("unchanged", "as it is")]
    refusal = problem(await applied(client, TARGET, freeze(reason="none")), 403, "Forbidden")
    assert refusal["detail"] == (
        "the key 'bob' may not change freeze sale, which holds rollouts: ask for a key with one of the roles admin, "
        "approver"
    )
    problem(await client.delete("/v1/freezes/sale"), 403, "Forbidden")
    (kept,) = await store.freezes.list()
    assert kept.spec.reason == "peak"
    assert await store.targets.list() == []


async def test_an_operator_who_is_an_approver_too_may_change_a_freeze(client: httpx.AsyncClient, store: Store) -> None:
    await results(client, freeze())
    _, key = await store.keys.create("eve", roles=("operator", "approver"))
    client.headers["Authorization"] = f"Bearer {key}"
    assert await results(client, freeze(reason="sale")) == [("changed", "spec.reason peak → sale")]
