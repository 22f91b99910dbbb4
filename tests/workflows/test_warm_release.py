"""Copies that blue/green keeps warm: until their time, or until somebody needs their room (DESIGN, rule 6)."""

from datetime import timedelta

from world import NAME, EventType, Phase, World

DEPLOYMENT = f"deployment/{NAME}"


async def kept_warm(world: World, keep: str = "30m") -> None:
    """Version 2 serves by blue/green, version 1 is warm."""
    await world.ended(await world.apply("1"))
    await world.ended(await world.apply("2", bake="0s", keepWarm=keep))
    assert world.copies() == {"1": 4, "2": 4}


async def released(world: World) -> None:
    """Let time pass until the deployment has forgotten its warm copies."""
    for _ in range(120):
        if (await world.view()).row.warm is None:
            return
        await world.env.sleep(timedelta(seconds=1))
    raise AssertionError("the warm copies were not forgotten")


async def test_warm_copies_are_given_up_when_they_are_due_and_people_see_the_rollout(world: World) -> None:
    await kept_warm(world)
    view = await world.view()
    assert view.row.warm is not None
    assert (view.row.warm.version, view.row.warm.revision) == ("1", 1)
    event = await world.until(EventType.WARM_RELEASED)
    assert event.evidence == {"version": "1"}
    late = event.at - view.row.warm.until
    assert timedelta(0) <= late <= timedelta(seconds=10)

    await released(world)
    assert world.copies() == {"2": 4}
    assert world.traffic.history[-1] == (NAME, {"2": 100})
    after = await world.view()
    assert after.operation is not None
    assert after.operation == view.operation
    assert (after.operation.kind, after.operation.phase, after.row.revision) == ("rollout", Phase.SUCCEEDED, 2)


async def test_warm_copies_are_given_up_at_once_when_somebody_needs_their_room(world: World) -> None:
    await kept_warm(world, "10h")
    before = await world.env.get_current_time()
    await world.client.get_workflow_handle(DEPLOYMENT).signal("give_up_warm")
    event = await world.until(EventType.WARM_RELEASED)
    assert event.at - before < timedelta(minutes=1)
    await released(world)
    assert world.copies() == {"2": 4}


async def test_what_is_asked_during_a_release_waits_for_its_end(world: World) -> None:
    await kept_warm(world, "10h")
    await world.client.get_workflow_handle(DEPLOYMENT).signal("give_up_warm")
    answer = await world.apply("3", bake="0s")
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"3": 4}
    releases = [one for one in await world.store.deployments.operations(NAME) if one.kind == "release"]
    assert [one.phase for one in releases] == [Phase.SUCCEEDED]


async def test_a_scale_that_needs_the_room_of_its_own_warm_copies_gets_it(world: World) -> None:
    await kept_warm(world, "10h")
    row = await world.ended(await world.ask("scale", copies=7))
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 7}
    story = await world.story()
    assert story[-2:] == ["WarmReleased", "Scaled"]
    assert (await world.view()).row.warm is None


async def test_an_undo_among_warm_copies_starts_none(world: World) -> None:
    await kept_warm(world, "10h")
    started = world.fleet.started
    row = await world.ended(await world.ask("undo"))
    assert (row.phase, row.to_version) == (Phase.SUCCEEDED, "1")
    assert world.fleet.started == started
    assert world.traffic.history[-1] == (NAME, {"1": 100})


async def test_retire_ends_warm_copies_like_all_others(world: World) -> None:
    await kept_warm(world, "10h")
    await world.ended(await world.ask("retire"))
    assert world.copies() == {}
    assert (await world.view()).row.warm is None


async def test_a_deployment_begun_anew_knows_what_is_warm(world: World) -> None:
    await kept_warm(world)
    before = (await world.view()).row.warm
    await world.client.get_workflow_handle(DEPLOYMENT).terminate("by hand")
    assert not (await world.apply("2", bake="0s", keepWarm="30m")).changed
    assert (await world.view()).row.warm == before
    await world.until(EventType.WARM_RELEASED)
    await released(world)
    assert world.copies() == {"2": 4}
