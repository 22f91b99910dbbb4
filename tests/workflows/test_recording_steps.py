"""How often an operation writes: once for each thing it has to say, not for each look it takes."""

from world import Phase, World


async def test_a_batch_that_nothing_holds_up_is_written_once_for_each_of_its_events(world: World) -> None:
    await world.ended(await world.apply("1"))
    before = await world.newest()

    row = await world.ended(await world.apply("2", batch=1, bake="0s"))

    assert row.phase is Phase.SUCCEEDED
    batch = ["BatchStarted", "BatchReady", "TrafficShifted", "BatchDone"]
    told = ["RolloutStarted", *(batch * 4), "RolloutSucceeded"]
    assert await world.story(since=before) == told
    assert row.step == len(told)


async def test_how_far_a_batch_got_is_written_while_it_waits(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", startup=5.0)

    answer = await world.apply("2", batch=1, bake="0s")
    row = await world.ended(answer)

    told = [event for event in await world.events() if event.operation == answer.operation]
    assert row.phase is Phase.SUCCEEDED
    assert row.step > len(told)
