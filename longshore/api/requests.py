"""What requests carry: bodies, the idempotency key, and the part of a list that is wanted."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar, get_args

from fastapi import Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from longshore.api.answers import Page
from longshore.api.authorisation import Role
from longshore.api.middleware import KEY_HEADER
from longshore.api.problems import ProblemError
from longshore.spec.quantities import Name, Version

MOST_ITEMS = 1000
"""Of one page."""
MOST_DOCUMENTS = 5000
"""Of one apply."""
KEY_NAME = r"^[A-Za-z0-9][-A-Za-z0-9_.@]{0,62}$"
_KEY = re.compile(r"[!-~]{1,200}")
"""Visible ASCII, short enough to be part of a Temporal update id."""


Item = TypeVar("Item")
Answer = TypeVar("Answer", bound=BaseModel)


class RequestBody(BaseModel):
    """A body. Unknown fields are errors, so that a misspelt one is not silently nothing."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Source(RequestBody):
    """Where a document came from, for messages."""

    file: str = Field(max_length=4096)
    line: int | None = Field(default=None, ge=1)


class ApplyBody(RequestBody):
    """Documents as JSON, each as `longshore validate` would check it."""

    documents: list[Any] = Field(min_length=1, max_length=MOST_DOCUMENTS)
    sources: list[Source | None] | None = Field(default=None, description="Where each document came from.")
    dry_run: bool = Field(default=False, description="Say what would come of it, and change nothing.")
    take: bool = Field(default=False, description="Undo what somebody else changed of the deployments on targets.")


class ControlBody(RequestBody):
    """pause, resume, abort, retry, retire."""

    reason: str | None = Field(default=None, max_length=1000, description="Why, for the record.")


class OverrideBody(RequestBody):
    """Let a rollout start in spite of a freeze."""

    reason: str = Field(min_length=1, max_length=1000, description="Why, for the record.")


class KeyBody(RequestBody):
    """A new API key."""

    name: str = Field(pattern=KEY_NAME, description="Whose it is, such as ada or ci@search: the actor of what it asks.")
    roles: tuple[Name, ...] = Field(
        min_length=1,
        description="viewer, operator, approver or admin; and any that the approvals of your canaries ask for.",
    )

    @field_validator("roles")
    @classmethod
    def _has_a_permission(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        known = get_args(Role)
        if not set(known).intersection(roles):
            raise ValueError(f"one of {', '.join(known)} must be among them, or the key may not even read")
        return tuple(dict.fromkeys(roles))


class PromoteBody(ControlBody):
    """End the present bake or pause."""

    full: bool = Field(default=False, description="Skip every further bake, pause and check as well.")


class AdoptBody(ControlBody):
    """Let what somebody else changed be what is desired."""

    version: Version | None = Field(
        default=None, alias="as", description="The version that it is from now on, where it is not the registered one."
    )


class ImportBody(ControlBody):
    """Make a component a deployment."""

    deployment: Name = Field(description="Its name.")
    model: Name = Field(description="The model that it serves.")
    version: Version = Field(default="1", description="The version that it is registered as.")


class UndoBody(ControlBody):
    """Go back to an earlier revision."""

    to: int | None = Field(default=None, ge=1, description="The revision; left out: the last that succeeded before.")


class ScaleBody(ControlBody):
    """Bring the copies to a number."""

    copies: int = Field(ge=0, le=10_000)


def idempotency_key(
    request: Request,
    key: Annotated[
        str | None, Header(alias=KEY_HEADER, description="The same key again gives the same answer; made if left out.")
    ] = None,
) -> str:
    """The request's key; it goes back in the answer's header.

    Raises:
        ProblemError: 400; it is no such key.
    """
    if key is not None and not _KEY.fullmatch(key):
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "InvalidIdempotencyKey",
            f"{KEY_HEADER} is 1 to 200 visible ASCII characters: a UUID will do",
        )
    request.state.idempotency_key = key or str(uuid.uuid4())
    return str(request.state.idempotency_key)


Key = Annotated[str, Depends(idempotency_key)]
MostItems = Annotated[int, Query(alias="limit", ge=1, le=MOST_ITEMS, description="Most items of the page.")]


@dataclass(frozen=True)
class Paging:
    """Which part of a list is wanted."""

    limit: MostItems = 100
    cursor: Annotated[str | None, Query(description="`next` of the page before.", max_length=256)] = None


Part = Annotated[Paging, Depends()]


def page_of(
    items: Iterable[Item], by: Callable[[Item], str], answer: Callable[[Item], Answer], part: Paging
) -> Page[Answer]:
    """A page of a list that is at hand as a whole, ordered by a unique text of its items."""
    rest = sorted((item for item in items if part.cursor is None or by(item) > part.cursor), key=by)
    shown = rest[: part.limit]
    return Page(items=[answer(item) for item in shown], next=by(shown[-1]) if len(rest) > part.limit else None)
