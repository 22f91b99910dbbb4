"""After an operation that left two versions serving: see who has which share, and go back first (DESIGN, rule 4).

A rollback that failed, or an operation that was lost, may leave both versions with copies and with traffic. Whoever
then aborts or retries gets the way back from where things really stand; a retry begins anew once it is over.
"""

from longshore.planning.operation import Decision, Observe, ReadRoute
from longshore.planning.rollout import autoscaled
from longshore.planning.rollout.rollback import turn_round
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import Phase


def look(turn: RolloutTurn) -> Decision | None:
    """Read the route and the copies, then take the way back from there."""
    order, route, seen = turn.order, turn.facts.route, turn.facts.observation
    if route is None or seen is None:
        return turn.act(*autoscaled.hold_at_once(turn), ReadRoute(), Observe())
    autoscaled.take_both(turn)
    most = max(turn.copies, turn.before)
    turn.become(weights=route, published=route, widest=max(0, len(seen.copies) - most))
    again = order.doubt == "again"
    message = f"back to what served before{', then again' if again else ''}: asked by {order.actor}"
    turn_round(turn, Phase.ABORTED, "AbortedByUser", message)
    if turn.state.way_back:
        turn.become(way_back=turn.state.way_back.model_copy(update={"again": again}))
    return None
