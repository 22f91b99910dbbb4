"""What a deployment makes of what is asked of it: pure decisions over its revisions and the operation under way.

Every `decide_*` answers either `Accepted`, with the state that follows, or a `Refusal` that says what would do. What
is asked while warm copies are given up waits for that, so here it counts as nothing. What a desired state means while
something else is under way is in `superseding`, what comes of an operation's end in `settling`.
"""

from longshore.planning.deployment.revisions import (
    Accepted,
    DeploymentState,
    Revision,
    change_stable,
    go_back,
    next_number,
    ordered,
    roll_to,
    scale_to,
    start,
    unchanged,
)
from longshore.planning.deployment.superseding import apply_meanwhile, scale_meanwhile
from longshore.planning.operation import OperationOrder
from longshore.planning.requests import Answer, ApplyRequest, ControlRequest, Refusal, ScaleRequest, UndoRequest
from longshore.planning.rollout.strategy import choose
from longshore.planning.words import OperationKind, Phase


def decide_apply(state: DeploymentState, request: ApplyRequest) -> Accepted | Refusal:
    """Bring the deployment to a desired state: onboard, roll out, scale, or only take a new policy (rules 10, 12)."""
    spec = request.spec
    if state.spec and not state.retired and (state.spec.model, state.spec.target) != (spec.model, spec.target):
        return Refusal(
            reason="Immutable",
            message=f"serves {state.spec.model} on {state.spec.target}: model and target cannot change, "
            f"use another name or longshore delete {state.name}",
        )
    if order := state.under_way:
        retiring = order.kind is OperationKind.RETIRE
        if request.take and not retiring:
            return _resume_instead(state, order)
        return _busy(state, "apply") if retiring else apply_meanwhile(state, order, request)
    stable = None if state.retired else state.stable_revision
    if (doubtful := _doubtful(state)) and (back := _apply_in_doubt(state, request, doubtful)):
        return back
    if stable and spec.version == stable.version:
        return _apply_to_stable(state, request, stable)
    held = _held(state, spec.version)
    if held and not state.retired and held.spec == spec:
        message = (
            f"revision {held.number} is held ({held.reason or held.phase.value}) and is not applied again by itself: "
            f"longshore rollout retry {state.name}"
        )
        answer = Answer(changed=False, message=message, revision=held.number, held=True)
        return Accepted(state=state, answer=answer)
    chosen = choose(spec.rollout, request.facts, stable.facts if stable else None)
    if isinstance(chosen, Refusal):
        return chosen
    revision = Revision(number=next_number(state), facts=request.facts, spec=spec, actor=request.actor)
    begun = roll_to(state.model_copy(update={"labels": request.labels}), revision, request.actor)
    return ordered(begun, take=request.take)


def decide_scale(state: DeploymentState, request: ScaleRequest) -> Accepted | Refusal:
    """Bring the copies to a number: of the stable version, or of what is under way (rule 9)."""
    order, stable = state.under_way, state.stable_revision
    if refusal := _autoscaled(state):
        return refusal
    if order and order.kind is not OperationKind.RETIRE:
        return scale_meanwhile(state, order, request.copies)
    if refusal := _not_idle(state, "scale") or _in_doubt(state, "scale"):
        return refusal
    if stable is None or state.spec is None:
        return _nothing_serves(state)
    if request.copies == state.spec.copies and not state.off_scale:
        return unchanged(state, f"has {request.copies} copies already", None, stable.number)
    return scale_to(state, stable, state.spec.model_copy(update={"copies": request.copies}), request.actor)


def decide_undo(state: DeploymentState, request: UndoRequest) -> Accepted | Refusal:
    """A rollout to the last revision that succeeded before the stable one, with today's copies and policy."""
    stable = state.stable_revision
    if state.under_way and state.under_way.kind is not OperationKind.RETIRE:
        return Refusal(
            reason="OperationUnderWay",
            message=f"{state.under_way.id} is under way: longshore rollout abort {state.name} returns to what was",
        )
    if refusal := _not_idle(state, "undo") or _in_doubt(state, "undo"):
        return refusal
    if stable is None or state.spec is None:
        return _nothing_serves(state)
    goal = state.revision(request.to) if request.to is not None else _before(state, stable)
    if goal is None or goal.phase is not Phase.SUCCEEDED:
        which = f"revision {request.to}" if request.to is not None else "an earlier revision"
        return Refusal(
            reason="NothingToUndo",
            message=f"{which} that succeeded is not there: see longshore rollout history {state.name}",
        )
    if goal.version == stable.version:
        return unchanged(state, f"serves version {goal.version} already", None, stable.number)
    spec = state.spec.model_copy(update={"version": goal.version})
    chosen = choose(spec.rollout, goal.facts, stable.facts)
    if isinstance(chosen, Refusal):
        return chosen
    revision = Revision(number=next_number(state), facts=goal.facts, spec=spec, actor=request.actor)
    return roll_to(state, revision, request.actor, undo=True)


def decide_retry(state: DeploymentState, request: ControlRequest) -> Accepted | Refusal:
    """Try the newest held revision again, under its number."""
    if refusal := _not_idle(state, "retry"):
        return refusal
    newest = _doubtful(state) or state.newest
    if newest is None or not newest.held:
        return Refusal(reason="NothingHeld", message="no revision is held: there is nothing to retry")
    stable = state.stable_revision
    chosen = choose(newest.spec.rollout, newest.facts, stable.facts if stable else None)
    if isinstance(chosen, Refusal):
        return chosen
    again = newest.model_copy(update={"held": False, "phase": Phase.PENDING, "reason": None})
    return roll_to(state, again, request.actor)


def decide_abort(state: DeploymentState, request: ControlRequest) -> Accepted | Refusal:
    """Where nothing is under way: try the way back again that failed, or was lost, and left two versions serving."""
    if back := go_back(state, request.actor):
        return back
    return _nothing_under_way(state, "abort")


def decide_retire(state: DeploymentState, request: ControlRequest) -> Accepted | Refusal:
    """Remove the route and end every copy."""
    if state.operation and state.operation.kind is OperationKind.RETIRE:
        return unchanged(state, "is being retired already", state.operation.id, None)
    serving = state.stable_revision or state.newest
    if state.retired or state.spec is None or serving is None:
        return Refusal(reason="Retired", message="is retired: there is nothing to retire")
    today = serving.model_copy(update={"spec": state.spec})
    return start(state, OperationKind.RETIRE, request.actor, today, old=serving)


def decide_control(state: DeploymentState, verb: str) -> Refusal | None:
    """Whether a control verb makes sense now; the operation itself has the last word."""
    if state.under_way is None:
        return _nothing_under_way(state, verb)
    if state.under_way.kind is OperationKind.RETIRE:
        return Refusal(reason="Retiring", message=f"is being retired and cannot {verb}: apply it once that is over")
    return None


def _nothing_under_way(state: DeploymentState, verb: str) -> Refusal:
    return Refusal(reason="NothingUnderWay", message=f"nothing is under way to {verb}: {_instead(state, verb)}")


def _doubtful(state: DeploymentState) -> Revision | None:
    """The revision that serves beside the stable one since its operation failed on its way back, or was lost."""
    return None if state.retired else state.revision(state.doubt)


def _in_doubt(state: DeploymentState, verb: str) -> Refusal | None:
    """Three versions never hold accelerators at once, and copies of two cannot be told apart by a number."""
    doubtful = _doubtful(state)
    if doubtful is None:
        return None
    message = (
        f"revision {doubtful.number} (version {doubtful.version}) failed and may still serve: longshore rollout abort "
        f"{state.name} tries the way back again, longshore rollout retry {state.name} goes back and then tries it "
        f"again; {verb} after that"
    )
    return Refusal(reason="TwoVersionsServe", message=message)


def _apply_in_doubt(state: DeploymentState, request: ApplyRequest, doubtful: Revision) -> Accepted | Refusal | None:
    """The stable version again is the way back; the failed one again goes on as ever; a third is refused."""
    stable, version = state.stable_revision, request.spec.version
    if stable and version == stable.version:
        return go_back(state.model_copy(update={"labels": request.labels}), request.actor)
    return None if version == doubtful.version else _in_doubt(state, "apply")


def _instead(state: DeploymentState, verb: str) -> str:
    """What would do where nothing is under way."""
    if state.newest and state.newest.held and verb != "abort":
        return f"longshore rollout retry {state.name} starts revision {state.newest.number} again"
    if verb == "abort":
        return f"longshore rollout undo {state.name} returns to the revision before"
    return "longshore apply -f FILE starts a rollout"


def _autoscaled(state: DeploymentState) -> Refusal | None:
    """A number that a person sets would be undone by whoever chooses it by a policy."""
    desired = state.waiting or state.under_way or state
    scaling = desired.spec.scaling if desired.spec and not state.retired else None
    if scaling is None:
        return None
    message = (
        f"has its copies chosen by the target's autoscaler, from {scaling.min} to {scaling.max}: change scaling.min "
        "and scaling.max and longshore apply it, or apply it without scaling to choose them yourself"
    )
    return Refusal(reason="Autoscaled", message=message)


def _apply_to_stable(state: DeploymentState, request: ApplyRequest, stable: Revision) -> Accepted:
    """Copies, labels and policy change the current revision; a scale also undoes what somebody else changed."""
    if request.take:
        labelled = state.model_copy(update={"labels": request.labels})
        return ordered(scale_to(labelled, stable, request.spec, request.actor), take=True)
    if (state.spec, state.labels) == (request.spec, request.labels) and not state.off_scale:
        return unchanged(state, "is just that", None, stable.number)
    return change_stable(state.model_copy(update={"labels": request.labels}), request.spec, request.actor)


def _held(state: DeploymentState, version: str) -> Revision | None:
    newest = state.newest
    return newest if newest and newest.held and newest.version == version else None


def _before(state: DeploymentState, stable: Revision) -> Revision | None:
    """The last revision that succeeded before the stable one and serves another version."""
    earlier = [
        revision
        for revision in state.revisions
        if revision.number < stable.number and revision.phase is Phase.SUCCEEDED and revision.version != stable.version
    ]
    return max(earlier, key=lambda revision: revision.number, default=None)


def _not_idle(state: DeploymentState, verb: str) -> Refusal | None:
    if state.under_way:
        return _busy(state, verb)
    if state.retired:
        return Refusal(reason="Retired", message=f"is retired and cannot {verb}: apply it again")
    return None


def _busy(state: DeploymentState, verb: str) -> Refusal:
    running = state.under_way
    if running is None or running.kind is OperationKind.RETIRE:
        return Refusal(reason="Retiring", message=f"is being retired and cannot {verb}: apply it once that is over")
    return Refusal(
        reason="OperationUnderWay",
        message=f"{running.id} is under way: wait for it, or longshore rollout abort {state.name}, then {verb} again",
    )


def _resume_instead(state: DeploymentState, order: OperationOrder) -> Refusal:
    """It stands still where somebody else changed something, and knows what it was to be."""
    message = (
        f"{order.id} is under way: longshore rollout resume {state.name} undoes what somebody else changed, once it is "
        "paused for that; else wait for it, then apply again"
    )
    return Refusal(reason="OperationUnderWay", message=message)


def _nothing_serves(state: DeploymentState) -> Refusal:
    return Refusal(
        reason="NothingServes",
        message=f"no revision has succeeded yet: longshore rollout retry {state.name}, or apply another version",
    )
