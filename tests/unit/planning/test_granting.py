"""Room on a target: what fits of a batch, where, and whose turn it is (DESIGN, rule 3)."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning.granting import decide, hold, serve
from longshore.planning.observed import Copy, CopyState, ObservedHost
from longshore.planning.room import (
    Grant,
    Reservation,
    ReservationRequest,
    TargetRoom,
    choose_accelerators,
    largest_fit,
)
from longshore.spec.model_version import Resources


def host(name: str, accelerators: int, memory: float = 40, *, up: bool = True) -> ObservedHost:
    return ObservedHost(name=name, accelerators=accelerators, accelerator_memory_gib=memory, up=up)


def copies(
    deployment: str,
    version: str,
    on: str,
    count: int,
    *,
    accelerators: int = 1,
    state: CopyState = CopyState.READY,
) -> tuple[Copy, ...]:
    return tuple(
        Copy(
            id=f"{deployment}-{version}-{on}-{state}-{number}",
            deployment=deployment,
            model="m",
            version=version,
            host=on,
            accelerators=tuple(range(accelerators)),
            state=state,
        )
        for number in range(count)
    )


def request(deployment: str = "d", **changes: Any) -> ReservationRequest:
    values: dict[str, Any] = {
        "target": "fleet",
        "deployment": deployment,
        "model": "m",
        "version": "2",
        "operation": f"{deployment}/rollout-1",
        "resources": Resources(accelerators=1),
        "batch": 1,
        "old_version": "1",
    }
    return ReservationRequest(**(values | changes))


def room(*hosts: ObservedHost, copies: tuple[Copy, ...] = (), reservations: tuple[Reservation, ...] = ()) -> TargetRoom:
    return TargetRoom("fleet", hosts, copies, reservations)


def reservation(asked: ReservationRequest, ticket: int, **more: Any) -> Reservation:
    return Reservation(deployment=asked.deployment, operation=asked.operation, ticket=ticket, request=asked, **more)


FULL = room(host("a", 4), copies=copies("d", "1", "a", 4))

CASES = {
    "a whole batch fits": (request(batch=2), room(host("a", 4)), (2, 0, {"a": 2})),
    "the surge is what there is room for, and no more": (request(batch=3), room(host("a", 2)), (2, 0, {"a": 2})),
    "a dip takes what the surge leaves, as far as it may": (
        request(batch=3, dip=1),
        room(host("a", 5), copies=copies("d", "1", "a", 4)),
        (1, 1, {"a": 1}),
    ),
    "a full target is served by a dip alone": (request(dip=1), FULL, (0, 1, {})),
    "the tightest host that suffices is taken first": (
        request(resources=Resources(accelerators=2)),
        room(host("a", 8), host("b", 3), host("c", 1)),
        (1, 0, {"b": 1}),
    ),
    "among equally tight hosts the name decides": (
        request(batch=2),
        room(host("c", 1), host("b", 1), host("a", 1)),
        (2, 0, {"a": 1, "b": 1}),
    ),
    "a copy never spans hosts": (
        request(resources=Resources(accelerators=2)),
        room(host("a", 1), host("b", 1)),
        None,
    ),
    "accelerators with too little memory are no room": (
        request(resources=Resources(accelerators=1, accelerator_memory_gib=80)),
        room(host("a", 4, 40), host("b", 1, 80)),
        (1, 0, {"b": 1}),
    ),
    "a host that is down has no room": (request(), room(host("a", 4, up=False)), None),
    "draining and failed copies hold their accelerators": (
        request(batch=2),
        room(
            host("a", 4),
            copies=copies("x", "1", "a", 1, state=CopyState.DRAINING)
            + copies("x", "1", "a", 1, state=CopyState.ENDING)
            + copies("x", "1", "a", 1, state=CopyState.FAILED),
        ),
        (1, 0, {"a": 1}),
    ),
    "what is reserved for others is held though nothing runs there yet": (
        request(),
        room(host("a", 2), reservations=(reservation(request("x"), 1, answer=Grant(granted=True), held={"a": 2}),)),
        None,
    ),
    "copies of earlier batches are part of the placement": (
        request(settled=2),
        room(host("a", 2), host("b", 2), copies=copies("d", "2", "a", 2)),
        (1, 0, {"a": 2, "b": 1}),
    ),
    "a copy lost with its host is found room for before the batch": (
        request(batch=2, settled=2),
        room(host("a", 3), host("b", 2, up=False), copies=copies("d", "2", "a", 1) + copies("d", "2", "b", 1)),
        (1, 0, {"a": 3}),
    ),
    "room for the lost copies only is no room for a batch": (
        request(settled=2),
        room(host("a", 2), host("b", 2, up=False), copies=copies("d", "2", "a", 1)),
        None,
    ),
    "copies without accelerators always fit, spread evenly": (
        request(batch=3, resources=Resources()),
        room(host("b", 0), host("a", 0), copies=copies("d", "1", "a", 2, accelerators=0)),
        (3, 0, {"a": 2, "b": 1}),
    ),
    "a whole onboarding fits": (request(batch=2, whole=True, old_version=None), room(host("a", 2)), (2, 0, {"a": 2})),
    "a whole onboarding does not start in part": (
        request(batch=3, whole=True, old_version=None),
        room(host("a", 2)),
        None,
    ),
    "an old copy smaller than a new one is not drained in vain": (
        request(dip=1, resources=Resources(accelerators=2)),
        FULL,
        None,
    ),
    "an old copy on the wrong kind of accelerator is not drained in vain": (
        request(dip=1, resources=Resources(accelerators=1, accelerator_memory_gib=80)),
        room(host("a", 4), copies=copies("d", "1", "a", 4)),
        None,
    ),
}


@pytest.mark.parametrize(("asked", "there", "expected"), CASES.values(), ids=CASES.keys())
def test_decide(asked: ReservationRequest, there: TargetRoom, expected: tuple[int, int, dict[str, int]] | None) -> None:
    grant = decide(asked, there)
    assert ((grant.surge, grant.dip, grant.placement) if grant.granted else None) == expected


REFUSALS = {
    "one accelerator is free where two are needed": (
        request(resources=Resources(accelerators=2, accelerator_memory_gib=40)),
        room(host("a", 5), copies=copies("d", "1", "a", 2, accelerators=2)),
        1,
        "needs 2 accelerators of 40 GiB for one copy, 1 is free on fleet; maxUnavailable: 1 would do",
    ),
    "several hosts, each with too few": (
        request(resources=Resources(accelerators=2)),
        room(host("a", 2), host("b", 2), copies=copies("x", "1", "a", 1) + copies("x", "1", "b", 1)),
        1,
        "needs 2 accelerators for one copy, at most 1 is free on one host of fleet",
    ),
    "no host has as many": (
        request(resources=Resources(accelerators=8)),
        room(host("a", 4)),
        4,
        "needs 8 accelerators for one copy, and fleet has no host with as many",
    ),
    "no accelerator has the memory": (
        request(resources=Resources(accelerators=1, accelerator_memory_gib=80)),
        room(host("a", 4)),
        1,
        "needs 1 accelerator of 80 GiB for one copy, and no accelerator of fleet has that much memory",
    ),
    "every host is down": (
        request(resources=Resources()),
        room(host("a", 4, up=False)),
        0,
        "no host of fleet is up",
    ),
    "an onboarding for which too few are free": (
        request(batch=3, whole=True, old_version=None),
        room(host("a", 4), copies=copies("x", "1", "a", 3)),
        2,
        "needs 3 copies of 1 accelerator at once, 1 fits on fleet",
    ),
    "an onboarding that is too large for ever": (
        request(batch=9, whole=True, old_version=None),
        room(host("a", 4)),
        5,
        "needs 9 copies of 1 accelerator at once, and at most 4 would fit if fleet were empty",
    ),
}


@pytest.mark.parametrize(("asked", "there", "short", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_says_what_is_short(asked: ReservationRequest, there: TargetRoom, short: int, message: str) -> None:
    grant = decide(asked, there)
    assert (grant.granted, grant.reason, grant.short, grant.message) == (
        False,
        "InsufficientAccelerators",
        short,
        message,
    )


def answers(there: TargetRoom) -> dict[str, Grant | None]:
    return {one.deployment: one.answer for one in there.reservations}


def test_a_later_one_waits_behind_an_earlier_one_that_does_not_fit() -> None:
    large, small = request("large", resources=Resources(accelerators=2)), request("small")
    there = room(
        host("a", 2), copies=copies("x", "1", "a", 1), reservations=(reservation(small, 2), reservation(large, 1))
    )
    told = answers(serve(there))
    assert told["large"] is not None
    assert not told["large"].granted
    assert told["small"] == Grant(
        granted=False,
        reason="InsufficientAccelerators",
        message="waits for its turn: large/rollout-1 asked first and does not fit yet",
    )


def test_both_are_served_in_one_go_once_the_earlier_one_fits() -> None:
    large, small = request("large", resources=Resources(accelerators=2)), request("small")
    there = room(host("a", 3), reservations=(reservation(large, 1), reservation(small, 2)))
    assert all(answer and answer.granted for answer in answers(serve(there)).values())


def test_whoever_could_never_fit_holds_nobody_up() -> None:
    huge, small = request("huge", resources=Resources(accelerators=8)), request("small")
    there = room(host("a", 2), reservations=(reservation(huge, 1), reservation(small, 2)))
    told = answers(serve(there))
    assert told["small"] is not None
    assert told["small"].granted


def test_a_rollout_under_way_goes_on_in_its_own_room_past_whoever_waits() -> None:
    large = reservation(request("large", resources=Resources(accelerators=4)), 1)
    ours = reservation(request(settled=1), 2, held={"a": 4})
    there = room(
        host("a", 4),
        copies=copies("d", "1", "a", 2) + copies("d", "2", "a", 1),
        reservations=(large, ours),
    )
    told = answers(serve(there))
    assert told["d"] is not None
    assert told["d"].granted
    assert told["d"].placement == {"a": 2}


def test_a_dip_takes_nothing_from_whoever_waits() -> None:
    large = reservation(request("large", resources=Resources(accelerators=2)), 1)
    ours = reservation(request(dip=1), 2)
    there = room(host("a", 5), copies=copies("d", "1", "a", 4), reservations=(large, ours))
    told = answers(serve(there))
    assert told["d"] == Grant(granted=True, surge=0, dip=1, placement={})


def test_room_of_drained_copies_stays_the_deployments_own() -> None:
    asked = request(dip=1)
    told = serve(replace(FULL, reservations=(reservation(asked, 1),)))
    drained = replace(told, copies=FULL.copies[1:], reservations=(*told.reservations, reservation(request("x"), 2)))
    assert not (answers(serve(drained))["x"] or Grant(granted=True)).granted


def test_kept_room_is_used_before_free_room_even_if_that_is_tighter() -> None:
    there = room(
        host("kept", 4),
        host("a", 1),
        copies=copies("d", "1", "kept", 2),
        reservations=(reservation(request(), 1, held={"kept": 4}),),
    )
    assert decide(request(settled=0), there).placement == {"kept": 1}


# -- what holds for every fleet ------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])


@st.composite
def fleets(draw: st.DrawFn) -> TargetRoom:
    hosts = tuple(
        host(name, draw(st.integers(0, 6)), draw(st.sampled_from([24, 80])), up=draw(st.booleans())) for name in "abc"
    )
    held: list[Copy] = []
    for one in hosts:
        left = one.accelerators
        for number in range(draw(st.integers(0, 3))):
            size = draw(st.integers(0, 2))
            if size <= left:
                left -= size
                deployment = draw(st.sampled_from(["d1", "d2"]))
                state = draw(st.sampled_from(list(CopyState)))
                (copy,) = copies(deployment, "1", one.name, 1, accelerators=size, state=state)
                held.append(copy.model_copy(update={"id": f"{copy.id}-{number}"}))
    return room(*hosts, copies=tuple(held))


@st.composite
def requests(draw: st.DrawFn) -> ReservationRequest:
    return request(
        draw(st.sampled_from(["d1", "d2", "d3", "d4"])),
        batch=draw(st.integers(1, 4)),
        dip=draw(st.integers(0, 2)),
        whole=draw(st.booleans()),
        resources=Resources(
            accelerators=draw(st.integers(0, 3)), accelerator_memory_gib=draw(st.sampled_from([0, 24, 80]))
        ),
    )


@given(fleets(), st.lists(requests(), min_size=1, max_size=5, unique_by=lambda asked: asked.deployment))
def test_no_accelerator_is_ever_promised_twice(there: TargetRoom, queue: list[ReservationRequest]) -> None:
    waiting = tuple(reservation(asked, ticket) for ticket, asked in enumerate(queue, start=1))
    served = serve(replace(there, reservations=waiting))
    for one in served.hosts:
        assert served.held[one.name] <= one.accelerators


@given(fleets(), requests())
def test_a_grant_is_within_what_was_asked_and_on_hosts_that_suit(there: TargetRoom, asked: ReservationRequest) -> None:
    grant = decide(asked, there)
    assert grant.surge + grant.dip <= asked.batch
    assert grant.dip <= asked.dip
    assert grant.granted == (grant.surge + grant.dip > 0)
    for name, count in grant.placement.items():
        one = next(it for it in there.hosts if it.name == name)
        assert one.up
        assert (
            count == 0
            or not asked.resources.accelerators
            or one.accelerator_memory_gib >= (asked.resources.accelerator_memory_gib)
        )


@given(fleets(), requests())
def test_what_a_grant_holds_covers_what_is_there_and_what_will_come(
    there: TargetRoom, asked: ReservationRequest
) -> None:
    grant = decide(asked, there)
    held = hold(asked, there, grant)
    for name in Counter(grant.placement):
        need = there.used[asked.deployment, name] + grant.placement[name] * asked.resources.accelerators
        assert held.get(name, 0) == need


@given(fleets(), requests())
def test_nothing_fits_that_would_not_fit_an_empty_target(there: TargetRoom, asked: ReservationRequest) -> None:
    assert decide(asked, there).surge <= largest_fit(there.hosts, asked.resources)


# -- the accelerators of one host ----------------------------------------------------------------------------------

CHOICES = {
    "the lowest indices among equals": ({2: 40, 0: 40, 1: 40}, 2, 40, (0, 1)),
    "the least memory that suffices": ({0: 80, 1: 24, 2: 40}, 1, 30, (2,)),
    "too few with enough memory": ({0: 80, 1: 24}, 2, 40, None),
    "none needed": ({}, 0, 0, ()),
}


@pytest.mark.parametrize(("free", "count", "memory", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_choose_accelerators(
    free: dict[int, float], count: int, memory: float, expected: tuple[int, ...] | None
) -> None:
    assert choose_accelerators(free, count, memory) == expected


@given(st.dictionaries(st.integers(0, 15), st.sampled_from([16.0, 40.0, 80.0])), st.integers(0, 4), st.just(40.0))
def test_chosen_accelerators_are_free_different_and_large_enough(
    free: dict[int, float], count: int, memory: float
) -> None:
    chosen = choose_accelerators(free, count, memory)
    suited = [index for index, size in free.items() if size >= memory]
    assert (chosen is None) == (len(suited) < count)
    if chosen is not None:
        assert len(set(chosen)) == count
        assert set(chosen) <= set(suited)


def test_largest_fit_counts_whole_copies_per_host() -> None:
    assert largest_fit([host("a", 5), host("b", 3), host("c", 9, up=False)], Resources(accelerators=2)) == 3


def kept_warm(*names: str, free: int = 0) -> TargetRoom:
    """Deployments of one serving and one warm copy each, on one host of just as many accelerators and `free` more."""
    there = tuple(copy for name in names for version in "12" for copy in copies(name, version, "a", 1))
    filled = room(host("a", 2 * len(names) + free), copies=there)
    return replace(filled, warm=dict.fromkeys(names, "1"))


def asking(batch: int, *, whole: bool = True, **more: Any) -> ReservationRequest:
    return request("new", batch=batch, whole=whole, old_version=None, **more)


WARM = {
    "one that is in the way is named": (asking(1), kept_warm("b"), ("b",)),
    "the fewest that suffice are named, by name": (asking(2), kept_warm("d", "c", "b"), ("b", "c")),
    "nobody is named when there is room": (asking(1), kept_warm("b", free=1), ()),
    "nobody is named when it would not help": (asking(3), kept_warm("b", "c"), ()),
    "its own are named like others": (request("b", version="3", batch=1, old_version="2"), kept_warm("b"), ("b",)),
    "copies that have ended are in nobody's way": (
        asking(1),
        replace(room(host("a", 1), copies=copies("b", "2", "a", 1)), warm={"b": "1"}),
        (),
    ),
}


@pytest.mark.parametrize(("asked", "there", "named"), WARM.values(), ids=WARM)
def test_whose_warm_copies_are_in_the_way(asked: ReservationRequest, there: TargetRoom, named: tuple[str, ...]) -> None:
    grant = decide(asked, there)
    assert grant.warm == named
    assert not (grant.granted and named)
    assert not named or all(name in (grant.message or "") for name in named)


def test_who_waits_behind_another_takes_nobodys_warm_copies() -> None:
    first = reservation(asking(9), 1)
    behind = reservation(request("later", old_version=None), 2)
    there = replace(kept_warm("b", "c"), reservations=(first, behind))
    hosts = (host("a", 4), host("z", 6, up=True))
    busy = copies("other", "1", "z", 6)
    served = serve(replace(there, hosts=hosts, copies=(*there.copies, *busy)))
    assert all(one.answer and not one.answer.granted and not one.answer.warm for one in served.reservations)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 3))
def test_without_those_that_are_named_it_fits_and_with_one_of_them_left_it_does_not(
    names: int, batch: int, free: int
) -> None:
    there = kept_warm(*(f"d{number}" for number in range(names)), free=free)
    grant = decide(asking(batch), there)
    assert grant.granted == (batch <= free)
    assert len(grant.warm) == (batch - free if free < batch <= free + names else 0)
    if grant.warm:
        assert decide(asking(batch), there.without_warm(grant.warm)).granted
        assert not any(
            decide(asking(batch), there.without_warm([one for one in grant.warm if one != left])).granted
            for left in grant.warm
        )
