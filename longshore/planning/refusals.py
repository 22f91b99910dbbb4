"""Room that was promised and then refused: the target could not get what a copy needs (DESIGN, rule 3).

A target that starts hosts when they are needed, or that places copies by more than their accelerators, may say no to
a copy that has its room. Such a copy is told with the reason `InsufficientCapacity`. To wait for it until the deadline
would be wrong: it is taken back, and room is asked for again with what is really there.
"""

from datetime import timedelta
from typing import Final, TypeVar

from longshore.planning.observed import Copy, CopyState
from longshore.planning.operation import Decision, Draining, Facts, State
from longshore.planning.room import Grant
from longshore.planning.turn import Turn

INSUFFICIENT_CAPACITY: Final = "InsufficientCapacity"
"""Why a copy does not start: the target has not what it needs, and cannot get it now."""
SHUT_FOR: Final = timedelta(minutes=1)
"""For so long nothing new is placed on a host that is there and yet refused a copy: what is short there, its cores or
its memory, nobody counts, and to ask again at once would be refused again."""

TAKEN_BACK_WITHIN: Final = timedelta(hours=1)
"""A platform that still looks for room takes no other change meanwhile; whatever is there even then needs a person."""

S = TypeVar("S", bound=State)


def refused(facts: Facts, version: str) -> tuple[Copy, ...]:
    """The copies of a version that wait for room which the target says it cannot get."""
    return tuple(
        copy
        for copy in facts.copies(version)
        if copy.state is CopyState.STARTING and copy.reason == INSUFFICIENT_CAPACITY
    )


def remember(turn: Turn[S], copies: tuple[Copy, ...]) -> None:
    """Keep the target's words, and the hosts that must not be asked again at once: all, where it does not say which.

    A host that the target now shows as not up needs no remembering: it counts again once it is shown otherwise.
    """
    hosts = turn.facts.observation.hosts if turn.facts.observation else ()
    told = {copy.host for copy in copies} & {host.name for host in hosts}
    until = turn.now + SHUT_FOR
    refusing = [host.name for host in hosts if host.up and (host.name in told or not told)]
    shut = {**turn.state.shut, **dict.fromkeys(refusing, until)}
    words = next((copy.message for copy in copies if copy.message), None)
    turn.become(shut=shut, refusal=words or f"{INSUFFICIENT_CAPACITY}: the target gave no reason")


def shut(turn: Turn[S]) -> tuple[str, ...]:
    """The hosts on which nothing new is placed for now."""
    return tuple(sorted(host for host, until in turn.state.shut.items() if turn.now < until))


def take_back(turn: Turn[S], version: str, level: int) -> Decision | None:
    """End copies that never served, down to `level`: there are no requests to wait for.

    Returns:
        The decision to make; None once no more than `level` copies are there.
    """
    work = turn.state.draining
    if (work is None or (work.version, work.level) != (version, level)) and turn.facts.count(version) > level:
        limit = turn.now + TAKEN_BACK_WITHIN
        turn.become(draining=Draining(version=version, level=level, ending=True, until=limit))
        return turn.end_down_to(version, level)
    return turn.drain_to(version, level)


def told(turn: Turn[S], grant: Grant) -> str:
    """Why there is no room, with the target's own words where it had promised some."""
    short = grant.message or "no room"
    return f"{short} ({turn.state.refusal})" if turn.state.refusal else short
