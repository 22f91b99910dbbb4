"""Newer revisions during an operation, other copies and policies on the way, and who is told what (rules 9 and 10)."""

import asyncio

import pytest
from temporalio.client import WorkflowUpdateFailedError
from world import NAME, EventType, Phase, World, refusal_of

DEPLOYMENT = f"deployment/{NAME}"
LONG = {"bake": "10m"}


async def phases(world: World) -> dict[int, Phase]:
    return {row.number: row.phase for row in await world.store.deployments.revisions(NAME)}


async def rolling(world: World) -> None:
    """Version 1 serves; version 2 has its first batch in traffic."""
    await world.ended(await world.apply("1"))
    await world.apply("2", **LONG)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)


async def test_a_newer_revision_starts_from_the_stable_one_after_the_older_has_made_way(world: World) -> None:
    await rolling(world)
    before = await world.newest()
    answer = await world.apply("3", bake="0s")
    assert (answer.changed, answer.revision, answer.operation) == (True, 3, None)
    assert (await phases(world))[3] is Phase.PENDING

    row = await world.ended_at(3)
    assert (row.phase, row.from_version, row.to_version) == (Phase.SUCCEEDED, "1", "3")
    assert world.copies() == {"3": 4}
    assert await phases(world) == {1: Phase.SUCCEEDED, 2: Phase.SUPERSEDED, 3: Phase.SUCCEEDED}
    story = await world.story(since=before)
    assert story.index("RolloutSuperseded") < story.index("RolloutStarted")
    assert world.fleet.most_accelerators == 5


async def test_of_a_storm_of_revisions_the_last_wins_and_those_before_end_unstarted(world: World) -> None:
    await rolling(world)
    versions = [f"s{number}" for number in range(8)]
    for version in versions:
        await world.register(version)
    await asyncio.gather(*(world.apply(version, bake="0s") for version in versions))
    row = await world.ended_at(2 + len(versions))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {row.to_version: 4}
    ended = await phases(world)
    assert [ended[number] for number in range(2, 10)] == [Phase.SUPERSEDED] * 8
    superseded = [one.revision for one in await world.events() if one.type is EventType.ROLLOUT_SUPERSEDED]
    assert sorted(number for number in superseded if number) == list(range(2, 10))
    started = [one.revision for one in await world.events() if one.type is EventType.ROLLOUT_STARTED]
    assert started == [1, 2, 10]


async def test_applying_the_stable_version_aborts_and_then_changes_what_else_differs(world: World) -> None:
    await rolling(world)
    answer = await world.apply("1", copies=6)
    assert answer.changed
    await world.until(EventType.SCALED)
    await world.settled()
    assert world.copies() == {"1": 6}
    assert await phases(world) == {1: Phase.SUCCEEDED, 2: Phase.ABORTED}
    assert (await world.view()).row.spec == world.spec("1", 6)


async def test_other_copies_and_another_policy_revise_what_is_under_way(world: World) -> None:
    await rolling(world)
    answer = await world.apply("2", copies=6, bake="0s")
    assert (answer.changed, answer.revision) == (True, 2)
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 6}
    view = await world.view()
    assert (view.row.revision, view.row.spec) == (2, world.spec("2", 6, bake="0s"))
    assert not (await world.apply("2", copies=6, bake="0s")).changed


async def test_copies_scaled_on_the_way_stay_when_the_rollout_is_aborted(world: World) -> None:
    await rolling(world)
    answer = await world.ask("scale", copies=6)
    await world.ask("abort")
    assert (await world.ended(answer)).phase is Phase.ABORTED
    assert world.copies() == {"1": 6}
    assert (await world.view()).row.spec.copies == 6


async def test_of_two_who_revise_at_once_neither_takes_back_what_the_other_changed(world: World) -> None:
    await rolling(world)
    await asyncio.gather(
        world.apply("2", bake="0s"), world.ask("scale", copies=6), world.apply("2", copies=5, bake="0s")
    )
    await world.ended_at(2)
    spec = (await world.view()).row.spec
    assert spec.rollout.bake == 0
    assert world.copies() == {"2": spec.copies}


async def test_a_rollout_on_its_way_back_is_not_revised_and_says_so(world: World) -> None:
    await rolling(world)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("1", startup=60.0)
    await world.ask("abort")
    before = (await world.view()).row.spec
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.apply("2", copies=6, **LONG)
    assert refusal_of(refused.value).reason == "RollingBack"
    assert (await world.view()).row.spec == before


async def test_an_abort_drops_the_revision_that_waits(world: World) -> None:
    await rolling(world)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("1", startup=60.0)
    await world.apply("3")
    answer = await world.ask("abort")
    assert answer.changed
    await world.ended_at(2)
    assert world.copies() == {"1": 4}
    assert (await phases(world))[3] is Phase.ABORTED
    assert "3" not in {row.to_version for row in await world.store.deployments.operations(NAME)}
    assert (await world.ask("retry")).revision == 3


async def test_retire_drops_the_revision_that_waits(world: World) -> None:
    await rolling(world)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("1", startup=60.0)
    await world.apply("3")
    await world.ended(await world.ask("retire"))
    assert world.copies() == {}
    assert (await phases(world))[3] is Phase.ABORTED


async def test_a_newer_revision_takes_over_from_a_scale_where_it_finds_it(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("1", startup=3600.0)
    scale = await world.ask("scale", copies=6)
    await world.env.sleep(10)
    world.behave("1")
    await world.apply("2", copies=6, bake="0s", maxUnavailable=2)
    assert (await world.ended_at(2)).phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 6}
    row = await world.store.deployments.operation(scale.operation or "")
    assert row is not None
    assert row.phase is Phase.SUPERSEDED


async def test_a_scale_is_sent_to_another_number_on_its_way(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("1", startup=60.0)
    first = await world.ask("scale", copies=6)
    again = await world.ask("scale", copies=5)
    assert again.operation == first.operation
    assert (await world.ended(again)).phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 5}
    assert (await world.view()).row.spec.copies == 5


async def test_a_deployment_begun_anew_starts_what_waited(world: World) -> None:
    await rolling(world)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("1", startup=60.0)
    await world.apply("3", bake="0s")
    await world.client.get_workflow_handle(DEPLOYMENT).terminate("by hand")
    async with world.skipping():
        again = await world.apply("3", bake="0s")
    assert not again.changed
    assert (await world.ended_at(3)).phase is Phase.SUCCEEDED
    assert world.copies() == {"3": 4}


async def test_an_approval_is_passed_by_who_has_the_role_and_refused_to_others(world: World) -> None:
    await world.ended(await world.apply("1"))
    steps = [{"weight": 25}, {"approval": {"roles": ["approver"]}}]
    answer = await world.apply("2", strategy="canary", bake="0s", steps=steps)
    await world.until(EventType.APPROVAL_ASKED)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.ask("approve", roles=("reader",))
    assert refusal_of(refused.value).reason == "RoleMissing"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.ask("override", reason="it is urgent")
    assert refusal_of(refused.value).reason == "NotFrozen"
    assert (await world.ask("approve", roles=("approver",))).revision == 2
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED
