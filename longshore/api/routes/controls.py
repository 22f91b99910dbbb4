"""Control verbs: each an update of the deployment's workflow, answered once it is durable."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, status

from longshore.api.answers import ChangeAnswer
from longshore.api.authorisation import Changer
from longshore.api.controlling import control
from longshore.api.dependencies import Deps
from longshore.api.requests import ControlBody, Key, PromoteBody, ScaleBody, UndoBody
from longshore.messages import ControlRequest, PromoteRequest, ScaleRequest, UndoRequest
from longshore.spec.quantities import Name

router = APIRouter(prefix="/v1/deployments/{deployment}", tags=["controls"])

Verb = Annotated[Literal["pause", "resume", "abort", "retry", "retire"], Path(description="What to do.")]
ACCEPTED: dict[str, Any] = {"status_code": status.HTTP_202_ACCEPTED}


@router.post("/promote", **ACCEPTED)
async def promote(
    deps: Deps, caller: Changer, key: Key, deployment: Name, body: PromoteBody | None = None
) -> ChangeAnswer:
    """End the present bake or pause; `full` skips every further one, and every check."""
    return await control(
        deps, deployment, "promote", PromoteRequest(actor=caller.name, key=key, full=body is not None and body.full)
    )


@router.post("/undo", **ACCEPTED)
async def undo(deps: Deps, caller: Changer, key: Key, deployment: Name, body: UndoBody | None = None) -> ChangeAnswer:
    """Roll out the last revision that succeeded before the stable one, or revision `to`."""
    return await control(
        deps, deployment, "undo", UndoRequest(actor=caller.name, key=key, to=body.to if body else None)
    )


@router.post("/scale", **ACCEPTED)
async def scale(deps: Deps, caller: Changer, key: Key, deployment: Name, body: ScaleBody) -> ChangeAnswer:
    """Bring the copies to a number."""
    return await control(deps, deployment, "scale", ScaleRequest(actor=caller.name, key=key, copies=body.copies))


@router.post("/{verb}", **ACCEPTED)
async def act(
    deps: Deps,
    caller: Changer,
    key: Key,
    deployment: Name,
    verb: Verb,
    body: ControlBody | None = None,
) -> ChangeAnswer:
    """pause, resume, abort, retry or retire."""
    return await control(
        deps, deployment, verb, ControlRequest(actor=caller.name, key=key, reason=body.reason if body else None)
    )


@router.delete("", **ACCEPTED)
async def delete(deps: Deps, caller: Changer, key: Key, deployment: Name) -> ChangeAnswer:
    """Retire: end any operation, remove the route, drain every copy."""
    return await control(deps, deployment, "retire", ControlRequest(actor=caller.name, key=key))
