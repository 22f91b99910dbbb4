"""What a person ends in Temporal's UI behind Longshore's back: nothing is undone by guess, and life goes on."""

from datetime import timedelta

from world import NAME, EventType, Phase, World

DEPLOYMENT = f"deployment/{NAME}"


async def test_a_deployment_begun_anew_ends_the_operation_it_finds_running_before_anything_else(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.client.get_workflow_handle(DEPLOYMENT).terminate("by hand")

    async with world.skipping():
        again = await world.apply("3", bake="0s")
    row = await world.ended(again)

    assert (row.phase, row.number) == (Phase.SUCCEEDED, 3)
    assert world.copies() == {"3": 4}
    lost = await world.store.deployments.operation(answer.operation or "")
    assert lost is not None
    assert lost.phase is Phase.ABORTED
    assert world.fleet.most_accelerators == 5


async def test_a_control_verb_whose_deployment_is_gone_is_obeyed_all_the_same(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.client.get_workflow_handle(DEPLOYMENT).terminate("by hand")
    operation = world.client.get_workflow_handle(f"deployment/{answer.operation}")
    await operation.signal("control", {"sequence": 1, "verb": "abort", "actor": "ada"})
    async with world.skipping():
        result = await operation.result()
    assert result["phase"] == "Aborted"
    assert world.copies() == {"1": 4}


async def test_retire_ends_a_scale_that_waits_for_room(world: World) -> None:
    await world.ended(await world.apply("1"))
    await world.ask("scale", copies=12)
    await world.until(EventType.ROLLOUT_BLOCKED)
    row = await world.ended(await world.ask("retire"))
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {}


async def test_an_aborted_scale_goes_back_to_the_copies_there_were(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("1", startup=600.0)
    answer = await world.ask("scale", copies=6)
    await world.env.sleep(timedelta(seconds=20))
    await world.ask("abort")
    row = await world.ended(answer)
    assert row.phase is Phase.ABORTED
    assert world.copies() == {"1": 4}
    assert (await world.view()).row.spec.copies == 4
