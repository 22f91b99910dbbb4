"""A change that is asked twice under one key is made once and answered alike."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel

from longshore.api.authorisation import Approver, Changer, Overrider
from longshore.api.dependencies import Dependencies
from longshore.api.problems import ProblemError
from longshore.api.requests import Key
from longshore.store.answers import KeptAnswer
from longshore.store.errors import StoreUnavailableError
from longshore.store.records import ApiKey

REFUSALS: Final = {HTTPStatus.CONFLICT}
"""Problems that are answers: kept like any other. The rest say that nothing was decided, and may be asked again."""

AnswerType = TypeVar("AnswerType", bound=BaseModel)

log = structlog.get_logger("longshore.api")


@dataclass(frozen=True)
class Change:
    """Who asks for a change, under which key, and a fingerprint of what is asked."""

    caller_id: str
    actor: str
    key: str
    fingerprint: str
    roles: tuple[str, ...] = ()
    """The caller's."""


async def change(request: Request, caller: Changer, key: Key) -> Change:
    """The change that a request asks for."""
    return await _change(request, caller, key)


async def approval(request: Request, caller: Approver, key: Key) -> Change:
    """The approval that a request gives."""
    return await _change(request, caller, key)


async def override(request: Request, caller: Overrider, key: Key) -> Change:
    """The override that a request asks for."""
    return await _change(request, caller, key)


async def _change(request: Request, caller: ApiKey, key: str) -> Change:
    asked = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Change(caller.id, caller.name, key, hashlib.sha256(asked).hexdigest(), caller.roles)


Asked = Annotated[Change, Depends(change)]
AskedApproval = Annotated[Change, Depends(approval)]
AskedOverride = Annotated[Change, Depends(override)]


async def once(
    deps: Dependencies, asked: Change, answer_type: type[AnswerType], carry_out: Callable[[], Awaitable[AnswerType]]
) -> AnswerType:
    """Carry a change out, or say again what came of it.

    Raises:
        ProblemError: the change's own; or 422 when the key was used for another request.
    """
    kept = await deps.store.answers.get(asked.caller_id, asked.key)
    if kept is not None:
        return _again(kept, asked, answer_type)
    try:
        answer = await carry_out()
    except ProblemError as problem:
        if problem.status in REFUSALS:
            await _keep(deps, asked, problem.status, problem.content())
        raise
    await _keep(deps, asked, HTTPStatus.OK, answer.model_dump(mode="json", by_alias=True))
    return answer


def _again(kept: KeptAnswer, asked: Change, answer_type: type[AnswerType]) -> AnswerType:
    if kept.request != asked.fingerprint:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "IdempotencyKeyReused",
            "this Idempotency-Key was used for another request: send a new one",
        )
    if kept.status == HTTPStatus.OK:
        return answer_type.model_validate(kept.body)
    raise ProblemError.of(HTTPStatus(kept.status), kept.body)


async def _keep(deps: Dependencies, asked: Change, status: HTTPStatus, body: dict[str, Any]) -> None:
    """Keep an answer. The change is made, so an outage of the store now is only logged."""
    answer = KeptAnswer(
        caller=asked.caller_id, key=asked.key, request=asked.fingerprint, status=status, body=body, at=deps.now()
    )
    try:
        await deps.store.answers.keep(answer)
    except StoreUnavailableError as error:
        log.warning("an answer was not kept", error=str(error))
