"""Notebooks: pages last, turns exclude each other, fences hold, readings are numbered."""

import asyncio

import pytest

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.spec.target import TargetSpec
from longshore.store import notes as notes_module
from longshore.store.notes import LETTERS, Notes, TurnTakenError
from longshore.store.store import Store


@pytest.fixture(autouse=True)
async def targets(store: Store) -> None:
    for name in ("fleet", "other"):
        await store.targets.put(name, TargetSpec(backend="local"), "ada")


def fence(operation: int, step: int = 1) -> Fence:
    return Fence(operation=operation, step=step)


async def test_what_was_written_is_there_for_everybody_at_once(store: Store) -> None:
    async with Notes(store.database, "fleet").turn("search", fence(1)) as turn:
        await turn.write("1", {"count": 2})
        assert await Notes(store.database, "fleet").pages() == {("search", "1"): {"count": 2}}
        await turn.write("1", {"count": 3})
        await turn.write("2", {"count": 1})
        assert turn.pages == {"1": {"count": 3}, "2": {"count": 1}}
    async with Notes(store.database, "fleet").turn("search", fence(1, 2)) as turn:
        assert turn.pages == {"1": {"count": 3}, "2": {"count": 1}}
        await turn.tear_out("1")
        assert turn.pages == {"2": {"count": 1}}
    assert await Notes(store.database, "fleet").pages("search") == {("search", "2"): {"count": 1}}


async def test_pages_of_other_deployments_and_targets_stay_apart(store: Store) -> None:
    for target, deployment in (("fleet", "search"), ("fleet", "chat"), ("other", "search")):
        async with Notes(store.database, target).turn(deployment, fence(1)) as turn:
            await turn.write("1", {"of": f"{target}/{deployment}"})
    assert await Notes(store.database, "fleet").pages("chat") == {("chat", "1"): {"of": "fleet/chat"}}
    assert set(await Notes(store.database, "fleet").pages()) == {("chat", "1"), ("search", "1")}
    assert await Notes(store.database, "other").pages("chat") == {}


async def test_a_turn_with_an_older_fence_is_refused_and_one_with_the_same_is_not(store: Store) -> None:
    notes = Notes(store.database, "fleet")
    for later in (fence(2, 5), fence(2, 5), fence(3, 1)):
        async with notes.turn("search", later):
            pass
    for older in (fence(2, 6), fence(1, 9)):
        with pytest.raises(FenceRefusedError, match="comes too late"):
            async with notes.turn("search", older):
                pytest.fail("an older step had its turn")
    async with notes.turn("chat", fence(1, 1)):
        pass


async def test_a_turn_to_tidy_up_needs_no_fence_and_raises_none(store: Store) -> None:
    notes = Notes(store.database, "fleet")
    async with notes.turn("search", fence(2, 5)) as turn:
        await turn.write("1", {})
    async with notes.turn("search", None) as turn:
        await turn.tear_out("1")
    assert await notes.pages() == {}
    async with notes.turn("search", fence(2, 5)):
        pass


async def test_turns_of_one_deployment_never_overlap(store: Store) -> None:
    inside, most = 0, 0

    async def take(step: int) -> None:
        nonlocal inside, most
        async with Notes(store.database, "fleet").turn("search", fence(1, step)) as turn:
            inside += 1
            most = max(most, inside)
            count = turn.pages.get("1", {}).get("count", 0)
            await asyncio.sleep(0)
            await turn.write("1", {"count": count + 1})
            inside -= 1

    if not store.database.is_postgres:
        notes = Notes(store.database, "fleet")

        async def take_here(step: int) -> None:
            nonlocal inside, most
            async with notes.turn("search", fence(1, step)):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(take_here(1) for _ in range(8)))
        assert most == 1
        return
    await asyncio.gather(*(take(1) for _ in range(8)))
    assert most == 1
    assert await Notes(store.database, "fleet").pages("search") == {("search", "1"): {"count": 8}}


async def test_whoever_waits_too_long_for_a_turn_gives_up_while_others_have_theirs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_module, "TURN_LIMIT_S", 0.2)
    notes = Notes(store.database, "fleet")
    async with notes.turn("search", fence(1)):
        with pytest.raises(TurnTakenError, match="search"):
            await notes.turn("search", fence(1)).__aenter__()
        async with notes.turn("chat", fence(1)):
            pass


async def test_a_turn_that_broke_is_free_again(store: Store) -> None:
    notes = Notes(store.database, "fleet")

    async def broken() -> None:
        async with notes.turn("search", fence(1)):
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        await broken()
    async with notes.turn("search", fence(1)):
        pass


async def test_readings_are_numbered_upwards_whoever_begins_them(store: Store) -> None:
    first, second = Notes(store.database, "fleet"), Notes(store.database, "fleet")
    numbers = [await first.begin_reading(), await second.begin_reading(), await first.begin_reading()]
    assert numbers == sorted(set(numbers))


async def test_an_installation_has_one_name_of_ten_plain_letters(store: Store) -> None:
    names = await asyncio.gather(*(Notes(store.database, target).installation() for target in ("a", "b", "a")))
    assert len(set(names)) == 1
    assert len(names[0]) == 10
    assert set(names[0]) <= set(LETTERS)
