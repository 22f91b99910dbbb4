"""What a deployment makes of what is asked of it: pure decisions over its revisions and the operation under way.

Every `decide_*` answers either `Accepted`, with the state that follows, or a `Refusal` that says what would do.
"""

from longshore.planning.operation import OperationOrder, OperationResult, VersionFacts
from longshore.planning.requests import (
    Answer,
    ApplyRequest,
    ControlRequest,
    Refusal,
    ScaleRequest,
    UndoRequest,
    operation_id,
)
from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec

REVISIONS_KEPT = 50
"""Revisions that the workflow carries, the stable one always among them; the store keeps all."""
ANSWERS_KEPT = 200
"""Idempotency keys carried over a continue-as-new, which forgets update ids."""


class Revision(Value):
    """One accepted desired state."""

    number: int
    facts: VersionFacts
    spec: DeploymentSpec
    phase: Phase = Phase.PENDING
    held: bool = False
    """Rolled back, aborted or failed: nothing automatic applies it again, `retry` does."""
    actor: str
    reason: str | None = None

    @property
    def version(self) -> str:
        """The model version this revision serves."""
        return self.facts.version


class Answered(Value):
    """A request that was answered, by its idempotency key."""

    key: str
    answer: Answer


class DeploymentState(Value):
    """All that a deployment remembers."""

    name: str
    labels: dict[str, str] = {}
    spec: DeploymentSpec | None = None
    """Today's desired state, its version the stable one (or the first, while none is stable)."""
    revisions: tuple[Revision, ...] = ()
    stable: int | None = None
    operation: OperationOrder | None = None
    """Under way."""
    last_operation: str | None = None
    operations: int = 0
    """The highest operation number; it never begins anew, for it is half of the fence."""
    sequence: int = 0
    """Grows with every row that is written."""
    signals: int = 0
    retired: bool = False
    off_scale: bool = False
    """Whether the last scale did not come to its number: the same number may be asked for again."""
    answered: tuple[Answered, ...] = ()

    def revision(self, number: int | None) -> Revision | None:
        """A revision by its number."""
        return next((revision for revision in self.revisions if revision.number == number), None)

    @property
    def stable_revision(self) -> Revision | None:
        """The revision that last succeeded."""
        return self.revision(self.stable)

    def answer_to(self, key: str) -> Answer | None:
        """What a key was answered before."""
        return next((answered.answer for answered in self.answered if answered.key == key), None)

    def with_answer(self, key: str, answer: Answer) -> "DeploymentState":
        """Remember an answer for its key."""
        kept = (*self.answered, Answered(key=key, answer=answer))[-ANSWERS_KEPT:]
        return self.model_copy(update={"answered": kept})


class Accepted(Value):
    """A request that is carried out; `state.operation` is the operation it started, if `answer.operation` is set."""

    state: DeploymentState
    answer: Answer


def decide_apply(state: DeploymentState, request: ApplyRequest) -> Accepted | Refusal:
    """Bring the deployment to a desired state: onboard, roll out, scale, or only take a new policy (rule 12)."""
    spec, stable = request.spec, state.stable_revision
    if state.spec and not state.retired and (state.spec.model, state.spec.target) != (spec.model, spec.target):
        return Refusal(
            reason="Immutable",
            message=f"serves {state.spec.model} on {state.spec.target}: model and target cannot change, "
            f"use another name or longshore delete {state.name}",
        )
    under_way = state.operation
    if under_way:
        if under_way.kind is not OperationKind.RETIRE and _same(under_way.spec, spec):
            return _unchanged(state, f"{under_way.id} is under way to just that", under_way.id, under_way.revision)
        return _busy(state, "apply")
    if stable and not state.retired and spec.version == stable.version:
        return _apply_to_stable(state, request, stable)
    held = _held(state, spec.version)
    if held and not state.retired and _same(held.spec, spec):
        message = (
            f"revision {held.number} is held ({held.reason or held.phase.value}) and is not applied again by itself: "
            f"longshore rollout retry {state.name}"
        )
        return _unchanged(state, message, None, held.number)
    if stable and not state.retired and not (stable.facts.side_by_side and request.facts.side_by_side):
        return Refusal(
            reason="SideBySide",
            message=f"versions {stable.version} and {spec.version} may not serve side by side (sideBySide: false), "
            "and this release has no blueGreen",
        )
    revision = Revision(
        number=max((revision.number for revision in state.revisions), default=0) + 1,
        facts=request.facts,
        spec=spec,
        actor=request.actor,
    )
    return _roll_to(state.model_copy(update={"labels": request.labels}), revision, request.actor, undo=False)


def decide_scale(state: DeploymentState, request: ScaleRequest) -> Accepted | Refusal:
    """Bring the copies of the stable version to a number."""
    stable = state.stable_revision
    if refusal := _not_idle(state, "scale"):
        return refusal
    if stable is None or state.spec is None:
        return _nothing_serves(state)
    if request.copies == state.spec.copies and not state.off_scale:
        return _unchanged(state, f"has {request.copies} copies already", None, stable.number)
    return _scale_to(state, stable, state.spec.model_copy(update={"copies": request.copies}), request.actor)


def decide_undo(state: DeploymentState, request: UndoRequest) -> Accepted | Refusal:
    """A rollout to the last revision that succeeded before the stable one, with today's copies and policy."""
    stable = state.stable_revision
    if state.operation and state.operation.kind is not OperationKind.RETIRE:
        return Refusal(
            reason="OperationUnderWay",
            message=f"{state.operation.id} is under way: longshore rollout abort {state.name} returns to what was",
        )
    if refusal := _not_idle(state, "undo"):
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
        return _unchanged(state, f"serves version {goal.version} already", None, stable.number)
    if not (stable.facts.side_by_side and goal.facts.side_by_side):
        return Refusal(reason="SideBySide", message=f"versions {stable.version} and {goal.version} exclude each other")
    revision = Revision(
        number=max(revision.number for revision in state.revisions) + 1,
        facts=goal.facts,
        spec=state.spec.model_copy(update={"version": goal.version}),
        actor=request.actor,
    )
    return _roll_to(state, revision, request.actor, undo=True)


def decide_retry(state: DeploymentState, request: ControlRequest) -> Accepted | Refusal:
    """Try the newest held revision again, under its number."""
    if refusal := _not_idle(state, "retry"):
        return refusal
    newest = max(state.revisions, key=lambda revision: revision.number, default=None)
    if newest is None or not newest.held:
        return Refusal(reason="NothingHeld", message="no revision is held: there is nothing to retry")
    again = newest.model_copy(update={"held": False, "phase": Phase.PENDING, "reason": None})
    return _roll_to(state, again, request.actor, undo=False)


def decide_retire(state: DeploymentState, request: ControlRequest) -> Accepted | Refusal:
    """Remove the route and end every copy."""
    if state.operation and state.operation.kind is OperationKind.RETIRE:
        return _unchanged(state, "is being retired already", state.operation.id, None)
    if state.retired or state.spec is None:
        return Refusal(reason="Retired", message="is retired: there is nothing to retire")
    newest = max(state.revisions, key=lambda revision: revision.number)
    serving = state.stable_revision or newest
    today = serving.model_copy(update={"spec": state.spec})
    return _start(state, OperationKind.RETIRE, request.actor, today, old=serving)


def decide_control(state: DeploymentState, verb: str) -> Refusal | None:
    """Whether pause, resume, promote or abort makes sense now; the operation itself has the last word."""
    if state.operation is None:
        hint = f"longshore rollout undo {state.name} returns to the revision before" if verb == "abort" else "idle"
        message = f"nothing is under way to {verb}" + (f": {hint}" if verb == "abort" else "")
        return Refusal(reason="NothingUnderWay", message=message)
    if state.operation.kind is OperationKind.RETIRE:
        return Refusal(reason="Retiring", message=f"is being retired and cannot {verb}")
    return None


def settle(state: DeploymentState, order: OperationOrder, result: OperationResult) -> DeploymentState:
    """The state after an operation ended."""
    changes: dict[str, object] = {"operation": None}
    succeeded = result.phase is Phase.SUCCEEDED
    if order.kind is OperationKind.RETIRE:
        changes["retired"] = succeeded
    elif order.kind is OperationKind.SCALE:
        changes["off_scale"] = not succeeded and result.copies is None
        if result.copies is not None and state.spec is not None and state.stable_revision is not None:
            back = state.spec.model_copy(update={"copies": result.copies})
            revision = state.stable_revision.model_copy(update={"spec": back})
            return _with_revision(state, revision).model_copy(update={**changes, "spec": back})
    else:
        changes["revisions"] = tuple(
            revision.model_copy(
                update={
                    "phase": result.phase,
                    "held": not succeeded,
                    "reason": result.reason if not succeeded else None,
                }
            )
            if revision.number == order.revision
            else revision
            for revision in state.revisions
        )
        if succeeded:
            changes |= {"stable": order.revision, "spec": order.spec, "off_scale": False}
    return state.model_copy(update=changes)


def _apply_to_stable(state: DeploymentState, request: ApplyRequest, stable: Revision) -> Accepted:
    """Copies, labels and policy change the current revision."""
    labelled = state.model_copy(update={"labels": request.labels})
    if state.spec is None or request.spec.copies != state.spec.copies or state.off_scale:
        return _scale_to(labelled, stable, request.spec, request.actor)
    if _same(state.spec, request.spec) and state.labels == request.labels:
        return _unchanged(state, "is just that", None, stable.number)
    current = stable.model_copy(update={"spec": request.spec})
    changed = _with_revision(labelled, current).model_copy(
        update={"spec": request.spec, "sequence": state.sequence + 1}
    )
    answer = Answer(changed=True, message="labels or policy changed", revision=stable.number)
    return Accepted(state=changed, answer=answer)


def _scale_to(state: DeploymentState, stable: Revision, spec: DeploymentSpec, actor: str) -> Accepted:
    current = stable.model_copy(update={"spec": spec})
    changed = _with_revision(state, current).model_copy(update={"spec": spec})
    return _start(changed, OperationKind.SCALE, actor, current, old=stable)


def _roll_to(state: DeploymentState, revision: Revision, actor: str, *, undo: bool) -> Accepted:
    stable = None if state.retired else state.stable_revision
    kind = OperationKind.ONBOARD if stable is None else OperationKind.ROLLBACK if undo else OperationKind.ROLLOUT
    changes: dict[str, object] = {"retired": False}
    if stable is None:
        changes |= {"spec": revision.spec, "stable": None}
    changed = _with_revision(state.model_copy(update=changes), revision)
    return _start(changed, kind, actor, revision, old=stable)


def _start(
    state: DeploymentState,
    kind: OperationKind,
    actor: str,
    revision: Revision,
    old: Revision | None,
) -> Accepted:
    number = state.operations + 1
    order = OperationOrder(
        id=operation_id(state.name, kind, number),
        deployment=state.name,
        number=number,
        kind=kind,
        target=revision.spec.target,
        model=revision.spec.model,
        actor=actor,
        revision=revision.number,
        spec=revision.spec,
        new=revision.facts,
        old=old.facts if old else None,
        old_revision=old.number if old else None,
        old_copies=old.spec.copies if old else None,
        versions=tuple(sorted({known.version for known in state.revisions})),
    )
    started = state.model_copy(
        update={
            "operation": order,
            "last_operation": order.id,
            "operations": number,
            "sequence": state.sequence + 1,
        }
    )
    answer = Answer(changed=True, message=f"{order.id} started", revision=revision.number, operation=order.id)
    return Accepted(state=started, answer=answer)


def _with_revision(state: DeploymentState, revision: Revision) -> DeploymentState:
    others = [known for known in state.revisions if known.number != revision.number]
    ordered = sorted([*others, revision], key=lambda known: known.number)
    stable = state.stable_revision
    kept = ordered[-REVISIONS_KEPT:]
    if stable and all(known.number != stable.number for known in kept):
        kept = [stable, *kept[1:]]
    return state.model_copy(update={"revisions": tuple(kept)})


def _same(one: DeploymentSpec, other: DeploymentSpec) -> bool:
    return one == other


def _held(state: DeploymentState, version: str) -> Revision | None:
    newest = max(state.revisions, key=lambda revision: revision.number, default=None)
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
    if state.operation:
        return _busy(state, verb)
    if state.retired:
        return Refusal(reason="Retired", message=f"is retired and cannot {verb}: apply it again")
    return None


def _busy(state: DeploymentState, verb: str) -> Refusal:
    running = state.operation.id if state.operation else ""
    if state.operation and state.operation.kind is OperationKind.RETIRE:
        return Refusal(reason="Retiring", message=f"is being retired and cannot {verb}: apply it once that is over")
    return Refusal(
        reason="OperationUnderWay",
        message=f"{running} is under way: wait for it, or longshore rollout abort {state.name}, then {verb} again",
    )


def _nothing_serves(state: DeploymentState) -> Refusal:
    return Refusal(
        reason="NothingServes",
        message=f"no revision has succeeded yet: longshore rollout retry {state.name}, or apply another version",
    )


def _unchanged(state: DeploymentState, message: str, operation: str | None, revision: int | None) -> Accepted:
    return Accepted(state=state, answer=Answer(changed=False, message=message, operation=operation, revision=revision))
