"""How long copies took to start is kept when they are first seen ready, and outlives them."""

import pytest
from examples import after, copy, observation

from longshore.planning.observed import CopyState
from longshore.spec.target import TargetSpec
from longshore.store.startups import KEPT, expected
from longshore.store.store import Store


@pytest.fixture
async def seen(store: Store) -> Store:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    return store


async def test_a_copy_that_becomes_ready_tells_how_long_it_took(seen: Store) -> None:
    await seen.fleet.save_observation(observation(1, copy("c1", state=CopyState.STARTING)))
    assert await seen.startups.of("fleet", "m") == {}

    await seen.fleet.save_observation(observation(2, copy("c1", ready_at=after(45))))

    assert await seen.startups.of("fleet", "m") == {"1": 45.0}


async def test_it_is_told_once_and_outlives_the_copy(seen: Store) -> None:
    ready = copy("c1", ready_at=after(45))
    await seen.fleet.save_observation(observation(1, ready))
    await seen.fleet.save_observation(observation(2, ready.model_copy(update={"state": CopyState.DRAINING})))
    await seen.fleet.save_observation(observation(3))

    assert await seen.startups.of("fleet", "m") == {"1": 45.0}


@pytest.mark.parametrize(
    "later",
    [
        copy("c1", ready_at=after(300), restarts=1),
        copy("c1", state=CopyState.UNREADY, ready_at=after(300)),
        copy("c1", ready_at=None),
    ],
    ids=["restarted", "not ready", "unknown instant"],
)
async def test_what_is_no_start_does_not_count(seen: Store, later: object) -> None:
    await seen.fleet.save_observation(observation(1, copy("c1", state=CopyState.STARTING)))
    await seen.fleet.save_observation(observation(2, later))  # type: ignore[arg-type]

    assert await seen.startups.of("fleet", "m") == {}


async def test_a_copy_that_recovers_from_a_loss_does_not_count(seen: Store) -> None:
    await seen.fleet.save_observation(observation(1, copy("c1", ready_at=after(45))))
    await seen.fleet.save_observation(observation(2, copy("c1", state=CopyState.UNREADY, ready_at=after(45))))
    await seen.fleet.save_observation(observation(3, copy("c1", ready_at=after(900))))

    assert await seen.startups.of("fleet", "m") == {"1": 45.0}


async def test_only_the_newest_starts_are_kept(seen: Store) -> None:
    for number in range(KEPT + 5):
        slow = 600 if number < 5 else 10
        await seen.fleet.save_observation(observation(number, copy(f"c{number}", ready_at=after(slow))))

    assert await seen.startups.of("fleet", "m") == {"1": 10.0}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [([45], 45), ([10, 45], 45), ([10] * 9 + [600], 600), ([10] * 19 + [600], 10), ([12, *range(10)], 9)],
)
def test_what_is_expected_is_slow_but_no_outlier(seconds: list[float], told: float) -> None:
    assert expected(seconds) == told
