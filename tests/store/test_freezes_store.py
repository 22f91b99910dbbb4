"""Freezes are kept by name, and what changed nothing changes nothing."""

from typing import Any

from examples import deployment
from temporalio.testing import ActivityEnvironment

from activities.freezes import FreezeActivities, scheduled
from activities.inputs import FreezeInput
from longshore.planning.operation import Frozen
from longshore.spec.freeze import FreezeSpec
from longshore.store.records import Record
from longshore.store.store import Store


def freeze(**more: Any) -> FreezeSpec:
    window = {"from": "1970-01-01T00:00", "until": "1970-01-02T00:00"}  # where an activity's test environment is
    return FreezeSpec.model_validate({"reason": "the epoch", "windows": [window], **more})


async def test_a_freeze_is_added_changed_left_alone_and_forgotten(store: Store) -> None:
    assert await store.freezes.put("epoch", freeze(), "ada")
    assert not await store.freezes.put("epoch", freeze(), "bob")
    assert await store.freezes.put("epoch", freeze(labels={"team": "search"}), "bob")
    stored = await store.freezes.get("epoch")
    assert stored is not None
    assert (stored.spec, stored.actor) == (freeze(labels={"team": "search"}), "bob")
    assert stored.created_at < stored.updated_at
    assert [one.name for one in await store.freezes.list()] == ["epoch"]
    assert await store.freezes.get("other") is None
    assert await store.freezes.delete("epoch")
    assert not await store.freezes.delete("epoch")
    assert await store.freezes.list() == []


async def asked(store: Store, name: str = "d") -> Frozen | None:
    activities = FreezeActivities(store, scheduled)
    answer = await ActivityEnvironment().run(activities.read, FreezeInput(target="fleet", deployment=name))
    return answer.frozen


async def test_a_rollout_is_held_by_what_is_stored_of_its_deployment(store: Store) -> None:
    await store.record(Record(source="deployment/d", step=1, deployment=deployment(labels={"team": "search"})))
    assert await asked(store) is None

    await store.freezes.put("ads", freeze(labels={"team": "ads"}), "ada")
    await store.freezes.put("elsewhere", freeze(targets=["lab"]), "ada")
    assert await asked(store) is None

    await store.freezes.put("search", freeze(labels={"team": "search"}), "ada")
    held = await asked(store)
    assert held is not None
    assert held.name == "search"
    assert await asked(store, "another") is None

    await store.freezes.delete("search")
    assert await asked(store) is None
