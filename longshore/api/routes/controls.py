"""Control verbs: each an update of the deployment's workflow, answered once it is durable."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, status

from longshore.api.answers import ChangeAnswer
from longshore.api.controlling import control
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.repeating import Asked, AskedApproval, AskedOverride, Change, once
from longshore.api.requests import ControlBody, OverrideBody, PromoteBody, ScaleBody, UndoBody
from longshore.messages import (
    ApproveRequest,
    ControlRequest,
    OverrideRequest,
    PromoteRequest,
    Request,
    ScaleRequest,
    UndoRequest,
)
from longshore.spec.quantities import Name

router = APIRouter(prefix="/v1/deployments/{deployment}", tags=["controls"])

Verb = Annotated[Literal["pause", "resume", "abort", "retry", "retire"], Path(description="What to do.")]
ACCEPTED: dict[str, Any] = {"status_code": status.HTTP_202_ACCEPTED}


@router.post("/promote", **ACCEPTED)
async def promote(deps: Deps, asked: Asked, deployment: Name, body: PromoteBody | None = None) -> ChangeAnswer:
    """End the present bake or pause; `full` skips every further one, and every check."""
    full = body is not None and body.full
    request = PromoteRequest(actor=asked.actor, key=asked.key, full=full)
    return await _carried_out(deps, asked, deployment, "promote", request)


@router.post("/undo", **ACCEPTED)
async def undo(deps: Deps, asked: Asked, deployment: Name, body: UndoBody | None = None) -> ChangeAnswer:
    """Roll out the last revision that succeeded before the stable one, or revision `to`."""
    request = UndoRequest(actor=asked.actor, key=asked.key, to=body.to if body else None)
    return await _carried_out(deps, asked, deployment, "undo", request)


@router.post("/scale", **ACCEPTED)
async def scale(deps: Deps, asked: Asked, deployment: Name, body: ScaleBody) -> ChangeAnswer:
    """Bring the copies to a number."""
    request = ScaleRequest(actor=asked.actor, key=asked.key, copies=body.copies)
    return await _carried_out(deps, asked, deployment, "scale", request)


@router.post("/approve", **ACCEPTED)
async def approve(deps: Deps, asked: AskedApproval, deployment: Name, body: ControlBody | None = None) -> ChangeAnswer:
    """Pass the approval that a canary waits for; it asks for one of its own roles among the key's."""
    request = ApproveRequest(actor=asked.actor, key=asked.key, roles=asked.roles, reason=body.reason if body else None)
    return await _carried_out(deps, asked, deployment, "approve", request)


@router.post("/override", **ACCEPTED)
async def override(deps: Deps, asked: AskedOverride, deployment: Name, body: OverrideBody) -> ChangeAnswer:
    """Let a rollout that a freeze holds start now, with the reason why."""
    request = OverrideRequest(actor=asked.actor, key=asked.key, reason=body.reason)
    return await _carried_out(deps, asked, deployment, "override", request)


@router.post("/{verb}", **ACCEPTED)
async def act(deps: Deps, asked: Asked, deployment: Name, verb: Verb, body: ControlBody | None = None) -> ChangeAnswer:
    """pause, resume, abort, retry or retire."""
    request = ControlRequest(actor=asked.actor, key=asked.key, reason=body.reason if body else None)
    return await _carried_out(deps, asked, deployment, verb, request)


@router.delete("", **ACCEPTED)
async def delete(deps: Deps, asked: Asked, deployment: Name) -> ChangeAnswer:
    """Retire: end any operation, remove the route, drain every copy."""
    request = ControlRequest(actor=asked.actor, key=asked.key)
    return await _carried_out(deps, asked, deployment, "retire", request)


async def _carried_out(deps: Dependencies, asked: Change, deployment: str, verb: str, request: Request) -> ChangeAnswer:
    return await once(deps, asked, ChangeAnswer, lambda: control(deps, deployment, verb, request))
