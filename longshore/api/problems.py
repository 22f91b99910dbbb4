"""Every failure as one shape: problem details for HTTP APIs (RFC 9457), with a CamelCase reason to act on."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
"""What a 503 asks clients to wait: a restarted Postgres or Temporal is back within a few seconds."""


class FieldProblem(BaseModel):
    """One thing wrong with a request, and where."""

    model_config = ConfigDict(frozen=True)

    document: int | None = Field(default=None, description="Index among the documents sent, from 0.")
    file: str | None = Field(default=None, description="Where the document came from, if its sender said.")
    line: int | None = Field(default=None, description="Line in that file, if its sender said.")
    field: str | None = Field(default=None, description="Path of the field: `spec.rollout.batch`.")
    message: str


class ProblemDetails(BaseModel):
    """A failure, as RFC 9457 writes it. `reason`, `instance` and the lists are extensions or optional members."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True)

    type: str = Field(description="A URN that names the kind of problem.")
    title: str = Field(description="The kind of problem in words; the same each time.")
    status: int
    detail: str = Field(description="What went wrong this time, and what would do.")
    reason: str = Field(description="CamelCase, for programs.")
    instance: str = Field(description="The request's id, as in the logs.")
    errors: list[FieldProblem] | None = Field(default=None, description="Each thing wrong with what was sent.")
    missing: dict[str, str] | None = Field(default=None, description="/readyz: what cannot be reached, and why.")
    items: list[dict[str, Any]] | None = Field(default=None, description="apply: what was done before the refusal.")


class ProblemError(Exception):
    """A request that ends in a problem.

    Args:
        status: The HTTP status.
        reason: CamelCase; its kebab-case form ends the type's URN unless `kind` says otherwise.
        detail: One line: what is wrong and what would do.
        kind: Name of the kind of problem, where reasons are many and the kind is one.
        headers: Headers of the answer.
        members: Further members of `ProblemDetails`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        detail: str,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.kind = kind or _kebab(reason)
        self.headers = dict(headers or {})
        self.members = members

    def content(self) -> dict[str, Any]:
        """The problem as JSON, but for the request that met it; see `of`."""
        members = ProblemDetails.model_construct(**self.members).model_dump(mode="json", exclude_unset=True)
        return {"kind": self.kind, "reason": self.reason, "detail": self.detail, **members}

    @classmethod
    def of(cls, status: HTTPStatus, content: dict[str, Any]) -> "ProblemError":
        """The problem of this content once more."""
        return cls(status, **content)

    def response(self, request_id: str) -> JSONResponse:
        """The problem as an answer to the request of this id."""
        details = ProblemDetails(
            type=f"urn:longshore:problem:{self.kind}",
            title=self.kind.replace("-", " ").capitalize(),
            status=self.status,
            detail=self.detail,
            reason=self.reason,
            instance=f"urn:longshore:request:{request_id}",
            **self.members,
        )
        return JSONResponse(
            details.model_dump(mode="json", by_alias=True, exclude_none=True),
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def bad_request(reason: str, message: str) -> ProblemError:
    """400: the request itself makes no sense."""
    return ProblemError(HTTPStatus.BAD_REQUEST, reason, message)


def not_found(kind: str, name: str) -> ProblemError:
    """404: there is no such thing. `kind` as `longshore get` takes it (deployment, target, version), or key."""
    listed = "longshore keys list" if kind == "key" else f"longshore get {kind}s"
    return ProblemError(
        HTTPStatus.NOT_FOUND, "NotFound", f"there is no {kind} {name!r}; `{listed}` lists those there are"
    )


def refused(reason: str, message: str) -> ProblemError:
    """409: it makes no sense now; nothing was changed and the message says what would do."""
    return ProblemError(HTTPStatus.CONFLICT, reason, message, kind="refused")


def conflict(message: str, errors: Sequence[FieldProblem] | None = None) -> ProblemError:
    """409: it contradicts what is stored and may not be changed."""
    return ProblemError(HTTPStatus.CONFLICT, "Conflict", message, errors=errors)


def unavailable(reason: str, message: str) -> ProblemError:
    """503: something this needs does not answer; the same request again may succeed."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        reason,
        message,
        kind="unavailable",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _kebab(reason: str) -> str:
    """`InvalidManifest` → `invalid-manifest`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in reason).lstrip("-")
