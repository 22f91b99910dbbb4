"""A scale that is told otherwise on the way: another number, a newer revision, warm copies of others in its way."""

from hypothesis import given
from hypothesis import strategies as st
from played import START, Behaviour, Fleet, Play, Story, serving
from test_planners_play import DEADLINE, PLAYS, behaviours, order, policies, stories

from longshore.planning import scale
from longshore.planning.observed import CopyState
from longshore.planning.operation import Facts, GiveUpWarm
from longshore.planning.room import Grant
from longshore.planning.scale import ScaleState
from longshore.planning.words import OperationKind, Phase

NUMBERS = ("scale 0", "scale 1", "scale 3", "scale 6")


def fleet_of(before: int, accelerators: int, behaviour: Behaviour) -> Fleet:
    fleet = Fleet(accelerators, {"1": behaviour})
    for _ in range(before):
        fleet.add("1", START.replace(year=2025))
    return fleet


@st.composite
def scales(draw: st.DrawFn) -> Play:
    copies, before = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    made = order(OperationKind.SCALE, copies, before, **draw(policies))
    fleet = fleet_of(before, max(1, before) + draw(st.integers(0, 6)), draw(behaviours))
    story = draw(stories((*NUMBERS, "scale 2", "abort", "supersede")))
    return Play(scale, ScaleState, made, fleet, story, route={"1": 100})


@PLAYS
@given(scales())
def test_a_scale_comes_to_the_number_last_accepted_or_ends_where_a_newer_revision_found_it(play: Play) -> None:
    told = dict(enumerate((verb for _, verb in sorted(play.story.commands)), start=1))
    play.run()
    result, before = play.result, play.order.copies_before
    assert result is not None
    accepted = [told.get(one.sequence, "abort") for one in play.acknowledged if one.accepted]
    numbers = [play.order.spec.copies] + [int(verb.split()[1]) for verb in accepted if verb.startswith("scale")]
    assert play.most <= max(*numbers, before)
    if not play.story.lossy:
        assert play.least_ready >= min(*numbers, before)
    if result.phase is Phase.SUPERSEDED:
        states = [copy.state for copy in play.fleet.observe(play.now).copies]
        assert play.events[-1].type == "RolloutSuperseded"
        seen = [state for state in states if state not in {CopyState.DRAINING, CopyState.ENDING}]
        assert play.story.lossy or result.copies in {len(seen), before}
    elif not (play.story.lossy and result.reason == "DeadlineExceeded"):
        number = before if result.phase is Phase.ABORTED else numbers[-1]
        assert serving(play) == ({"1": number} if number else {})


def test_a_scale_goes_on_to_the_newer_number_without_starting_over() -> None:
    made = order(OperationKind.SCALE, 6, 2, deadline=DEADLINE)
    fleet = fleet_of(2, 8, Behaviour(startup=10))
    play = Play(scale, ScaleState, made, fleet, Story(commands=[(5.0, "scale 4")]), route={"1": 100}).run()
    assert play.result is not None
    assert (play.result.phase, serving(play), fleet.started) == (Phase.SUCCEEDED, {"1": 4}, 6)
    assert [event.evidence for event in play.events] == [{"copies": 4}]


def test_a_scale_on_its_way_back_is_not_revised() -> None:
    made = order(OperationKind.SCALE, 6, 2, deadline=DEADLINE)
    fleet = fleet_of(2, 8, Behaviour(startup=20, busy=30))
    story = Story(commands=[(12.0, "scale 3"), (14.0, "abort"), (15.0, "scale 5")])
    play = Play(scale, ScaleState, made, fleet, story, route={"1": 100}).run()
    assert [one.accepted for one in play.acknowledged][-1] is False
    assert serving(play) == {"1": 2}


def test_while_others_give_up_warm_copies_they_are_asked_once_and_nothing_is_called_blocked() -> None:
    made = order(OperationKind.SCALE, 4, 2)
    fleet = fleet_of(2, 4, Behaviour())
    grant = Grant(granted=False, reason="InsufficientAccelerators", message="none is free", warm=("a", "b"))
    seen = Facts(now=START, answered=True, observation=fleet.observe(START), fresh=True, grant=grant)
    asked = scale.advance(made, scale.begin(made), seen)
    assert asked.actions == (GiveUpWarm(deployments=("a", "b")),)
    again = scale.advance(made, ScaleState.model_validate(asked.state), seen)
    assert (again.actions, again.events, again.reason) == ((), (), "InsufficientAccelerators")
    assert again.wait_until is not None
    alone = grant.model_copy(update={"warm": ()})
    blocked = scale.advance(made, ScaleState.model_validate(again.state), seen.model_copy(update={"grant": alone}))
    assert [event.type for event in blocked.events] == ["RolloutBlocked"]
