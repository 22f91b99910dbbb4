"""A rollout, and what somebody else changes meanwhile: it stands still and asks, for nothing is overwritten silently.

`resume` is the word that undoes it. On the way back nobody is asked: the new version ends whatever became of it, and
copies of the old one that somebody took away come back, for nothing is safer. What else was changed of the old one
stays, and is told as drift.
"""

from longshore.planning import outside
from longshore.planning.operation import Decision, Ensure
from longshore.planning.rollout import pausing
from longshore.planning.rollout.state import PauseReason, Stage
from longshore.planning.rollout.turn import RolloutTurn


def mind(turn: RolloutTurn) -> None:
    """Stand still when somebody else changed either version, unless a person wants that very change undone."""
    state = turn.state
    if not turn.facts.fresh or state.way_back or state.stage is Stage.RETIRED:
        return
    changed = turn.facts.changed(*turn.versions)
    if turn.order.take and not state.looked:
        turn.become(taken=changed)
    turn.become(looked=True, taken=turn.state.taken if changed else ())
    if state.pause or not set(changed) - set(turn.state.taken):
        return
    name = turn.order.deployment
    cure = f"longshore rollout resume {name} undoes that and goes on, abort {name} returns"
    pausing.pause(turn, PauseReason.OUTSIDE, f"{outside.told(changed)}; {cure}")


def take(turn: RolloutTurn) -> None:
    """A person wants all undone that somebody else has changed by now."""
    turn.become(taken=turn.facts.changed(*turn.versions), puts_right=True)


def put_right(turn: RolloutTurn) -> Decision | None:
    """Say the levels once more of what is to be undone; None where nothing is."""
    state = turn.state
    if not state.puts_right:
        return None
    turn.become(puts_right=False)
    changed = [version for version in turn.versions if turn.takes(version) and version in state.levels]
    return turn.act(*(_level(turn, version) for version in changed)) if changed else None


def _level(turn: RolloutTurn, version: str) -> Ensure:
    """What is just draining must not be cut short; what somebody else started never was to serve."""
    work = turn.state.draining
    drains = work is not None and work.version == version and not work.ending
    copies = turn.state.levels[version]
    return Ensure(version=version, copies=copies, surplus="drain" if drains else "end", step=turn.next_step())
