"""The event log: a page of it, or all that comes, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.responses import Response

from longshore.api.answers import EventAnswer, Page
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.following import follow
from longshore.api.problems import bad_request
from longshore.api.requests import Paging, Part
from longshore.spec.quantities import Name

router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS = 10.0
"""A comment is sent when there was nothing for this long, so that both ends see a broken connection."""
RECONNECT_MILLISECONDS = 1000
"""How long a browser waits before it comes back."""

After = Annotated[int | None, Query(ge=0, description="Only events with a higher sequence.")]


@router.get(
    "/v1/events",
    response_model=None,
    responses={
        200: {
            "description": "Server-sent events whose data is an event as JSON and whose id is its sequence; "
            "with `Accept: application/json`, a page of them.",
            "content": {
                "text/event-stream": {"schema": {"type": "string"}},
                "application/json": {"schema": {"$ref": "#/components/schemas/Page_EventAnswer_"}},
            },
        }
    },
)
async def events(
    request: Request,
    deps: Deps,
    _: Reader,
    part: Part,
    deployment: Annotated[Name | None, Query(description="Only this deployment's.")] = None,
    after: After = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, description="Where a stream resumes; without it and `after`, it begins now.")
    ] = None,
) -> Response:
    """Follow the events, or read a page of them."""
    if "application/json" in request.headers.get("accept", ""):
        page = await event_page(deps, deployment, after or 0, part)
        return Response(page.model_dump_json(by_alias=True), media_type="application/json")
    resumed = last_event_id if last_event_id is not None else after
    start = resumed if resumed is not None else await deps.store.events.newest()
    return EventSourceResponse(_stream(deps, deployment, start), headers={"Cache-Control": "no-store"})


async def event_page(deps: Dependencies, deployment: str | None, after: int, part: Paging) -> Page[EventAnswer]:
    """Events in order, from `after` on; a cursor is the sequence of the last event of the page before.

    Raises:
        ProblemError: 400; the cursor is none.
    """
    if part.cursor is not None and not part.cursor.isdecimal():
        raise bad_request("InvalidCursor", "this is no cursor of events: give the `next` of the page before")
    start = int(part.cursor) if part.cursor else after
    found = await deps.store.events.list(deployment=deployment, after=start, limit=part.limit + 1)
    shown = found[: part.limit]
    return Page(
        items=[EventAnswer.of(event) for event in shown],
        next=str(shown[-1].sequence) if len(found) > part.limit else None,
    )


async def _stream(deps: Dependencies, deployment: str | None, after: int) -> AsyncIterator[bytes]:
    """The events as bytes, until the client leaves or the API ends."""
    # The place to resume from is told before the first event, so that even an early break loses none.
    yield format_sse_event(id=str(after), retry=RECONNECT_MILLISECONDS)
    loop = asyncio.get_running_loop()
    spoken = loop.time()
    async with aclosing(follow(deps.store, after, deployment)) as found:
        async for event in found:
            if deps.closing.is_set():
                return
            if event is not None:
                yield format_sse_event(data_str=EventAnswer.of(event).model_dump_json(), id=str(event.sequence))
            elif loop.time() - spoken < HEARTBEAT_SECONDS:
                continue
            else:
                yield KEEPALIVE_COMMENT
            spoken = loop.time()
