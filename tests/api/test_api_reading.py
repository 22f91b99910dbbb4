"""What the API shows of what is stored."""

import httpx
from api_world import Seed, problem

from longshore.planning.observed import Upstream
from longshore.spec.target import TargetSpec
from longshore.store.store import Store


async def test_a_deployment_is_exactly_the_object_of_the_contract(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    answer = await client.get("/v1/deployments/digits")
    assert answer.json() == {
        "name": "digits",
        "target": "workstation",
        "model": "digits",
        "revision": 1,
        "version": "1",
        "copies": {"1": 2},
        "ready": {"1": 2},
        "traffic": {"1": 100},
        "rolloutTo": None,
        "phase": "Succeeded",
        "health": "Healthy",
        "drift": "InSync",
        "reason": None,
        "message": None,
        "temporalUrl": "http://127.0.0.1:8233/namespaces/default/workflows/deployment%2Fdigits",
    }


async def test_the_detail_has_copies_revisions_and_the_operation(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed(labels={"team": "search"})
    detail = (await client.get("/v1/deployments/digits/detail")).json()
    assert detail["deployment"] == (await client.get("/v1/deployments/digits")).json()
    assert detail["labels"] == {"team": "search"}
    assert detail["spec"]["rollout"]["drainTimeout"] == "1m"
    assert detail["copies"][0] | {"restarts": 0} == {
        "id": "digits-1-0",
        "deployment": "digits",
        "model": "digits",
        "version": "1",
        "host": "a",
        "accelerators": [0],
        "address": "127.0.0.1:9000",
        "state": "ready",
        "restarts": 0,
        "reason": None,
        "message": None,
        "startedAt": "2026-05-04T12:00:00Z",
        "readyAt": "2026-05-04T12:00:00Z",
    }
    assert detail["revisions"][0]["phase"] == "Succeeded"
    assert detail["operation"]["id"] == "digits/onboard-1"


async def test_the_rollout_is_the_latest_operation_with_its_ladder(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    rollout = (await client.get("/v1/deployments/digits/rollout")).json()
    assert rollout["progress"]["batches"][0]["state"] == "done"
    assert rollout["progress"]["peakAccelerators"] == 2
    assert rollout["temporalUrl"].endswith("/workflows/deployment%2Fdigits%2Fonboard-1")
    assert "step" not in rollout
    history = (await client.get("/v1/deployments/digits/rollouts")).json()
    assert history == {"items": [rollout], "next": None}


async def test_lists_come_in_pages_that_together_are_everything(client: httpx.AsyncClient, seed: Seed) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        await seed(name)
    seen: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor:
        parameters = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/deployments", params=parameters)).json()
        seen += [item["name"] for item in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert (seen, pages) == (names, 3)


async def test_deployments_are_filtered_by_label_phase_model_and_target(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed("a", labels={"team": "search", "tier": "1"})
    await seed("b", labels={"team": "search"})

    async def names(query: str) -> list[str]:
        return [item["name"] for item in (await client.get(f"/v1/deployments?{query}")).json()["items"]]

    assert await names("label=team=search") == ["a", "b"]
    assert await names("label=team=search&label=tier=1") == ["a"]
    assert await names("phase=Paused") == []
    assert await names("model=digits&target=workstation&phase=Succeeded") == ["a", "b"]
    problem(await client.get("/v1/deployments?label=search"), 400, "InvalidLabel")
    problem(await client.get("/v1/deployments?phase=Sleeping"), 422, "InvalidRequest")


async def test_a_retired_deployment_is_shown_by_name_but_not_listed(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed(retired=True)
    assert (await client.get("/v1/deployments")).json() == {"items": [], "next": None}
    assert (await client.get("/v1/deployments/digits")).json()["health"] == "ScaledToZero"


async def test_the_moment_between_an_operations_success_and_its_deployments_word_is_no_drift(
    client: httpx.AsyncClient, seed: Seed
) -> None:
    await seed(revision=None, version=None, rollout_to={"revision": 1, "version": "1"})
    shown = (await client.get("/v1/deployments/digits")).json()
    assert (shown["version"], shown["health"], shown["drift"]) == (None, "Healthy", "InSync")


async def test_targets_show_what_is_held_on_each_host(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    target = (await client.get("/v1/targets/workstation")).json()
    size = {"accelerators": 4, "acceleratorMemoryGiB": 40.0, "instanceType": None}
    assert target["hosts"] == [{"name": "a", **size, "up": True, "obtainable": False, "held": 2}]
    assert (await client.get("/v1/targets")).json()["items"] == [target]


async def test_a_target_in_use_is_not_deleted(client: httpx.AsyncClient, seed: Seed, store: Store) -> None:
    await seed()
    refusal = problem(await client.delete("/v1/targets/workstation"), 409, "Conflict")
    assert "digits" in str(refusal["detail"])
    assert await store.targets.get("workstation") is not None


async def test_an_unused_target_is_deleted_once(client: httpx.AsyncClient, store: Store) -> None:
    await store.targets.put("spare", TargetSpec(backend="local"), "ada")
    assert (await client.delete("/v1/targets/spare")).json()["changed"] is True
    assert (await client.delete("/v1/targets/spare")).json()["changed"] is False


async def test_traffic_says_where_requests_go(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    traffic = (await client.get("/v1/deployments/digits/traffic")).json()
    assert traffic["traffic"] == {"1": 100}
    assert traffic["url"] == "http://127.0.0.1:8471/v1/models/digits/"
    assert [endpoint["address"] for endpoint in traffic["endpoints"]] == ["127.0.0.1:9000", "127.0.0.1:9001"]
    assert traffic["upstreams"] == []


async def test_traffic_names_the_services_of_the_versions_that_are_there(
    client: httpx.AsyncClient, seed: Seed, store: Store
) -> None:
    await seed()
    seen = await store.fleet.observation("workstation")
    assert seen
    copies = tuple(copy.model_copy(update={"address": None}) for copy in seen.copies)
    upstreams = tuple(
        Upstream(
            deployment="digits", version=version, address="a:443", host="a", path="/endpoints/a", headers={"X": "c"}
        )
        for version in ("1", "7")
    )
    await store.fleet.save_observation(
        seen.model_copy(update={"sequence": seen.sequence + 1, "copies": copies, "upstreams": upstreams})
    )
    traffic = (await client.get("/v1/deployments/digits/traffic")).json()
    assert traffic["upstreams"] == [{"version": "1", "url": "https://a/endpoints/a", "headers": {"X": "c"}}]
    assert {endpoint["address"] for endpoint in traffic["endpoints"]} == {None}


async def test_copies_are_listed_by_id(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    page = (await client.get("/v1/deployments/digits/copies?limit=1")).json()
    assert [copy["id"] for copy in page["items"]] == ["digits-1-0"]
    rest = (await client.get("/v1/deployments/digits/copies", params={"cursor": page["next"]})).json()
    assert [copy["id"] for copy in rest["items"]] == ["digits-1-1"]


async def test_logs_of_a_backend_that_does_not_answer_are_503(client: httpx.AsyncClient, seed: Seed) -> None:
    await seed()
    answer = await client.get("/v1/deployments/digits/logs")
    problem(answer, 503, "AgentUnavailable")
    assert answer.headers["retry-after"]
    problem(await client.get("/v1/deployments/digits/logs?copy=other"), 404, "NotFound")


async def test_unknown_things_are_404_and_name_the_command_that_lists_them(client: httpx.AsyncClient) -> None:
    paths = [
        f"/v1/deployments/none{rest}" for rest in ("", "/detail", "/rollout", "/rollouts", "/revisions", "/ledger")
    ]
    paths += [f"/v1/deployments/none{rest}" for rest in ("/copies", "/events", "/traffic", "/logs")]
    paths += ["/v1/targets/none", "/v1/models/none/versions", "/v1/models/none/versions/1"]
    for path in paths:
        assert "longshore get" in str(problem(await client.get(path), 404, "NotFound")["detail"])
