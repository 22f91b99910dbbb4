"""Somebody else's changes: which of our levels overwrite them, and what becomes of an operation that meets one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning import outside, retire, scale
from longshore.planning.observed import Copy, CopyState, Difference, Observation, ObservedHost
from longshore.planning.operation import (
    Command,
    Decision,
    DrainReport,
    Ensure,
    Facts,
    OperationOrder,
    VersionFacts,
)
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import Pause, PauseReason, RolloutState, Stage, WayBack
from longshore.planning.room import Grant
from longshore.planning.scale import ScaleState
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = DeploymentSpec.model_validate({"target": "here", "model": "m", "version": "2", "copies": 4})
ORDER = OperationOrder(
    id="digits/rollout-2",
    deployment="digits",
    number=2,
    kind=OperationKind.ROLLOUT,
    target="here",
    model="m",
    actor="ada",
    revision=2,
    spec=SPEC,
    new=VersionFacts(version="2", resources=Resources()),
    old=VersionFacts(version="1", resources=Resources()),
    old_copies=4,
)
SCALE = ORDER.model_copy(update={"id": "digits/scale-2", "kind": OperationKind.SCALE, "new": ORDER.old, "old": None})
TAKING = SCALE.model_copy(update={"take": True})
BAKING = {
    "stage": Stage.START,
    "asked": True,
    "phase": Phase.PROGRESSING,
    "started": True,
    "step": 3,
    "batch": 1,
    "surge": 1,
    "level": 4,
    "weight": 25,
    "old_well": 4,
    "weights": {"1": 100},
    "published": {"1": 100},
    "levels": {"1": 4, "2": 1},
    "looked": True,
}


def changed(version: str, what: str = "Specification.Container.Image") -> Difference:
    return Difference(deployment="digits", version=version, what=what, wanted="a", found="b")


def seen(old: int, new: int, *differences: Difference, fresh: bool = True, at: float = 0, **more: Any) -> Facts:
    copies = tuple(
        Copy(id=f"{version}-{one}", deployment="digits", model="m", version=version, host="h", state=CopyState.READY)
        for version, count in (("1", old), ("2", new))
        for one in range(count)
    )
    now = T0 + timedelta(seconds=at)
    hosts = (ObservedHost(name="h", accelerators=8),)
    observation = Observation(target="here", sequence=1, at=now, hosts=hosts, copies=copies, differences=differences)
    return Facts(now=now, answered=True, fresh=fresh, observation=observation, **more)


def ensured(decision: Decision) -> list[tuple[str, int, bool]]:
    """(version, copies, take) of the levels that are asked for."""
    return [(one.version, one.copies, one.take) for one in decision.actions if isinstance(one, Ensure)]


def rolling(**more: Any) -> RolloutState:
    return RolloutState.model_validate(BAKING | more)


def command(verb: Any) -> Command:
    return Command(sequence=1, verb=verb, actor="ada")


# -- a scale ------------------------------------------------------------------------------------------------------


def test_a_scale_without_a_word_ends_before_it_overwrites_anything() -> None:
    decision = scale.advance(SCALE, scale.begin(SCALE), seen(2, 0, changed("1")))
    assert decision.result is not None
    assert (decision.result.phase, decision.result.reason) == (Phase.FAILED, "ChangedOutside")
    assert decision.actions == ()
    assert "longshore apply -f FILE --take" in (decision.message or "")


def test_what_is_changed_of_another_version_is_none_of_a_scales_business() -> None:
    decision = scale.advance(SCALE, scale.begin(SCALE), seen(4, 0, changed("7")))
    assert decision.result is not None
    assert decision.result.phase is Phase.SUCCEEDED


@pytest.mark.parametrize(("there", "then"), [(2, "reserve"), (4, "observe"), (6, "ensure")])
def test_a_taking_scale_says_the_level_that_is_there_and_goes_on_from_it(there: int, then: str) -> None:
    first = scale.advance(TAKING, scale.begin(TAKING), seen(there, 0, changed("1")))
    assert ensured(first) == [("1", there, True)]
    state = ScaleState.model_validate(first.state)
    second = scale.advance(TAKING, state, seen(there, 0, changed("1"), at=1))
    if then == "observe":
        assert (second.result, second.actions) == (None, ())
        assert second.wait_until is not None
    else:
        assert second.actions[0].kind == then
        assert all(take for _, _, take in ensured(second))


def test_a_taking_scale_succeeds_once_nothing_of_the_change_is_seen() -> None:
    state = ScaleState.model_validate(scale.advance(TAKING, scale.begin(TAKING), seen(4, 0, changed("1"))).state)
    waiting = scale.advance(TAKING, state, seen(4, 0, changed("1"), at=1))
    done = scale.advance(TAKING, ScaleState.model_validate(waiting.state), seen(4, 0, at=2))
    assert done.result is not None
    assert done.result.phase is Phase.SUCCEEDED
    assert [event.type for event in (*waiting.events, *done.events)] == [EventType.SCALED]


def test_a_change_that_does_not_go_away_in_time_needs_a_person() -> None:
    state = ScaleState.model_validate(scale.advance(TAKING, scale.begin(TAKING), seen(4, 0, changed("1"))).state)
    late = scale.advance(TAKING, state, seen(4, 0, changed("1"), at=SPEC.rollout.deadline))
    assert late.result is not None
    assert (late.result.phase, late.result.reason) == (Phase.FAILED, "ChangedOutside")


def test_a_change_that_comes_after_the_word_is_not_covered_by_it() -> None:
    state = ScaleState.model_validate(scale.advance(TAKING, scale.begin(TAKING), seen(4, 0, changed("1"))).state)
    again = scale.advance(TAKING, state, seen(4, 0, changed("1", "Specification.ModelName"), at=1))
    assert again.result is not None
    assert again.result.reason == "ChangedOutside"


def test_an_abort_that_comes_with_the_first_look_is_answered() -> None:
    decision = scale.advance(TAKING, scale.begin(TAKING), seen(4, 0, commands=(command("abort"),)))
    assert [one.accepted for one in decision.acknowledged] == [True]


def test_a_retirement_takes_everything() -> None:
    order = ORDER.model_copy(update={"kind": OperationKind.RETIRE})
    state = retire.begin(order).model_copy(update={"unrouted": True, "started": True})
    decision = retire.advance(order, state, seen(2, 0, changed("1")))
    assert ensured(decision) == [("1", 0, True)]


# -- a rollout ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_rollout_stands_still_when_either_version_was_changed(version: str) -> None:
    decision = rollout.advance(ORDER, rolling(), seen(4, 1, changed(version)))
    assert (decision.phase, decision.reason) == (Phase.PAUSED, "ChangedOutside")
    assert [event.type for event in decision.events if event.type is EventType.ROLLOUT_PAUSED] == [
        EventType.ROLLOUT_PAUSED
    ]
    assert "longshore rollout resume digits undoes that" in (decision.message or "")
    assert ensured(decision) == []


def test_a_rollout_paused_by_a_person_says_so_until_that_is_over() -> None:
    paused = rolling(phase=Phase.PAUSED, reason="PausedByUser", pause=Pause(reason=PauseReason.BY_USER, since=T0))
    decision = rollout.advance(ORDER, paused, seen(4, 1, changed("2")))
    assert decision.reason == "PausedByUser"
    resumed = rollout.advance(
        ORDER,
        RolloutState.model_validate(decision.state),
        seen(4, 1, changed("2"), commands=(command("resume"),)),
    )
    again = rollout.advance(ORDER, RolloutState.model_validate(resumed.state), seen(4, 1, changed("2"), at=1))
    assert (again.phase, again.reason) == (Phase.PAUSED, "ChangedOutside")


def test_resuming_says_the_levels_again_of_what_was_changed_and_of_nothing_else() -> None:
    standing = rollout.advance(ORDER, rolling(), seen(4, 1, changed("2")))
    facts = seen(4, 1, changed("2"), fresh=False, commands=(command("resume"),))
    decision = rollout.advance(ORDER, RolloutState.model_validate(standing.state), facts)
    assert ensured(decision) == [("2", 1, True)]
    later = rollout.advance(ORDER, RolloutState.model_validate(decision.state), seen(4, 1, changed("2"), at=1))
    assert later.phase is Phase.PROGRESSING


def test_a_promotion_neither_undoes_nor_accepts_it() -> None:
    standing = rollout.advance(ORDER, rolling(), seen(4, 1, changed("2")))
    facts = seen(4, 1, changed("2"), fresh=False, commands=(command("promote"),))
    decision = rollout.advance(ORDER, RolloutState.model_validate(standing.state), facts)
    assert [(one.accepted, one.reason) for one in decision.acknowledged] == [(False, "ChangedOutside")]


def test_a_rollout_that_was_told_to_take_goes_on_over_what_it_finds_first_and_asks_about_what_comes_later() -> None:
    order = ORDER.model_copy(update={"take": True})
    first = rollout.advance(order, rolling(looked=False), seen(4, 1, changed("1")))
    assert first.phase is Phase.PROGRESSING
    later = rollout.advance(order, RolloutState.model_validate(first.state), seen(4, 1, changed("1"), changed("2")))
    assert later.reason == "ChangedOutside"


def test_it_succeeds_only_when_nothing_of_its_version_is_other_than_asked_for() -> None:
    confirming = rolling(
        stage=Stage.CONFIRM, weights={"2": 100}, published={"2": 100}, levels={"1": 0, "2": 4}, taken=(changed("2"),)
    )
    assert rollout.advance(ORDER, confirming, seen(0, 4, changed("2"))).result is None
    done = rollout.advance(ORDER, confirming, seen(0, 4))
    assert done.result is not None
    assert done.result.phase is Phase.SUCCEEDED


BACK = WayBack(phase=Phase.ABORTED, reason="AbortedByUser", message="aborted", peak=5)
WAYS_BACK = {
    "the new version ends whatever it was made": (changed("2"), "2", True),
    "copies of the old one that were taken away come back": (changed("1", "RuntimeConfig.CopyCount"), "1", True),
    "an old one that was deleted comes back": (changed("1", "deleted"), "1", True),
    "what else was changed of the old one stays": (changed("1"), "1", False),
}


@pytest.mark.parametrize(("difference", "version", "take"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_on_the_way_back_nobody_is_asked(difference: Difference, version: str, take: bool) -> None:  # noqa: FBT001
    from longshore.planning.rollout.turn import RolloutTurn

    turn = RolloutTurn(ORDER, rolling(way_back=BACK), seen(4, 1, difference))
    assert turn.takes(version) is take
    decision = turn.act(Ensure(version=version, copies=4, surplus="end", step=1))
    assert ensured(decision) == [(version, 4, take)]


DIFFERENCES = st.lists(
    st.builds(changed, st.sampled_from(["1", "2", "7"]), st.sampled_from(["Image", "CopyCount", "deleted"])),
    max_size=3,
    unique=True,
).map(tuple)


@given(st.lists(st.tuples(DIFFERENCES, st.integers(0, 6), st.booleans()), max_size=8), st.booleans())
def test_a_scale_overwrites_nothing_that_was_not_there_when_a_person_said_so(
    readings: list[tuple[tuple[Difference, ...], int, bool]],
    take: bool,  # noqa: FBT001
) -> None:
    order = SCALE.model_copy(update={"take": take})
    state, covered, looked = scale.begin(order), frozenset[Difference](), False
    for at, (differences, there, granted) in enumerate(readings):
        grant = Grant(granted=True, surge=4) if granted else None
        facts = seen(there, 0, *differences, at=at, grant=grant, drain=DrainReport(acked=True, in_flight=0))
        ours = frozenset(facts.changed("1"))
        covered = (ours if take and not looked else covered) if ours else frozenset()
        looked = True
        decision = scale.advance(order, state, facts)
        assert not ensured(decision) or ours <= covered
        if decision.result is not None:
            assert decision.result.phase is not Phase.SUCCEEDED or not ours
            return
        state = ScaleState.model_validate(decision.state)


@given(DIFFERENCES, DIFFERENCES)
def test_news_is_told_exactly_when_something_is_other_than_before(
    before: tuple[Difference, ...], now: tuple[Difference, ...]
) -> None:
    event = outside.news("digits", before, now, T0)
    assert (event is None) == (set(before) == set(now))
    if event is not None:
        assert (event.type is EventType.DRIFTED) == bool(now)
        assert "\n" not in event.message
