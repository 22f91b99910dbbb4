"""What the API says of itself: whether it lives, what it lacks, its numbers, the schema of documents."""

import ipaddress
from collections.abc import Awaitable
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

import longshore
from longshore.api.answers import DeploymentAnswer, Healthz, JsonSchema, Readyz
from longshore.api.authorisation import Reader, bearer_token, verified
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.metrics import MEDIA_TYPE
from longshore.api.problems import RETRY_AFTER_SECONDS, ProblemError
from longshore.api.temporal import TemporalUnavailableError
from longshore.api.viewing import deployment_answer
from longshore.spec.schema import json_schema
from longshore.store.errors import StoreUnavailableError
from longshore.store.records import View

router = APIRouter(tags=["service"])

PAGE = 500
"""Deployments read at once for /metrics."""


@router.get("/healthz")
async def healthz() -> Healthz:
    """The process lives, whatever else does."""
    return Healthz(version=longshore.__version__)


@router.get("/readyz")
async def readyz(deps: Deps) -> Readyz:
    """Everything that requests need answers; else 503 with what is missing."""
    said = {
        "store": await _said(deps.store.events.newest()),
        "temporal": await _said(deps.workflows.check()),
    }
    if missing := {name: why for name, why in said.items() if why is not None}:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "NotReady",
            f"missing: {', '.join(missing)}; `longshore doctor` says what to do",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            missing=missing,
        )
    return Readyz(checks=dict.fromkeys(said, "ok"))


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(request: Request, deps: Deps) -> Response:
    """For Prometheus: free from this machine, with a key from others."""
    if not _is_near(request):
        await verified(deps, bearer_token(request))
    return Response(deps.metrics.render(await _fleet(deps)), media_type=MEDIA_TYPE)


@router.get("/v1/schema")
async def schema(_: Reader) -> JsonSchema:
    """The JSON Schema of the documents that `POST /v1/apply` takes."""
    return json_schema()


async def _said(question: Awaitable[object]) -> str | None:
    """Why something does not answer; None when it does."""
    try:
        await question
    except (StoreUnavailableError, TemporalUnavailableError) as error:
        return str(error)
    return None


async def _fleet(deps: Dependencies) -> list[tuple[View, DeploymentAnswer]]:
    """Every deployment that is not retired."""
    fleet: list[tuple[View, DeploymentAnswer]] = []
    after: str | None = None
    while views := await deps.store.deployments.views(after=after, limit=PAGE):
        fleet += [(view, deployment_answer(view, deps)) for view in views]
        after = views[-1].row.name
    return fleet


def _is_near(request: Request) -> bool:
    """Whether the request comes from this machine."""
    return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
