"""POST /v1/plan: what applying would do, and that nothing comes of asking."""

import httpx
import pytest
from api_world import TARGET, applied, deployment, problem, seed_deployment, version

from longshore.store.store import Store


async def planned(client: httpx.AsyncClient, *documents: dict[str, object]) -> httpx.Response:
    return await client.post("/v1/plan", json={"documents": documents})


def accelerated(label: str, accelerators: int = 1) -> dict[str, object]:
    document = version(label)
    return {**document, "spec": {**document["spec"], "resources": {"accelerators": accelerators}}}  # type: ignore[dict-item]


SERVED = {"deployment": "digits", "changed": True, "operation": "rollout", "version": "2", "strategy": "rolling"}


@pytest.fixture
async def serving(client: httpx.AsyncClient, store: Store) -> None:
    """Two ready copies of version 1, one accelerator each, on a host of four."""
    await applied(client, TARGET, accelerated("1"))
    await seed_deployment(store)


async def test_a_version_of_the_same_documents_is_planned_as_if_it_were_registered(
    client: httpx.AsyncClient, store: Store, serving: None
) -> None:
    answer = await planned(client, accelerated("2"), deployment(label="2", copies=2, rollout={"batch": 1}))

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "items": [
            {
                **SERVED,
                "reason": "nothing speaks against it",
                "batches": [{"add": 1, "remove": 1, "weight": 50}, {"add": 1, "remove": 1, "weight": 100}],
                "peakAccelerators": 3,
                "extraAccelerators": 1,
                "lowestReady": 2,
                "dip": 0,
                "fits": True,
                "unplaced": 0,
                "frozen": None,
                "placement": {"a": 2},
                "extraAcceleratorSeconds": 60.0,
                "estimatedSeconds": 60.0,
                "instances": None,
                "costPerHour": None,
                "extraCost": None,
                "unpriced": None,
            }
        ]
    }
    assert [row.version for row in await store.models.list("digits")] == ["1"]
    assert (await store.deployments.rows(["digits"]))[0].spec.version == "1"
    assert (await store.reservations.room("workstation")).reservations == ()


async def test_what_is_just_so_moves_nothing(client: httpx.AsyncClient, serving: None) -> None:
    (plan,) = (await planned(client, deployment(copies=2))).json()["items"]

    assert (plan["changed"], plan["strategy"], plan["batches"], plan["reason"]) == (False, None, [], "is just that")
    assert (plan["peakAccelerators"], plan["lowestReady"], plan["estimatedSeconds"]) == (2, 2, 0.0)


async def test_what_finds_no_room_says_what_is_short_and_the_rest_is_planned_with_room(
    client: httpx.AsyncClient, serving: None
) -> None:
    (plan,) = (await planned(client, accelerated("2", 3), deployment(label="2", copies=2))).json()["items"]

    assert (plan["fits"], plan["unplaced"], len(plan["batches"])) == (False, 1, 2)
    assert plan["reason"].startswith("needs 3 accelerators for one copy, 2 are free on workstation")


async def test_deployments_of_one_target_share_its_room(client: httpx.AsyncClient, serving: None) -> None:
    first, second = deployment("one", copies=1), deployment("two", copies=2)

    plans = (await planned(client, first, second)).json()["items"]

    assert [(plan["deployment"], plan["fits"], plan["unplaced"]) for plan in plans] == [
        ("one", True, 0),
        ("two", False, 1),
    ]


async def test_a_freeze_holds_up_rollouts_and_nothing_else(client: httpx.AsyncClient, serving: None) -> None:
    always = {
        "reason": "audit",
        "timeZone": "UTC",
        "windows": [{"from": "2020-01-01T00:00", "until": "2099-01-01T00:00"}],
    }
    freeze = {"kind": "Freeze", "metadata": {"name": "audit"}, "spec": always}

    (rollout,) = (await planned(client, freeze, accelerated("2"), deployment(label="2", copies=2))).json()["items"]
    (scale,) = (await planned(client, freeze, deployment(copies=3))).json()["items"]

    assert "audit" in rollout["frozen"]
    assert (scale["operation"], scale["frozen"]) == ("scale", None)


async def test_hosts_of_a_target_in_the_documents_count(client: httpx.AsyncClient) -> None:
    hosts = [{"name": "a", "accelerators": 2}, {"name": "b", "accelerators": 1}]
    target = {**TARGET, "spec": {"backend": "local", "hosts": hosts}}

    (plan,) = (await planned(client, target, accelerated("1"), deployment(copies=3))).json()["items"]

    assert (plan["operation"], plan["fits"], plan["placement"]) == ("onboard", True, {"a": 2, "b": 1})
    assert (plan["estimatedSeconds"], plan["extraAcceleratorSeconds"]) == (None, None)


async def test_of_a_target_that_nobody_has_read_it_is_not_known_what_fits(client: httpx.AsyncClient) -> None:
    (plan,) = (await planned(client, TARGET, accelerated("1"), deployment(copies=3))).json()["items"]

    assert plan["fits"] is False
    assert plan["reason"] == "nothing is known of the room on workstation until a worker beside it has read it"
    assert plan["batches"] == [{"add": 3, "remove": 0, "weight": 100}]


def on_sagemaker(kind: str, least: int) -> tuple[dict[str, object], dict[str, object]]:
    """A target whose endpoint is to be made, and a version that can serve there."""
    place = {
        "region": "us-east-1",
        "endpoint": "fleet",
        "instances": {"type": kind, "min": least, "max": 3},
        "executionRole": "arn:aws:iam::123456789012:role/serve",
    }
    target = {**TARGET, "spec": {"backend": "sagemaker", "sagemaker": place}}
    serving = version("1")
    serving["spec"] = {
        "artifact": {"uri": "s3://models/digits-1.tar.gz", "digest": f"sha256:{'a' * 64}"},
        "server": {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1"},
        "resources": {"accelerators": 2, "memoryGiB": 8},
    }
    return target, serving


async def test_instances_that_are_not_there_yet_are_planned_and_priced(client: httpx.AsyncClient) -> None:
    target, serving = on_sagemaker("ml.g5.12xlarge", least=1)

    (plan,) = (await planned(client, target, serving, deployment(copies=3))).json()["items"]

    assert (plan["fits"], plan["placement"]) == (True, {"instance-1": 2, "instance-2": 1})
    assert plan["instances"] == {"type": "ml.g5.12xlarge", "before": 1, "peak": 2, "after": 2}
    cost = plan["costPerHour"]
    assert (cost["before"], cost["peak"], cost["after"], cost["currency"]) == (7.09, 14.18, 14.18, "USD")
    assert (cost["priced"], "AWS Price List" in cost["source"]) == ("2026-08", True)
    assert (plan["extraCost"], plan["unpriced"]) == (None, None)


async def test_a_price_that_is_not_known_leaves_the_rest_of_the_plan(client: httpx.AsyncClient) -> None:
    target, serving = on_sagemaker("ml.p5.48xlarge", least=0)

    (plan,) = (await planned(client, target, serving, deployment(copies=3))).json()["items"]

    assert plan["instances"] == {"type": "ml.p5.48xlarge", "before": 0, "peak": 1, "after": 1}
    assert plan["costPerHour"] is None
    assert "no price of ml.p5.48xlarge in us-east-1 is known" in plan["unpriced"]


async def test_what_would_be_refused_is_refused_beside_the_plans_of_the_others(
    client: httpx.AsyncClient, serving: None
) -> None:
    alone = accelerated("2")
    alone["spec"]["sideBySide"] = False  # type: ignore[index]
    refused = deployment(label="2", copies=2, rollout={"strategy": "rolling"})

    content = problem(await planned(client, alone, refused, deployment("other", copies=1)), 409, "SideBySide")

    assert [plan["deployment"] for plan in content["items"]] == ["other"]  # type: ignore[attr-defined]


async def test_a_wrong_document_is_told_as_apply_tells_it(client: httpx.AsyncClient) -> None:
    problem(await planned(client, deployment()), 422, "InvalidManifest")
