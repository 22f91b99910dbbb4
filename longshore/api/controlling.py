"""Carrying a control verb to a deployment's workflow, and keeping what was refused on record."""

import structlog

from longshore.api.answers import ChangeAnswer
from longshore.api.dependencies import Dependencies
from longshore.api.problems import not_found, refused
from longshore.api.temporal import RefusedError, WorkflowMissingError
from longshore.messages import Refusal, Request
from longshore.planning.words import Event, EventType
from longshore.store.errors import StoreUnavailableError
from longshore.store.records import Record

log = structlog.get_logger("longshore.api")


async def control(deps: Dependencies, name: str, verb: str, request: Request) -> ChangeAnswer:
    """Send a verb to a deployment.

    Raises:
        ProblemError: 404 for an unknown deployment, without starting anything; 409 when it was refused.
        TemporalUnavailableError: no answer.
    """
    known = await deps.store.deployments.rows([name])
    if not known:
        raise not_found("deployment", name)
    try:
        answer = await deps.workflows.control(name, verb, request)
    except RefusedError as error:
        refusal = error.refusal
    except WorkflowMissingError:
        refusal = _without_workflow(retired=known[0].retired)
    else:
        return ChangeAnswer.model_validate(answer.model_dump())
    await record_refusal(deps, name, verb, request, refusal)
    raise refused(refusal.reason, f"{name}: {refusal.message}")


async def record_refusal(deps: Dependencies, name: str, verb: str, request: Request, refusal: Refusal) -> None:
    """Keep a refusal as an event, once for each idempotency key.

    The refusal stands whether or not it can be recorded, so an outage of the store is only logged.
    """
    event = Event(
        at=deps.now(),
        deployment=name,
        type=EventType.REFUSED,
        actor=request.actor,
        message=refusal.message,
        evidence={"verb": verb, "reason": refusal.reason},
    )
    try:
        await deps.store.record(Record(source=f"request/{request.key}", step=0, events=(event,)))
    except StoreUnavailableError as error:
        log.warning("a refusal was not recorded", deployment=name, verb=verb, error=str(error))


def _without_workflow(*, retired: bool) -> Refusal:
    """Why a deployment that is stored has no workflow, and what brings it back."""
    if retired:
        return Refusal(reason="Retired", message="is retired: longshore apply -f FILE onboards it again")
    return Refusal(reason="WorkflowMissing", message="its workflow is gone: longshore apply -f FILE starts it again")
