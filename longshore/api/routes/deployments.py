"""Deployments, read."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime
from starlette.responses import PlainTextResponse, Response

from longshore.api.answers import (
    CopyAnswer,
    DeploymentAnswer,
    DeploymentDetail,
    DifferenceAnswer,
    EventAnswer,
    LedgerAnswer,
    OperationAnswer,
    Page,
    RevisionAnswer,
    TrafficAnswer,
    UpstreamAnswer,
)
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.logs import LogLine, read_logs
from longshore.api.problems import ProblemError, bad_request, not_found
from longshore.api.requests import Part, page_of
from longshore.api.routes.events import After, event_page
from longshore.api.serving import span_at, spans_of, with_proof
from longshore.api.viewing import deployment_answer, operation_answer
from longshore.planning.observed import Copy, CopyState
from longshore.planning.words import Phase
from longshore.spec.quantities import Name
from longshore.store.records import RevisionRow, View

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])

MOST_LINES = 10_000
"""Of one answer of logs."""


async def view_of(deps: Dependencies, name: str) -> View:
    """A deployment's view.

    Raises:
        ProblemError: 404; there is no such deployment.
    """
    view = await deps.store.deployments.view(name)
    if view is None:
        raise not_found("deployment", name)
    return view


@router.get("")
async def list_deployments(
    deps: Deps,
    _: Reader,
    part: Part,
    target: Annotated[Name | None, Query(description="Only on this target.")] = None,
    model: Annotated[Name | None, Query(description="Only of this model.")] = None,
    phase: Annotated[Phase | None, Query(description="Only in this phase.")] = None,
    label: Annotated[
        list[str] | None, Query(description="Only with this label: `team=search`; several must all match.")
    ] = None,
) -> Page[DeploymentAnswer]:
    """All deployments that are not retired, by name."""
    views = await deps.store.deployments.views(
        target=target, model=model, phase=phase, labels=labels_of(label or []), after=part.cursor, limit=part.limit + 1
    )
    return Page(
        items=[deployment_answer(view, deps) for view in views[: part.limit]],
        next=views[part.limit - 1].row.name if len(views) > part.limit else None,
    )


@router.get("/{deployment}")
async def get_deployment(deps: Deps, _: Reader, deployment: Name) -> DeploymentAnswer:
    """One deployment."""
    return deployment_answer(await view_of(deps, deployment), deps)


@router.get("/{deployment}/detail")
async def describe_deployment(deps: Deps, _: Reader, deployment: Name) -> DeploymentDetail:
    """Everything known of one deployment."""
    view = await view_of(deps, deployment)
    return DeploymentDetail(
        deployment=deployment_answer(view, deps),
        labels=view.row.labels,
        spec=view.row.spec,
        retired=view.row.retired,
        updated_at=view.row.updated_at,
        observed_at=view.observed_at,
        copies=tuple(_copy(copy) for copy in view.copies),
        differences=tuple(DifferenceAnswer.model_validate(one.model_dump()) for one in view.differences),
        revisions=tuple(_revision(row) for row in await deps.store.deployments.revisions(deployment)),
        operation=operation_answer(view.operation, deps) if view.operation else None,
    )


@router.get("/{deployment}/rollout")
async def get_rollout(deps: Deps, _: Reader, deployment: Name) -> OperationAnswer:
    """The latest operation with its progress."""
    view = await view_of(deps, deployment)
    if view.operation is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "NotFound", f"{deployment} has had no operation yet")
    return operation_answer(view.operation, deps)


@router.get("/{deployment}/rollouts")
async def list_rollouts(deps: Deps, _: Reader, deployment: Name, part: Part) -> Page[OperationAnswer]:
    """Every operation, oldest first."""
    await view_of(deps, deployment)
    rows = await deps.store.deployments.operations(deployment)
    return page_of(rows, lambda row: f"{row.number:09}", lambda row: operation_answer(row, deps), part)


@router.get("/{deployment}/revisions")
async def list_revisions(deps: Deps, _: Reader, deployment: Name, part: Part) -> Page[RevisionAnswer]:
    """Every revision, oldest first."""
    await view_of(deps, deployment)
    rows = await deps.store.deployments.revisions(deployment)
    return page_of(
        rows,
        lambda row: f"{row.number:09}",
        _revision,
        part,
    )


@router.get("/{deployment}/ledger")
async def get_ledger(
    deps: Deps,
    _: Reader,
    deployment: Name,
    part: Part,
    at: Annotated[AwareDatetime | None, Query(description="Only the span of this instant (ISO 8601).")] = None,
) -> Page[LedgerAnswer]:
    """Which versions had which shares of the traffic, in spans without gaps from the first on, and on what proof."""
    await view_of(deps, deployment)
    spans = spans_of(await deps.store.ledger.list(deployment))
    if at is not None:
        spans = [span_at(deployment, spans, at, deps.now())]
    page = page_of(enumerate(spans), lambda item: f"{item[0]:09}", lambda item: item[1], part)
    return Page(items=await with_proof(deps.store, deployment, page.items), next=page.next)


@router.get("/{deployment}/copies")
async def list_copies(deps: Deps, _: Reader, deployment: Name, part: Part) -> Page[CopyAnswer]:
    """The copies as last observed, by id."""
    return page_of((await view_of(deps, deployment)).copies, lambda copy: copy.id, _copy, part)


@router.get("/{deployment}/events")
async def list_deployment_events(
    deps: Deps, _: Reader, deployment: Name, part: Part, after: After = None
) -> Page[EventAnswer]:
    """A page of this deployment's events."""
    await view_of(deps, deployment)
    return await event_page(deps, deployment, after or 0, part)


@router.get("/{deployment}/traffic")
async def get_traffic(deps: Deps, _: Reader, deployment: Name) -> TrafficAnswer:
    """Where this deployment's requests go."""
    view = await view_of(deps, deployment)
    gateway = deps.settings.gateway_url
    serving = tuple(_copy(copy) for copy in view.copies if copy.state in {CopyState.READY, CopyState.DRAINING})
    there = {copy.version for copy in serving} | {version for version, share in view.traffic.items() if share}
    return TrafficAnswer(
        deployment=deployment,
        traffic={version: share for version, share in sorted(view.traffic.items()) if share},
        url=f"{gateway.rstrip('/')}/v1/models/{deployment}/" if gateway else None,
        endpoints=serving,
        upstreams=tuple(
            UpstreamAnswer(version=one.version, url=one.url, headers=one.headers)
            for one in await deps.store.traffic.upstreams(deployment)
            if one.version in there
        ),
    )


@router.get(
    "/{deployment}/logs",
    response_model=None,
    responses={
        200: {
            "description": "The lines, a JSON object each; with `Accept: text/plain`, as they were written.",
            "content": {
                "application/x-ndjson": {"schema": LogLine.model_json_schema()},
                "text/plain": {"schema": {"type": "string"}},
            },
        }
    },
)
async def get_logs(
    deps: Deps,
    _: Reader,
    deployment: Name,
    request: Request,
    copy: Annotated[str | None, Query(description="Only this copy's; left out: every copy's.")] = None,
    tail: Annotated[int, Query(ge=1, le=MOST_LINES, description="Lines from the end of each copy's log.")] = 100,
) -> Response:
    """What copies wrote last."""
    lines = await read_logs(deps, await view_of(deps, deployment), copy, tail)
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse("".join(f"{line.line}\n" for line in lines))
    return Response(
        "".join(f"{line.model_dump_json(by_alias=True)}\n" for line in lines), media_type="application/x-ndjson"
    )


def labels_of(given: list[str]) -> dict[str, str]:
    """`["team=search"]` → `{"team": "search"}`.

    Raises:
        ProblemError: 400; one is not `key=value`.
    """
    for label in given:
        if "=" not in label:
            raise bad_request("InvalidLabel", f"{label!r} is not a label: write team=search")
    return dict(label.split("=", 1) for label in given)


def _copy(copy: Copy) -> CopyAnswer:
    return CopyAnswer.model_validate(copy.model_dump())


def _revision(row: RevisionRow) -> RevisionAnswer:
    return RevisionAnswer.model_validate(row.model_dump())
