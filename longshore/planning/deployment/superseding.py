"""What a desired state means while an operation is under way (DESIGN, rules 9 and 10).

| asked for | what comes of it |
|---|---|
| what is under way, or what waits | nothing changes |
| the version under way, other copies or policy | the operation is revised: it goes on with them |
| the version that waits, other copies or policy | what waits is changed |
| the stable version | the operation is aborted; copies and policy are changed after it |
| another version | a new revision waits, the operation is superseded |

Of what waits only the newest ever starts; the revisions before it end `Superseded`, unstarted.
"""

from datetime import datetime

from longshore.planning.deployment.revisions import (
    Accepted,
    Ask,
    DeploymentState,
    Revision,
    Waiting,
    change_stable,
    next_number,
    roll_to,
    unchanged,
)
from longshore.planning.deployment.settling import settle
from longshore.planning.operation import OperationOrder, OperationResult
from longshore.planning.requests import Answer, ApplyRequest, Refusal
from longshore.planning.rollout.strategy import choose
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec

UNSTARTED = {Phase.SUPERSEDED: EventType.ROLLOUT_SUPERSEDED, Phase.ABORTED: EventType.ROLLOUT_ABORTED}
"""How a revision that never started may end, and the event that tells of it."""


def apply_meanwhile(state: DeploymentState, order: OperationOrder, request: ApplyRequest) -> Accepted | Refusal:
    """What applying a desired state means while `order` is under way, which is no retirement."""
    spec, waiting = request.spec, state.waiting
    if waiting and waiting.spec.version == spec.version:
        return _change_waiting(state, waiting, spec, request.labels)
    if waiting is None and order.new.version == spec.version:
        return _apply_under_way(state, order, request)
    stable = state.stable_revision
    if stable and stable.version == spec.version:
        return _return_to_stable(state, order, request, stable)
    return _wait(state, order, request, stable)


def scale_meanwhile(state: DeploymentState, order: OperationOrder, copies: int) -> Accepted | Refusal:
    """What another number of copies means while `order` is under way, which is no retirement."""
    if state.waiting:
        return _change_waiting(state, state.waiting, _with_copies(state.waiting.spec, copies), state.labels)
    if order.spec.copies == copies:
        return unchanged(state, f"{order.id} is under way to {copies} copies", order.id, order.revision)
    return revise(state, order, _with_copies(order.spec, copies), state.labels)


def _apply_under_way(state: DeploymentState, order: OperationOrder, request: ApplyRequest) -> Accepted | Refusal:
    if order.spec != request.spec:
        return revise(state, order, request.spec, request.labels)
    if state.labels == request.labels:
        return unchanged(state, f"{order.id} is under way to just that", order.id, order.revision)
    labelled = state.model_copy(update={"labels": request.labels, "sequence": state.sequence + 1})
    answer = Answer(changed=True, message="labels changed", revision=order.revision, operation=order.id)
    return Accepted(state=labelled, answer=answer)


def revise(
    state: DeploymentState, order: OperationOrder, spec: DeploymentSpec, labels: dict[str, str]
) -> Accepted | Refusal:
    """Let the operation under way go on with other copies or another policy, if it accepts that."""
    if order.kind is not OperationKind.SCALE and isinstance(
        chosen := choose(spec.rollout, order.new, order.old), Refusal
    ):
        return chosen
    answer = Answer(changed=True, message=f"{order.id} is revised", revision=order.revision, operation=order.id)
    labelled = state.model_copy(update={"labels": labels})
    return Accepted(state=labelled, answer=answer, ask=Ask(verb="revise", spec=spec))


def revised(state: DeploymentState, number: int, spec: DeploymentSpec) -> DeploymentState:
    """The state once operation `number` has accepted other copies or another policy.

    Copies asked for meanwhile are the deployment's, whichever of the two versions serves in the end (rule 9).
    """
    order = state.operation
    if order is None or order.number != number:
        return state
    scaled = state if spec.copies == order.spec.copies else state.with_copies(spec.copies)
    revision = scaled.revision(order.revision)
    current = scaled.with_revision(revision.model_copy(update={"spec": spec})) if revision else scaled
    changes: dict[str, object] = {
        "operation": order.model_copy(update={"spec": spec}),
        "sequence": state.sequence + 1,
    }
    if order.kind in {OperationKind.SCALE, OperationKind.ONBOARD}:
        changes["spec"] = spec
    return current.model_copy(update=changes)


def drop_waiting(
    state: DeploymentState, phase: Phase, reason: str, *, held: bool = True
) -> tuple[DeploymentState, tuple[Revision, ...]]:
    """Let what waits never start. Its revision, if it has one of its own, comes back beside the state."""
    waiting = state.waiting
    if waiting is None:
        return state, ()
    dropped = state.model_copy(update={"waiting": None, "sequence": state.sequence + 1})
    revision = state.revision(waiting.revision)
    if revision is None:
        return dropped, ()
    ended = revision.model_copy(update={"phase": phase, "held": held, "reason": reason})
    return dropped.with_revision(ended), (ended,)


def unstarted_event(state: DeploymentState, revision: Revision, actor: str, now: datetime) -> Event:
    """What is told of a revision that waited and never starts."""
    return Event(
        at=now,
        deployment=state.name,
        type=UNSTARTED[revision.phase],
        revision=revision.number,
        actor=actor,
        message=f"revision {revision.number} (version {revision.version}) ended before it had started",
        evidence={"reason": revision.reason},
    )


def go_on(
    state: DeploymentState, order: OperationOrder, result: OperationResult
) -> tuple[DeploymentState, tuple[Revision, ...]]:
    """Take in how the operation under way ended, and bring about what waits; with revisions that never start.

    Where it left two versions serving a person is needed first: three never hold accelerators at once (rule 4).
    """
    ended = settle(state, order, result)
    moved = order.kind in {OperationKind.ROLLOUT, OperationKind.ROLLBACK}
    if moved and result.phase is Phase.FAILED:
        return drop_waiting(ended, Phase.ABORTED, "TwoVersionsServe")
    return proceed(ended)


def proceed(state: DeploymentState) -> tuple[DeploymentState, tuple[Revision, ...]]:
    """Bring about what waits, now that nothing is under way any more; with a revision that need not start."""
    waiting = state.waiting
    if waiting is None or state.operation is not None:
        return state, ()
    stable = None if state.retired else state.stable_revision
    if stable and stable.version == waiting.spec.version:
        # Either it was of the stable version, or what it was to supersede succeeded with that very version.
        rested, unstarted = drop_waiting(state, Phase.SUPERSEDED, "AlreadyServes", held=False)
        same = waiting.spec == state.spec
        return (rested if same else change_stable(rested, waiting.spec, waiting.actor).state), unstarted
    revision = state.revision(waiting.revision) or Revision(
        number=next_number(state), facts=waiting.facts, spec=waiting.spec, actor=waiting.actor
    )
    return roll_to(state.model_copy(update={"waiting": None}), revision, waiting.actor).state, ()


def _wait(
    state: DeploymentState, order: OperationOrder, request: ApplyRequest, stable: Revision | None
) -> Accepted | Refusal:
    """A new revision waits; what is under way makes way for it."""
    chosen = choose(request.spec.rollout, request.facts, stable.facts if stable else None)
    if isinstance(chosen, Refusal):
        return chosen
    number = next_number(state)
    dropped, unstarted = drop_waiting(state, Phase.SUPERSEDED, "Superseded")
    revision = Revision(number=number, facts=request.facts, spec=request.spec, actor=request.actor)
    waiting = Waiting(facts=request.facts, spec=request.spec, actor=request.actor, revision=number)
    waits = dropped.with_revision(revision).model_copy(
        update={"waiting": waiting, "labels": request.labels, "sequence": dropped.sequence + 1}
    )
    message = f"revision {number} starts once {order.id} has made way"
    ask = None if state.waiting else Ask(verb="supersede")
    answer = Answer(changed=True, message=message, revision=number)
    return Accepted(state=waits, answer=answer, ask=ask, unstarted=unstarted)


def _return_to_stable(
    state: DeploymentState, order: OperationOrder, request: ApplyRequest, stable: Revision
) -> Accepted:
    """Applying the stable revision's version is an abort; what else differs is changed after it."""
    dropped, unstarted = drop_waiting(state, Phase.ABORTED, "AbortedByUser")
    waits = dropped.model_copy(
        update={
            "waiting": Waiting(facts=stable.facts, spec=request.spec, actor=request.actor),
            "labels": request.labels,
            "sequence": dropped.sequence + 1,
        }
    )
    message = f"{order.id} is aborted: back to version {stable.version}"
    answer = Answer(changed=True, message=message, revision=stable.number, operation=order.id)
    ask = None if state.waiting else Ask(verb="abort")
    return Accepted(state=waits, answer=answer, ask=ask, unstarted=unstarted)


def _change_waiting(
    state: DeploymentState, waiting: Waiting, spec: DeploymentSpec, labels: dict[str, str]
) -> Accepted | Refusal:
    """Copies, labels and policy change the revision that waits."""
    number = waiting.revision if waiting.revision is not None else state.stable
    if (waiting.spec, state.labels) == (spec, labels):
        return unchanged(state, f"revision {number} waits to be just that", None, number)
    stable = state.stable_revision
    if waiting.revision is not None:
        chosen = choose(spec.rollout, waiting.facts, stable.facts if stable else None)
        if isinstance(chosen, Refusal):
            return chosen
    revision = state.revision(waiting.revision)
    current = state.with_revision(revision.model_copy(update={"spec": spec})) if revision else state
    changes = {
        "waiting": waiting.model_copy(update={"spec": spec}),
        "labels": labels,
        "sequence": state.sequence + 1,
    }
    answer = Answer(changed=True, message=f"revision {number}, which waits, is revised", revision=number)
    return Accepted(state=current.model_copy(update=changes), answer=answer)


def _with_copies(spec: DeploymentSpec, copies: int) -> DeploymentSpec:
    return spec.model_copy(update={"copies": copies})
