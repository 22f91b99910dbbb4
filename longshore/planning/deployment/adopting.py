"""Letting what is on the target be what is desired: what somebody else changed, or what was never ours (pure)."""

from longshore.planning.deployment.revisions import (
    Accepted,
    DeploymentState,
    Revision,
    next_number,
    ordered,
    start,
)
from longshore.planning.requests import AdoptRequest, Refusal
from longshore.planning.words import OperationKind


def decide_adopt(state: DeploymentState, request: AdoptRequest) -> Accepted | Refusal:
    """Take something over as it is. Nothing moves, so it is no rollout, and no check is asked."""
    if state.under_way:
        message = f"{state.under_way.id} is under way: wait for it, or longshore rollout abort {state.name}, then again"
        return Refusal(reason="OperationUnderWay", message=message)
    return _import(state, request) if request.adopts.before is None else _adopt(state, request)


def _adopt(state: DeploymentState, request: AdoptRequest) -> Accepted | Refusal:
    """What somebody changed becomes the stable revision's content, or a new revision where it is a new version.

    One that was noted as the new version already comes from an adoption that was lost, and is brought to its end.
    """
    stable = None if state.retired else state.stable_revision
    noted_as = {stable.version if stable else None, request.facts.version}
    if stable is None or state.doubt is not None or request.adopts.before not in noted_as:
        message = f"has changed since it was looked at: longshore describe deployment {state.name}, then adopt it again"
        return Refusal(reason="ChangedMeanwhile", message=message)
    if request.facts.version == stable.version:
        # Only its end changes the revision: one that fails has changed nothing.
        return _begin(state, request, stable.model_copy(update={"spec": request.spec}), stable)
    revision = _revision(state, request)
    return _begin(state.with_revision(revision), request, revision, stable)


def _import(state: DeploymentState, request: AdoptRequest) -> Accepted | Refusal:
    """Something that was not ours becomes the first revision; again, where that did not come to its end."""
    known = None if state.retired else state.stable_revision
    if known is not None:
        message = f"is a deployment already, of version {known.version}: import it under another name"
        return Refusal(reason="NameTaken", message=message)
    if state.spec and (state.spec.model, state.spec.target) != (request.spec.model, request.spec.target):
        message = f"was {state.spec.model} on {state.spec.target}: model and target cannot change, use another name"
        return Refusal(reason="Immutable", message=message)
    revision = _revision(state, request)
    fresh = {"spec": request.spec, "labels": request.labels, "stable": None, "warm": None, "retired": False}
    begun = state.model_copy(update=fresh).with_revision(revision)
    return _begin(begun, request, revision, None)


def _begin(state: DeploymentState, request: AdoptRequest, revision: Revision, old: Revision | None) -> Accepted:
    return ordered(start(state, OperationKind.ADOPT, request.actor, revision, old=old), adopts=request.adopts)


def _revision(state: DeploymentState, request: AdoptRequest) -> Revision:
    return Revision(number=next_number(state), facts=request.facts, spec=request.spec, actor=request.actor)
