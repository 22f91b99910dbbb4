"""The application: routers, and every failure as a problem."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import longshore
from longshore.api.dependencies import Dependencies
from longshore.api.documentation import PROBLEM_RESPONSES, describe
from longshore.api.following import count_events
from longshore.api.middleware import RequestMiddleware
from longshore.api.problems import FieldProblem, ProblemError, conflict, unavailable
from longshore.api.routes import (
    apply,
    controls,
    deployments,
    events,
    freezes,
    inventory,
    keys,
    models,
    pages,
    plan,
    service,
    targets,
)
from longshore.api.temporal import TemporalUnavailableError
from longshore.spec.problems import field_name
from longshore.store.errors import ConflictError, StoreUnavailableError

log = structlog.get_logger("longshore.api")


def create_app(dependencies: Dependencies) -> FastAPI:
    """The API over these dependencies. While it lives it counts the events, for /metrics."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        counting = asyncio.create_task(count_events(dependencies.store, dependencies.metrics), name="longshore-count")
        counting.add_done_callback(_say_if_failed)
        try:
            yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    app = FastAPI(
        title="Longshore",
        version=longshore.__version__,
        summary="Durable rollouts for fleets of GPU-served models.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.dependencies = dependencies
    api = APIRouter(responses=PROBLEM_RESPONSES)
    for module in (apply, plan, targets, models, freezes, deployments, inventory, controls, events, keys):
        api.include_router(module.router)
    app.include_router(api)
    app.include_router(service.router)
    app.include_router(pages.router)
    _answer_failures(app)
    app.add_middleware(RequestMiddleware, metrics=dependencies.metrics)
    describe(app)
    return app


def _answer_failures(app: FastAPI) -> None:
    """Turn every error into a problem."""

    def answers(error_type: type[Exception], problem: Callable[[Any], ProblemError]) -> None:
        async def handle(request: Request, error: Exception) -> Response:
            return problem(error).response(request.state.request_id)

        app.add_exception_handler(error_type, handle)

    answers(ProblemError, lambda error: error)
    answers(StoreUnavailableError, lambda error: unavailable("StoreUnavailable", str(error)))
    answers(ConflictError, lambda error: conflict(str(error)))
    answers(
        TemporalUnavailableError,
        lambda error: unavailable(
            "TemporalUnavailable",
            f"{error}; what was asked may still be carried out: send it again with the same Idempotency-Key",
        ),
    )
    answers(RequestValidationError, _invalid)
    answers(HTTPException, _of_framework)


def _invalid(error: RequestValidationError) -> ProblemError:
    """A request whose parameters or body are not what they should be."""
    errors = [
        FieldProblem(
            field=field_name(detail["loc"][1:]) or str(detail["loc"][0]),
            message=detail["msg"].removeprefix("Value error, "),
        )
        for detail in error.errors()
    ]
    first = errors[0]
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "InvalidRequest", f"{first.field}: {first.message}", errors=errors
    )


def _of_framework(error: HTTPException) -> ProblemError:
    """Unknown paths, wrong methods."""
    status = HTTPStatus(error.status_code)
    reason = "".join(word.capitalize() for word in status.phrase.split())
    detail = f"{error.detail}; /docs lists what there is" if status == HTTPStatus.NOT_FOUND else str(error.detail)
    return ProblemError(status, reason, detail, headers=error.headers)


def _say_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("events are no longer counted", error=repr(error), exc_info=error)
