"""What becomes of a deployment when its operation has ended, and of warm copies when they are due."""

from datetime import datetime

from longshore.planning.deployment.revisions import DeploymentState, start
from longshore.planning.operation import OperationOrder, OperationResult, Warm
from longshore.planning.words import OperationKind, Phase

NOTHING_TO_RETURN_TO = "NothingToReturnTo"
LONGSHORE = "longshore"
"""The actor of what nobody asked for."""


def settle(state: DeploymentState, order: OperationOrder, result: OperationResult) -> DeploymentState:
    """The state after an operation ended: its revision's phase, what is stable now, what is kept warm."""
    warm = _earlier(state.warm, result.warm)
    autoscaled = _autoscaled(state, order, result)
    ended = state.model_copy(
        update={"operation": None, "warm": warm, "sequence": state.sequence + 1, "autoscaled": autoscaled}
    )
    succeeded = result.phase is Phase.SUCCEEDED
    if order.kind is OperationKind.RELEASE:
        return ended
    if order.kind is OperationKind.RETIRE:
        return ended.model_copy(update={"retired": succeeded, "doubt": None if succeeded else state.doubt})
    if order.kind is OperationKind.SCALE:
        off_scale = result.unsteered or (not succeeded and result.copies is None)
        ended = ended.model_copy(update={"off_scale": off_scale})
        return ended if result.copies is None else ended.with_copies(result.copies)
    if order.kind is OperationKind.ADOPT and not succeeded and order.revision == state.stable:
        return ended  # nothing was changed, and what was accepted before is as good as it was
    revision = ended.revision(order.revision)
    if revision is not None:
        reason = None if succeeded else result.reason
        told = {"phase": result.phase, "held": not succeeded, "reason": reason}
        ended = ended.with_revision(revision.model_copy(update=told))
    left = leaves_doubt(order.kind, result.phase, result.reason)
    ended = ended.model_copy(update={"doubt": order.revision if left else None})
    if succeeded:
        ended = ended.model_copy(update={"stable": order.revision, "spec": order.spec, "off_scale": False})
    if result.unsteered:
        ended = ended.model_copy(update={"off_scale": True})
    if succeeded and order.kind is OperationKind.ADOPT:
        ended = ended.with_copies(order.spec.copies)
    return ended if result.copies is None else ended.with_copies(result.copies)


def _autoscaled(state: DeploymentState, order: OperationOrder, result: OperationResult) -> bool:
    """It has no policy any more once an operation without one has succeeded, which tells that first."""
    without = order.kind is OperationKind.RETIRE or order.spec.scaling is None
    told = result.phase is Phase.SUCCEEDED and not result.unsteered and order.kind is not OperationKind.RELEASE
    return state.autoscaled and not (without and told)


def leaves_doubt(kind: OperationKind, phase: Phase, reason: str | None) -> bool:
    """Whether an operation ended without saying that one version serves alone.

    An onboarding that failed has taken down all that it put up, unless it says otherwise.
    """
    moved = kind in {OperationKind.ONBOARD, OperationKind.ROLLOUT, OperationKind.ROLLBACK}
    return moved and phase is Phase.FAILED and reason != NOTHING_TO_RETURN_TO


def give_up_warm(state: DeploymentState, now: datetime) -> DeploymentState:
    """Somebody needs the room of the warm copies: they are due now."""
    warm = state.warm
    return (
        state
        if warm is None
        else state.model_copy(update={"warm": _earlier(warm.model_copy(update={"until": now}), warm)})
    )


def release_due(state: DeploymentState, now: datetime) -> bool:
    """Whether warm copies are to be given up now."""
    return state.operation is None and state.warm is not None and state.warm.until <= now


def begin_release(state: DeploymentState) -> DeploymentState:
    """Begin to give up the warm copies. Nothing else is under way.

    Raises:
        ValueError: no revision is stable, so nothing can be warm beside it.
    """
    stable = state.stable_revision
    if stable is None:
        raise ValueError(f"{state.name} has no stable revision beside which copies could be warm")
    return start(state, OperationKind.RELEASE, LONGSHORE, stable, old=None).state


def _earlier(known: Warm | None, said: Warm | None) -> Warm | None:
    """What the operation said is the truth; but copies that were due earlier stay due."""
    if known is None or said is None or (known.version, known.revision) != (said.version, said.revision):
        return said
    return said.model_copy(update={"until": min(known.until, said.until)})
