"""The agent's HTTP routes: thin, over the fleet and the keeper."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse

from longshore.backends.local import limits
from longshore.backends.local.facts import AgentFacts, facts_of
from longshore.backends.local.fleet import Fleet
from longshore.backends.local.keeper import Keeper
from longshore.backends.local.logs import tail
from longshore.backends.local.starting import Starter, StartFailedError
from longshore.backends.local.wire import FENCE_REFUSED, Declaration, Lines, Rested, Trouble, Verification
from longshore.backends.port import BackendError, CopiesLevel
from longshore.planning.fence import FenceRefusedError
from longshore.planning.observed import Observation
from longshore.spec.quantities import Name

CopyId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=255)]


def add_routes(app: FastAPI, fleet: Fleet, keeper: Keeper, starter: Starter) -> None:
    """Add every route, and the answers to what can go wrong."""
    _add_target_routes(app, fleet)
    _add_machine_routes(app, fleet, keeper, starter)
    _add_troubles(app)


def _add_target_routes(app: FastAPI, fleet: Fleet) -> None:

    @app.put("/v1/targets/{target}/hosts", status_code=204)
    async def declare(target: Name, declaration: Declaration) -> None:
        fleet.declare(target, declaration.hosts)

    @app.put("/v1/targets/{target}/level")
    async def ensure(target: Name, level: CopiesLevel) -> Observation:
        return fleet.ensure(target, level)

    @app.get("/v1/targets/{target}")
    async def observe(target: Name, deployment: Name | None = None) -> Observation:
        return fleet.observe(target, deployment)


def _add_machine_routes(app: FastAPI, fleet: Fleet, keeper: Keeper, starter: Starter) -> None:
    @app.post("/v1/verify", status_code=204)
    async def verify(verification: Verification) -> None:
        try:
            async with asyncio.timeout(limits.VERIFY_WAIT):
                await starter.check(verification.spec)
        except StartFailedError as error:
            raise BackendError(error.reason, error.message, retryable=False) from None
        except TimeoutError:
            uri = verification.spec.artifact.uri
            raise BackendError("ArtifactBeingRead", f"{uri} is still being read", retryable=True) from None

    @app.get("/v1/copies/{copy_id}/logs")
    async def logs(copy_id: CopyId, lines: Annotated[int, Query(ge=1, le=10_000)] = 100) -> Lines:
        try:
            written = tail(fleet.folder, copy_id, lines)
        except FileNotFoundError:
            raise BackendError("CopyUnknown", f"copy {copy_id} has no log on this machine", retryable=False) from None
        level = fleet.level_of(copy_id)
        return Lines(lines=starter.masked(level, written) if level is not None else written)

    @app.get("/v1/facts")
    async def facts() -> AgentFacts:
        return facts_of(fleet)

    @app.post("/v1/rest")
    async def rest(seconds: Annotated[float, Query(ge=0, le=300)] = limits.END_GRACE + 5) -> Rested:
        return Rested(running=await keeper.rest(seconds))


def _add_troubles(app: FastAPI) -> None:
    @app.exception_handler(FenceRefusedError)
    async def refused(_: Request, error: FenceRefusedError) -> JSONResponse:
        return _answer(409, Trouble(reason=FENCE_REFUSED, message=str(error), retryable=False))

    @app.exception_handler(BackendError)
    async def failed(_: Request, error: BackendError) -> JSONResponse:
        trouble = Trouble(reason=error.reason, message=error.message, retryable=error.retryable)
        return _answer(503 if error.retryable else 422, trouble)

    @app.exception_handler(OSError)
    async def unwritten(_: Request, error: OSError) -> JSONResponse:
        message = f"the agent cannot write its state: {error.strerror or error}"
        return _answer(503, Trouble(reason="StateNotWritten", message=message, retryable=True))


def _answer(status: int, trouble: Trouble) -> JSONResponse:
    return JSONResponse(trouble.model_dump(), status_code=status)
