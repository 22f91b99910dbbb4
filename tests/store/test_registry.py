"""Targets keep their backend, versions never change, and API keys are known by their digest alone."""

import asyncio
from typing import Any

import pytest
from examples import copy, deployment, observation
from sqlalchemy import select

from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec
from longshore.store.errors import ConflictError
from longshore.store.models import first_difference
from longshore.store.records import Record
from longshore.store.store import Store
from longshore.store.tables import api_keys

LOCAL = TargetSpec(backend="local")
DIGEST = f"sha256:{'0' * 64}"


def version(**changes: Any) -> ModelVersionSpec:
    values: dict[str, Any] = {
        "artifact": {"uri": "file:///m", "digest": DIGEST},
        "server": {"command": ["serve", "--port", "$(PORT)"]},
    }
    return ModelVersionSpec.model_validate(values | changes)


async def test_a_target_is_registered_changed_and_left_alone(store: Store) -> None:
    more = TargetSpec.model_validate({"backend": "local", "hosts": [{"name": "a", "accelerators": 2}]})
    assert await store.targets.put("fleet", LOCAL, "ada")
    assert not await store.targets.put("fleet", LOCAL, "bob")
    assert await store.targets.put("fleet", more, "bob")
    stored = await store.targets.get("fleet")
    assert stored is not None
    assert (stored.spec, stored.actor) == (more, "bob")
    assert [one.name for one in await store.targets.list()] == ["fleet"]
    assert await store.targets.get("other") is None


async def test_a_target_keeps_its_backend(store: Store) -> None:
    await store.targets.put("fleet", LOCAL, "ada")
    with pytest.raises(ConflictError, match="fleet has backend local, which cannot become simulated"):
        await store.targets.put("fleet", TargetSpec(backend="simulated"), "ada")


async def test_a_target_in_use_is_not_deleted(store: Store) -> None:
    await store.targets.put("fleet", LOCAL, "ada")
    await store.record(Record(source="deployment/d", step=1, deployment=deployment()))
    with pytest.raises(ConflictError, match="fleet is used by d"):
        await store.targets.delete("fleet")

    await store.record(Record(source="deployment/d", step=2, deployment=deployment(2, retired=True)))
    await store.fleet.save_observation(observation(1, copy("c1")))
    with pytest.raises(ConflictError, match="still holds 1 copies"):
        await store.targets.delete("fleet")

    await store.fleet.save_observation(observation(2))
    assert await store.targets.delete("fleet")
    assert not await store.targets.delete("fleet")
    assert await store.fleet.observation("fleet") is None


async def test_a_version_is_registered_once(store: Store) -> None:
    assert await store.models.put("m", "1", version(), "ada")
    assert not await store.models.put("m", "1", version(), "bob")
    assert await store.models.put("m", "2", version(), "ada")
    await store.models.put("another", "1", version(), "ada")
    stored = await store.models.get("m", "1")
    assert stored is not None
    assert (stored.spec, stored.actor) == (version(), "ada")
    assert [(one.model, one.version) for one in await store.models.list()] == [("another", "1"), ("m", "1"), ("m", "2")]
    assert [one.version for one in await store.models.list("m")] == ["1", "2"]
    assert await store.models.get("m", "3") is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"artifact": {"uri": "file:///n", "digest": DIGEST}}, "spec.artifact.uri"),
        ({"server": {"command": ["serve", "--port", "80"]}}, r"spec.server.command\[2\]"),
        ({"server": {"command": ["serve"]}}, "spec.server.command"),
        ({"resources": {"acceleratorMemoryGiB": 16}}, "spec.resources.acceleratorMemoryGiB"),
        ({"evaluation": {"accuracy": 0.9}}, "spec.evaluation.accuracy"),
        ({"sideBySide": False}, "spec.sideBySide"),
    ],
)
async def test_other_content_under_the_same_version_is_refused_by_the_name_of_what_differs(
    store: Store, changes: dict[str, Any], field: str
) -> None:
    await store.models.put("m", "1", version(), "ada")
    with pytest.raises(ConflictError, match=f"version 1 of m is registered with another {field},"):
        await store.models.put("m", "1", version(**changes), "ada")
    stored = await store.models.get("m", "1")
    assert stored is not None
    assert stored.spec == version()


def test_equal_values_have_no_first_difference() -> None:
    assert first_difference({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) is None


async def test_of_registrations_at_once_one_wins(postgres_store: Store) -> None:
    changes = [postgres_store.models.put("m", "1", version(), f"actor{number}") for number in range(5)]
    assert sorted(await asyncio.gather(*changes)) == [False] * 4 + [True]


async def test_a_key_passes_until_it_is_revoked(store: Store) -> None:
    key, plaintext = await store.keys.create("ada", ("admin",))
    assert plaintext.startswith(f"lsk_{key.id}_")
    assert await store.keys.verify(plaintext) == key
    assert await store.keys.revoke(key.id)
    assert not await store.keys.revoke(key.id)
    assert await store.keys.verify(plaintext) is None
    (listed,) = await store.keys.list()
    assert (listed.name, listed.revoked_at is not None) == ("ada", True)


async def test_only_the_whole_key_passes(store: Store) -> None:
    key, plaintext = await store.keys.create("ada")
    _, other = await store.keys.create("bob")
    mixed = f"lsk_{key.id}_{other.rpartition('_')[2]}"
    for wrong in ("", "lsk", "lsk_", f"lsk_{key.id}", plaintext[:-1], plaintext + "x", mixed, "Bearer", "lsk_é_x"):
        assert await store.keys.verify(wrong) is None


async def test_the_plaintext_of_a_key_is_nowhere_in_the_store(store: Store) -> None:
    _, plaintext = await store.keys.create("ada")
    async with store.database.transaction() as connection:
        rows = (await connection.execute(select(api_keys))).all()
    assert plaintext.split("_", 2)[2] not in repr(rows)


async def test_what_is_wrong_with_a_target_is_kept_since_it_was_first_said(store: Store) -> None:
    await store.targets.put("lab", TargetSpec(backend="local"), "ada")
    await store.targets.tell_trouble("lab", "no such endpoint")
    first = await store.targets.get("lab")
    await store.targets.tell_trouble("lab", "no such endpoint")
    assert first is not None
    assert (first.trouble, await store.targets.get("lab")) == ("no such endpoint", first)
    assert first.trouble_since is not None
    await store.targets.tell_trouble("lab", None)
    mended = await store.targets.get("lab")
    assert mended is not None
    assert (mended.trouble, mended.trouble_since) == (None, None)
