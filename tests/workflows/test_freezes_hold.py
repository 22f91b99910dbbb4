"""A freeze holds a new rollout until it ends, is deleted or is overridden, and holds nothing else."""

from datetime import datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from world import NAME, TARGET, EventType, Phase, World, refusal_of

from longshore.planning.requests import Answer
from longshore.planning.words import OperationKind
from longshore.spec.freeze import FreezeSpec

MINUTE = timedelta(minutes=1)


async def freeze(world: World, *, until: timedelta = timedelta(hours=3), name: str = "sale") -> datetime:
    """Freeze the deployment from an hour ago for so long from now on, to the minute; says when it ends."""
    now = (await world.env.get_current_time()).replace(second=0, microsecond=0)
    ends = now + until
    window = {"from": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}", "until": f"{ends:%Y-%m-%dT%H:%M}"}
    spec = {"reason": "sales peak", "deployments": [NAME], "targets": [TARGET], "windows": [window]}
    await world.store.freezes.put(name, FreezeSpec.model_validate(spec), "ada")
    return ends


async def held(world: World, version: str = "2") -> Answer:
    """Apply a version and see it held, with nothing touched."""
    answer = await world.apply(version)
    blocked = await world.until(EventType.ROLLOUT_BLOCKED, revision=answer.revision)
    assert blocked.evidence["reason"] == "Frozen"
    assert "held by freeze sale (sales peak) until" in blocked.message
    operation = (await world.view()).operation
    assert operation is not None
    assert (operation.phase, operation.reason) == (Phase.PENDING, "Frozen")
    assert world.copies() == {"1": 4}
    return answer


async def test_a_rollout_waits_for_the_end_of_a_freeze_and_then_goes_on_by_itself(world: World) -> None:
    await world.ended(await world.apply("1"))
    ends = await freeze(world)
    row = await world.ended(await held(world))

    assert row.phase is Phase.SUCCEEDED
    begun = next(
        event for event in await world.events() if event.type is EventType.BATCH_STARTED and event.revision == 2
    )
    assert ends <= begun.at < ends + MINUTE
    assert (await world.story()).count("RolloutBlocked") == 1


async def test_a_freeze_that_is_deleted_lets_go(world: World) -> None:
    await world.ended(await world.apply("1"))
    ends = await freeze(world)
    answer = await held(world)
    await world.store.freezes.delete("sale")
    row = await world.ended(answer)

    assert row.phase is Phase.SUCCEEDED
    assert row.ended_at is not None
    assert row.ended_at < ends


async def test_a_person_overrides_a_freeze_and_the_reason_is_on_record(world: World) -> None:
    await world.ended(await world.apply("1"))
    ends = await freeze(world)
    answer = await held(world)
    await world.ask("override", reason="closes a leak")
    row = await world.ended(answer)

    assert row.phase is Phase.SUCCEEDED
    assert row.ended_at is not None
    assert row.ended_at < ends
    (said,) = [event for event in await world.events() if event.evidence.get("reason") == "closes a leak"]
    assert said.actor == "ada"


async def test_an_override_without_a_freeze_is_refused(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2")
    await world.until(EventType.BATCH_STARTED, revision=2)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.ask("override", reason="haste")

    assert refusal_of(refused.value).reason == "NotFrozen"
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED


async def test_a_held_rollout_is_aborted_at_once(world: World) -> None:
    await world.ended(await world.apply("1"))
    await freeze(world)
    answer = await held(world)
    await world.ask("abort")

    assert (await world.ended(answer)).phase is Phase.ABORTED
    assert world.copies() == {"1": 4}


async def test_onboarding_scale_undo_and_retirement_are_not_held(world: World) -> None:
    ends = await freeze(world, until=timedelta(hours=12))
    await world.ended(await world.apply("1"))
    await world.store.freezes.delete("sale")
    await world.ended(await world.apply("2"))
    await freeze(world, until=timedelta(hours=12))
    kinds = []
    for verb, arguments in (("scale", {"copies": 3}), ("undo", {}), ("retire", {})):
        row = await world.ended(await world.ask(verb, **arguments))
        assert row.phase is Phase.SUCCEEDED, row.message
        assert row.ended_at is not None
        assert row.ended_at < ends
        kinds.append(row.kind)

    assert kinds == [OperationKind.SCALE, OperationKind.ROLLBACK, OperationKind.RETIRE]
