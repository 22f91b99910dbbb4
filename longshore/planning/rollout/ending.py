"""How a rollout ends well: the new version alone in the route, and observed to be all that was asked for."""

from datetime import timedelta

from longshore.planning.operation import Decision, Warm
from longshore.planning.rollout.state import Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import EventType, Phase


def finish(turn: RolloutTurn) -> Decision | None:
    """Leave the new version alone in the route; what is kept warm stays beside it, without weight."""
    alone, standby = {turn.new: 100}, (turn.old,) if turn.keeps else ()
    if turn.state.pause and turn.state.published != alone:
        return turn.wait(None)
    unlike = turn.order.old is not None or turn.state.weights != alone
    if unlike and (decision := turn.shift(alone, standby, f"version {turn.new} alone", None)):
        return decision
    limit = turn.now + timedelta(seconds=turn.policy.deadline)
    turn.become(stage=Stage.CONFIRM, ready_by=limit)
    return None


def confirm(turn: RolloutTurn) -> Decision | None:
    """It succeeded only when what runs was observed to equal what was asked for."""
    facts = turn.facts
    if turn.state.pause:
        return turn.wait(None)
    if not facts.fresh or facts.observation is None:
        return turn.look()
    new, copies = turn.new, turn.copies
    known = {new, turn.old} if turn.keeps else {new}
    others = sum(copy.version not in known for copy in facts.observation.copies)
    if facts.ready(new) == facts.count(new) == copies and not others and not facts.changed(new):
        _keep_warm(turn)
        message = f"version {new} serves with {copies} {'copy' if copies == 1 else 'copies'}"
        turn.emit(EventType.ROLLOUT_SUCCEEDED, message)
        return turn.end(Phase.SUCCEEDED, None, message)
    return turn.poll()


def _keep_warm(turn: RolloutTurn) -> None:
    order = turn.order
    if not turn.keeps or order.old_revision is None or not turn.facts.count(turn.old):
        return
    until = turn.now + timedelta(seconds=turn.policy.keep_warm)
    turn.become(warm=Warm(version=turn.old, revision=order.old_revision, until=until))


def retired(turn: RolloutTurn) -> Decision:
    """Retire ends it where it stands; what is there is for the retirement to drain."""
    turn.emit(EventType.ROLLOUT_ABORTED, "ended by retire, nothing restored", reason="Retired")
    return turn.end(Phase.ABORTED, "Retired", "ended by retire, nothing restored")
