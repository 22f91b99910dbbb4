"""What somebody else changes on a target: never undone without a person's word, and accepted by it as it is."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from test_worker_crashes import LostAttempts
from world import EventType, Phase, World, refusal_of, version_spec

from longshore.backends.simulated.outside import Stranger
from longshore.store.records import OperationRow

OTHER = version_spec(artifact={"uri": "file:///models/patched", "digest": "sha256:" + "1" * 64})
CHANGES: dict[str, dict[str, Any]] = {
    "more copies": {"copies": 6},
    "fewer copies": {"copies": 1},
    "another specification": {"spec": OTHER},
    "deleted": {"deleted": True},
}


async def drifted(world: World) -> bool:
    await world.look()
    return bool((await world.view()).differences)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_taking_makes_it_as_it_was_desired(world: World, change: dict[str, Any]) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", **change)
    assert await drifted(world)

    row = await world.ended(await world.apply("1", copies=3, take=True))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 3}
    assert not await drifted(world)
    assert (await world.story())[-2:] in (["DriftEnded", "Scaled"], ["Scaled", "DriftEnded"])


async def test_taking_while_nothing_is_changed_does_no_harm(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    started = world.fleet.started
    assert (await world.ended(await world.apply("1", copies=3, take=True))).phase is Phase.SUCCEEDED
    assert world.fleet.started == started


async def test_the_same_content_without_taking_changes_nothing(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=6)
    answer = await world.apply("1", copies=3)
    assert (answer.changed, answer.operation) == (False, None)
    assert world.copies() == {"1": 6}


async def test_a_scale_that_meets_a_change_ends_and_says_what_would_do(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=6)

    row = await world.ended(await world.ask("scale", copies=4))

    assert (row.phase, row.reason) == (Phase.FAILED, "ChangedOutside")
    assert "longshore apply -f FILE --take" in (row.message or "")
    assert world.copies() == {"1": 6}
    assert (await world.ended(await world.apply("1", copies=4, take=True))).phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 4}


async def test_a_rollout_stands_still_when_its_new_version_is_changed_and_goes_on_by_a_word(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    answer = await world.apply("2", copies=3)
    await world.until(EventType.TRAFFIC_SHIFTED, revision=2, batch=1)
    await world.meddle("2", copies=0)

    paused = await world.until(EventType.ROLLOUT_PAUSED)
    assert paused.evidence["reason"] == "ChangedOutside"
    assert "CopyCount of version 2 is 0, not 1" in paused.message
    assert world.copies().get("2") is None
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.ask("promote")
    assert refusal_of(refused.value).reason == "ChangedOutside"

    await world.ask("resume")
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 3}
    assert not await drifted(world)


async def test_an_aborted_rollout_brings_back_copies_that_somebody_took_away(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    answer = await world.apply("2", copies=3)
    await world.until(EventType.TRAFFIC_SHIFTED, revision=2, batch=2)
    await world.meddle("1", deleted=True)
    await world.meddle("2", spec=OTHER)
    await world.until(EventType.ROLLOUT_PAUSED)

    await world.ask("abort")

    assert (await world.ended(answer)).phase is Phase.ABORTED
    assert world.copies() == {"1": 3}


async def test_whatever_was_changed_is_retired(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=6, spec=OTHER)
    assert (await world.ended(await world.ask("retire"))).phase is Phase.SUCCEEDED
    assert world.copies() == {}


async def test_another_number_of_copies_is_adopted_and_no_copy_moves(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", copies=5)
    before = [copy.id for copy in world.fleet.copies]

    row = await world.ended(await world.adopt("1", 5, "codegen-1", before="1"))

    assert (row.kind, row.phase) == ("adopt", Phase.SUCCEEDED)
    assert [copy.id for copy in world.fleet.copies] == before
    assert not await drifted(world)
    view = await world.view()
    assert (view.row.revision, view.row.spec.copies) == (1, 5)
    assert [(entry.version, entry.share) for entry in await world.ledger()] == [("1", 100)]
    assert not (await world.apply("1", copies=5)).changed


async def test_another_specification_is_adopted_as_a_version_that_serves_from_then_on(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", spec=OTHER)
    await world.store.models.put("codegen", "1-patched", OTHER, "ada")
    before = [copy.id for copy in world.fleet.copies]

    await world.ended(await world.adopt("1-patched", 3, "codegen-1", before="1"))

    assert [copy.id for copy in world.fleet.copies] == before
    assert world.copies() == {"1-patched": 3}
    view = await world.view()
    assert (view.row.revision, view.row.version) == (2, "1-patched")
    assert [(one.version, one.share, one.until is None) for one in await world.ledger()] == [
        ("1", 100, False),
        ("1-patched", 100, True),
    ]
    assert (await world.ended(await world.ask("undo"))).phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 3}


async def test_what_was_deleted_is_adopted_as_scaled_to_zero(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", deleted=True)
    await world.ended(await world.adopt("1", 0, "codegen-1", before="1"))
    assert (await world.view()).row.spec.copies == 0
    assert not await drifted(world)
    assert (await world.ended(await world.ask("scale", copies=2))).phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 2}


async def test_what_changed_again_is_not_adopted_and_nothing_is_lost(world: World) -> None:
    await world.ended(await world.apply("1", copies=3))
    await world.meddle("1", spec=version_spec(artifact={"uri": "file:///other", "digest": "sha256:" + "2" * 64}))
    await world.store.models.put("codegen", "1-patched", OTHER, "ada")

    row = await world.ended(await world.adopt("1-patched", 3, "codegen-1", before="1"))

    assert (row.phase, row.reason) == (Phase.FAILED, "ChangedMeanwhile")
    assert (await world.view()).row.version == "1"
    assert [(one.version, one.share) for one in await world.ledger()] == [("1", 100)]
    assert (await world.ended(await world.apply("1", copies=3, take=True))).phase is Phase.SUCCEEDED


async def import_stranger(world: World) -> OperationRow:
    world.fleet.outside.strangers["theirs"] = Stranger(spec=OTHER, copies=2)
    await world.store.models.put("codegen", "7", OTHER, "ada")
    return await world.ended(await world.adopt("7", 2, "theirs"))


async def test_a_stranger_is_imported_as_it_is_and_rolled_out_from_there(world: World) -> None:
    row = await import_stranger(world)

    assert row.phase is Phase.SUCCEEDED
    view = await world.view()
    assert (view.row.revision, view.row.version) == (1, "7")
    assert [(one.version, one.share) for one in await world.ledger()] == [("7", 100)]
    assert world.copies() == {"7": 2}
    assert await world.story() == ["TrafficShifted", "Adopted"]
    assert world.fleet.outside.strangers == {}
    assert (await world.ended(await world.apply("2", copies=2))).phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 2}


async def test_a_name_that_is_taken_is_refused(world: World) -> None:
    await world.ended(await world.apply("1", copies=2))
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await import_stranger(world)
    assert refusal_of(error.value).reason == "NameTaken"


async def test_nothing_is_adopted_while_something_is_under_way(world: World) -> None:
    await world.ended(await world.apply("1", copies=2))
    await world.apply("2", copies=2)
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await world.adopt("1", 5, "codegen-1", before="1")
    assert refusal_of(error.value).reason == "OperationUnderWay"
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await world.apply("2", copies=2, take=True)
    assert "longshore rollout resume codegen" in refusal_of(error.value).message


@pytest.mark.parametrize("when", ["before", "after"])
async def test_every_activity_may_be_lost_once(env: WorkflowEnvironment, tmp_path: Path, when: str) -> None:
    attempts, kept = LostAttempts(when), f"sqlite+aiosqlite:///{tmp_path}/world.db"
    async with World(env, database=kept, interceptors=(attempts,), cached_workflows=0) as world:
        await import_stranger(world)
        await world.meddle("7", copies=1)
        await world.ended(await world.apply("7", copies=2, take=True))
        await world.meddle("7", copies=4)
        await world.ended(await world.adopt("7", 4, "theirs", before="7"))
        assert world.copies() == {"7": 4}
        assert not await drifted(world)
        story = [one for one in await world.story() if one != "TrafficShifted"]
    assert sorted(story) == ["Adopted", "Adopted", "DriftEnded", "DriftEnded", "Drifted", "Drifted", "Scaled"]
    assert attempts.lost >= {"accept_component", "ensure_copies", "publish_route", "record_step"}
