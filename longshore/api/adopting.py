"""What serves on targets whoever made it, and taking it over as it is: read from the backend, done by the workflow."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TypeVar

from longshore.api.answers import ChangeAnswer
from longshore.api.applying import facts_of
from longshore.api.controlling import record_refusal
from longshore.api.dependencies import Dependencies
from longshore.api.problems import ProblemError, not_found, refused, unavailable
from longshore.api.repeating import Change
from longshore.api.requests import AdoptBody, ImportBody
from longshore.api.temporal import RefusedError
from longshore.backends.inventory import Found, Inventory
from longshore.backends.port import BackendError
from longshore.messages import AdoptRequest, Adopts
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.store.records import DeploymentRow

READ_TIMEOUT_SECONDS = 60.0
"""For one answer of a backend: an artifact without a checksum of its platform's own is read from end to end."""

T = TypeVar("T")


async def inventory_of(deps: Dependencies, target: str) -> Inventory:
    """The inventory of a target.

    Raises:
        ProblemError: 404 for an unknown target; 409 where nothing can be taken over; or it cannot be reached.
    """
    row = await deps.store.targets.get(target)
    if row is None:
        raise not_found("target", target)
    try:
        backend = deps.backend_of(row.name, row.spec)
    except BackendError as error:
        raise _problem(error) from error
    if not isinstance(backend, Inventory):
        message = f"nothing on target {target} can be taken over: that is for endpoints which several share"
        raise refused("NothingToAdopt", message)
    return backend


async def components_of(deps: Dependencies, target: str) -> tuple[Found, ...]:
    """Everything that serves on a target.

    Raises:
        ProblemError: as `inventory_of`, or the backend does not answer.
    """
    inventory = await inventory_of(deps, target)
    return await _answered(target, inventory.components())


async def version_of(deps: Dependencies, target: str, found: Found, base: ModelVersionSpec | None) -> ModelVersionSpec:
    """What a version would have to say to be what serves there.

    Raises:
        ProblemError: it cannot be said, or the backend does not answer.
    """
    if found.obstacle is not None:
        raise refused("CannotBeTaken", f"{found.component} cannot be taken over: {found.obstacle}")
    inventory = await inventory_of(deps, target)
    return await _answered(target, inventory.examine(found.component, base))


async def adopt(deps: Dependencies, name: str, body: AdoptBody, asked: Change) -> ChangeAnswer:
    """Let what somebody else made of a deployment be what is desired.

    Raises:
        ProblemError: 404, or 409 with what would do.
    """
    rows = await deps.store.deployments.rows([name])
    if not rows:
        raise not_found("deployment", name)
    row = rows[0]
    found = _its_component(row, await components_of(deps, row.target))
    version = body.version or row.version
    if found is None or version is None or row.version is None:
        raise refused("NothingServes", f"{name}: nothing of it was noted on {row.target}: longshore apply -f FILE")
    registered = await deps.store.models.get(row.model, row.version)
    spec = registered.spec if registered else None
    noted_as_new = found.version != row.version and found.version == version
    if (found.changed and not found.gone) or noted_as_new:
        if body.version in {None, row.version}:
            message = f"{name}: it is not version {row.version} any more: longshore adopt {name} --as VERSION names it"
            raise refused("VersionNeeded", message)
        spec = await version_of(deps, row.target, found, spec)
        await deps.store.models.put(row.model, version, spec, asked.actor)
    elif body.version is not None:
        message = f"{name}: it is what version {row.version} says: leave --as out, there is nothing to register"
        raise refused("NothingToRegister", message)
    elif found.copies == row.spec.copies:
        return ChangeAnswer(changed=False, message="nothing is other than desired", revision=row.revision)
    if spec is None:
        raise not_found("version", f"{row.model}/{row.version}")
    copies = 0 if found.gone else found.copies
    request = AdoptRequest(
        actor=asked.actor,
        key=asked.key,
        name=name,
        labels=row.labels,
        spec=row.spec.model_copy(update={"version": version, "copies": copies}),
        facts=facts_of(version, spec),
        adopts=Adopts(component=found.component, before=found.version),
    )
    return await _hand_over(deps, request)


async def take_in(deps: Dependencies, target: str, component: str, body: ImportBody, asked: Change) -> ChangeAnswer:
    """Make something that serves on a target a deployment, as it is.

    Raises:
        ProblemError: 404, or 409 with what would do.
    """
    found = component_named(component, target, await components_of(deps, target))
    if found.ours:
        return _known_already(found, body.deployment)
    spec = await version_of(deps, target, found, None)
    await deps.store.models.put(body.model, body.version, spec, asked.actor)
    request = AdoptRequest(
        actor=asked.actor,
        key=asked.key,
        name=body.deployment,
        spec=DeploymentSpec(target=target, model=body.model, version=body.version, copies=found.copies),
        facts=facts_of(body.version, spec),
        adopts=Adopts(component=found.component),
    )
    return await _hand_over(deps, request)


def component_named(name: str, target: str, found: tuple[Found, ...]) -> Found:
    """The component of this name.

    Raises:
        ProblemError: 404; none has it.
    """
    for one in found:
        if one.component == name:
            return one
    message = f"there is no component {name!r} on {target}; `longshore import {target}` lists those there are"
    raise ProblemError(HTTPStatus.NOT_FOUND, "NotFound", message)


def _its_component(row: DeploymentRow, found: tuple[Found, ...]) -> Found | None:
    """What was noted of the stable version; or, after an adoption that was lost, of the version it was to become."""
    ours = [one for one in found if one.ours and one.deployment == row.name]
    return next((one for one in ours if one.version == row.version), ours[0] if len(ours) == 1 else None)


def _known_already(found: Found, deployment: str) -> ChangeAnswer:
    if found.deployment == deployment:
        return ChangeAnswer(changed=False, message=f"{found.component} is that already, as version {found.version}")
    message = f"{found.component} is version {found.version} of {found.deployment}: one component serves one deployment"
    raise refused("TakenAlready", message)


async def _hand_over(deps: Dependencies, request: AdoptRequest) -> ChangeAnswer:
    try:
        answer = await deps.workflows.start_with("adopt", request.name, request)
    except RefusedError as error:
        await record_refusal(deps, request.name, "adopt", request, error.refusal)
        raise refused(error.refusal.reason, f"{request.name}: {error.refusal.message}") from error
    return ChangeAnswer.model_validate(answer.model_dump())


def _problem(error: BackendError) -> ProblemError:
    """503 where it may work later, 409 where it cannot."""
    return (unavailable if error.retryable else refused)(error.reason, error.message)


async def _answered(target: str, reading: Awaitable[T]) -> T:
    """What a backend answers, in time.

    Raises:
        ProblemError: 503 where it may answer later, 409 where it refuses.
    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            return await reading
    except BackendError as error:
        raise _problem(error) from error
    except TimeoutError as error:
        message = f"target {target} did not answer within {READ_TIMEOUT_SECONDS:.0f} s"
        raise unavailable("BackendUnavailable", message) from error
