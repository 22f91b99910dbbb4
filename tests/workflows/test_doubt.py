"""A rollback that failed leaves two versions serving: what a person can do about it, and what they cannot (rule 4)."""

import pytest
from temporalio.client import WorkflowUpdateFailedError
from world import NAME, EventType, Phase, World, refusal_of


async def two_serve(world: World) -> None:
    """Version 2 is aborted with half the traffic, and version 1 does not start any more."""
    await world.ended(await world.apply("1", deadline="30s"))
    await world.apply("2", bake="1m", deadline="30s")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("1", never_ready=True)
    await world.ask("abort")
    row = await world.ended_at(2)
    assert (row.phase, row.reason) == (Phase.FAILED, "RollbackDeadlineExceeded")
    assert set(world.copies()) == {"1", "2"}


async def test_nothing_goes_on_from_there_but_the_way_back_and_the_retry(world: World) -> None:
    await two_serve(world)
    with pytest.raises(WorkflowUpdateFailedError) as third:
        await world.apply("3")
    for verb, arguments in (("scale", {"copies": 6}), ("undo", {})):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await world.ask(verb, **arguments)
        assert refusal_of(refused.value).reason == "TwoVersionsServe"
    assert refusal_of(third.value).reason == "TwoVersionsServe"
    assert f"longshore rollout abort {NAME}" in refusal_of(third.value).message


@pytest.mark.parametrize("asked", ["abort", "apply the stable version"])
async def test_the_way_back_begins_where_things_stand(world: World, asked: str) -> None:
    await two_serve(world)
    world.behave("1", never_ready=False)
    answer = await (world.ask("abort") if asked == "abort" else world.apply("1", deadline="30s"))
    row = await world.ended(answer)
    assert row.phase is Phase.ABORTED
    assert world.copies() == {"1": 4}
    assert (await world.view()).row.version == "1"
    assert (await world.ended(await world.apply("3", bake="0s"))).phase is Phase.SUCCEEDED


async def test_a_retry_goes_back_and_then_begins_anew(world: World) -> None:
    await two_serve(world)
    world.behave("1", never_ready=False)
    row = await world.ended(await world.ask("retry"))
    assert (row.phase, world.copies()) == (Phase.SUCCEEDED, {"2": 4})
    assert world.fleet.most_accelerators == 5
