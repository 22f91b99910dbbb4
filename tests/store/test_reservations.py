"""Room shared between deployments is promised once, in the order of asking, and held until it is given back."""

import asyncio
from typing import Any

import pytest
from examples import after, copy, deployment, observation, operation

from longshore.planning.observed import Copy, CopyState, Observation
from longshore.planning.operation import Warm
from longshore.planning.room import ReservationRequest
from longshore.planning.words import Phase
from longshore.spec.model_version import Resources
from longshore.spec.target import TargetSpec
from longshore.store.errors import NotFoundError, NotObservedError
from longshore.store.records import Record
from longshore.store.store import Store


def request(deployment: str = "d", **changes: Any) -> ReservationRequest:
    values: dict[str, Any] = {
        "target": "fleet",
        "deployment": deployment,
        "model": "m",
        "version": "2",
        "operation": f"{deployment}/rollout-1",
        "resources": Resources(accelerators=1, accelerator_memory_gib=40),
        "batch": 1,
        "old_version": "1",
    }
    return ReservationRequest(**(values | changes))


def seen(sequence: int, *copies: Copy) -> Observation:
    """A reading of the target with two accelerators."""
    return observation(sequence, *copies, accelerators=2)


async def with_accelerators(store: Store, accelerators: int, sequence: int = 1) -> None:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    await store.fleet.save_observation(observation(sequence, accelerators=accelerators))


@pytest.fixture
async def fleet(store: Store) -> Store:
    """A target with one host of two accelerators, nothing on it."""
    await with_accelerators(store, 2)
    return store


async def test_what_is_granted_is_held_before_anything_runs(fleet: Store) -> None:
    assert (await fleet.reservations.reserve(request("d", batch=2))).surge == 2
    refused = await fleet.reservations.reserve(request("e"))
    assert not refused.granted
    assert refused.reason == "InsufficientAccelerators"


async def test_asking_again_is_the_same_grant(fleet: Store) -> None:
    first = await fleet.reservations.reserve(request())
    await fleet.fleet.save_observation(seen(2, copy("c1", version="2", state=CopyState.STARTING)))
    assert await fleet.reservations.reserve(request()) == first


async def test_a_grant_on_a_host_that_went_down_is_not_given_again(fleet: Store) -> None:
    await fleet.reservations.reserve(request())
    down = seen(2)
    hosts = tuple(host.model_copy(update={"up": False}) for host in down.hosts)
    await fleet.fleet.save_observation(down.model_copy(update={"hosts": hosts}))
    assert not (await fleet.reservations.reserve(request())).granted


async def test_a_grant_answers_only_what_was_asked_for(fleet: Store) -> None:
    await fleet.fleet.save_observation(seen(2, copy("old1"), copy("old2", accelerators=(1,))))
    assert (await fleet.reservations.reserve(request(batch=1, dip=1))).dip == 1
    assert not (await fleet.reservations.reserve(request(batch=1))).granted


async def test_what_is_released_is_free_again(fleet: Store) -> None:
    await fleet.reservations.reserve(request("d", batch=2))
    await fleet.reservations.release("fleet", "d/rollout-1")
    assert (await fleet.reservations.reserve(request("e", batch=2))).surge == 2


async def test_a_released_operations_copies_hold_their_room_by_being_there(fleet: Store) -> None:
    await fleet.reservations.reserve(request())
    await fleet.fleet.save_observation(seen(2, copy("c1", version="2")))
    await fleet.reservations.release("fleet", "d/rollout-1")
    assert (await fleet.reservations.reserve(request("e", batch=2))).surge == 1


async def test_the_room_of_drained_copies_stays_the_operations_own(fleet: Store) -> None:
    await fleet.fleet.save_observation(seen(2, copy("old1"), copy("old2", accelerators=(1,))))
    assert (await fleet.reservations.reserve(request("d", dip=1))).dip == 1
    await fleet.fleet.save_observation(seen(3, copy("old1")))
    assert not (await fleet.reservations.reserve(request("e"))).granted


async def test_the_next_batch_goes_into_the_room_that_the_last_one_left(fleet: Store) -> None:
    await fleet.fleet.save_observation(seen(2, copy("old1")))
    await fleet.reservations.reserve(request())
    await fleet.reservations.reserve(request("e"))
    settled = seen(3, copy("new1", version="2", accelerators=(1,)))
    await fleet.fleet.save_observation(settled)
    following = await fleet.reservations.reserve(request(settled=1))
    assert (following.surge, following.placement) == (1, {"a": 2})


async def test_first_come_first_served(fleet: Store) -> None:
    await fleet.reservations.reserve(request("d"))
    large = request("large", resources=Resources(accelerators=2))
    assert not (await fleet.reservations.reserve(large)).granted
    later = await fleet.reservations.reserve(request("later"))
    assert (later.granted, later.message) == (
        False,
        "waits for its turn: large/rollout-1 asked first and does not fit yet",
    )
    await fleet.reservations.release("fleet", "d/rollout-1")
    assert not (await fleet.reservations.reserve(request("later"))).granted
    assert (await fleet.reservations.reserve(large)).granted


async def test_the_end_of_an_operation_frees_its_place_though_it_released_nothing(fleet: Store) -> None:
    await fleet.reservations.reserve(request("d"))
    killed = request("killed", resources=Resources(accelerators=2))
    await fleet.reservations.reserve(killed)
    ended = operation(deployment="killed", phase=Phase.FAILED)
    await fleet.record(Record(source="deployment/killed", step=1, operation=ended))
    assert (await fleet.reservations.reserve(request("later"))).granted


async def test_a_late_retry_of_an_operation_that_ended_holds_nothing(fleet: Store) -> None:
    await fleet.record(Record(source="d/rollout-1", step=9, operation=operation(phase=Phase.SUCCEEDED)))
    late = await fleet.reservations.reserve(request(batch=2))
    assert (late.granted, late.reason) == (False, "OperationEnded")
    assert (await fleet.reservations.reserve(request("e", batch=2))).surge == 2


async def test_a_target_that_was_never_read_promises_nothing(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.reservations.reserve(request())
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    with pytest.raises(NotObservedError, match="not observed yet"):
        await store.reservations.reserve(request())


async def test_askings_at_once_never_promise_an_accelerator_twice(postgres_store: Store) -> None:
    store = postgres_store
    await with_accelerators(store, 5)
    asked = [request(f"d{number}", batch=2) for number in range(6)]
    grants = await asyncio.gather(*(store.reservations.reserve(one) for one in asked))
    assert sum(grant.surge for grant in grants) == 5
    room = await store.reservations.room("fleet")
    assert room.held["a"] == 5
    assert sorted(one.ticket for one in room.reservations) == list(range(1, 7))


async def test_attempts_of_one_asking_at_once_are_one_grant(postgres_store: Store) -> None:
    await with_accelerators(postgres_store, 4)
    grants = await asyncio.gather(*(postgres_store.reservations.reserve(request(batch=2)) for _ in range(5)))
    assert {grant.surge for grant in grants} == {2}
    assert (await postgres_store.reservations.room("fleet")).held["a"] == 2


async def test_who_keeps_copies_warm_where_others_need_room_is_named_until_they_are_forgotten(fleet: Store) -> None:
    warm = Warm(version="1", revision=1, until=after(60))
    there = (copy("w", "b"), copy("s", "b", version="2", accelerators=(1,)))
    await fleet.fleet.save_observation(seen(2, *there))
    row = deployment(name="b", sequence=1, version="2", warm=warm)
    await fleet.record(Record(source="deployment/b", step=1, deployment=row))
    assert (await fleet.reservations.reserve(request())).warm == ("b",)
    row = row.model_copy(update={"warm": None, "sequence": 2})
    await fleet.record(Record(source="deployment/b", step=2, deployment=row))
    assert (await fleet.reservations.reserve(request())).warm == ()
