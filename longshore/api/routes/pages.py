"""Two plain pages: how to begin, and the deployments as a table. Read-only, without scripts."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

import longshore
from longshore.api.authorisation import basic_password, bearer_token, verified
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.viewing import deployment_answer

router = APIRouter(include_in_schema=False)

MOST_ROWS = 500
"""Of the table; the command line lists more."""
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_templates = Environment(loader=PackageLoader("longshore.api"), autoescape=True, undefined=StrictUndefined)


@router.get("/")
async def home(deps: Deps) -> HTMLResponse:
    """How to begin. It holds no data, so it needs no key."""
    return _page(deps, "home.html")


@router.get("/deployments")
async def deployments(request: Request, deps: Deps) -> HTMLResponse:
    """The deployments. A browser asks for the key as the password of any user name."""
    await verified(deps, basic_password(request) or bearer_token(request), challenge="Basic")
    views = await deps.store.deployments.views(limit=MOST_ROWS + 1)
    return _page(
        deps,
        "deployments.html",
        rows=[deployment_answer(view, deps) for view in views[:MOST_ROWS]],
        more=len(views) > MOST_ROWS,
        at=datetime.now(UTC),
    )


def _page(deps: Dependencies, template: str, **values: object) -> HTMLResponse:
    content = _templates.get_template(template).render(
        version=longshore.__version__, temporal=deps.settings.temporal_ui_url, api=deps.settings.api_url, **values
    )
    return HTMLResponse(content, headers=SECURITY)
