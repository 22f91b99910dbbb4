"""What the API works with, made once and handed to every request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from longshore.api.metrics import Metrics
from longshore.api.temporal import DeploymentWorkflows
from longshore.backends.port import Backend
from longshore.settings import Settings
from longshore.spec.prices import Prices
from longshore.spec.target import TargetSpec
from longshore.store.store import Store

BackendOf = Callable[[str, TargetSpec], Backend]
"""Target name and spec → its backend."""


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Dependencies:
    """Real things in production; in tests the same, on a SQLite store and a test server."""

    settings: Settings
    store: Store
    workflows: DeploymentWorkflows
    backend_of: BackendOf
    metrics: Metrics
    prices: Prices = field(default_factory=Prices)
    """What instances cost."""
    now: Callable[[], datetime] = utc_now
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process was told to end: endless answers end then."""

    def temporal_url(self, workflow: str) -> str | None:
        """The Temporal UI's page of a workflow; None when there is no UI."""
        from urllib.parse import quote

        if self.settings.temporal_ui_url is None:
            return None
        base = self.settings.temporal_ui_url.rstrip("/")
        return f"{base}/namespaces/{self.settings.temporal_namespace}/workflows/{quote(workflow, safe='')}"


def dependencies_of(request: Request) -> Dependencies:
    """The dependencies that `create_app` was given."""
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


Deps = Annotated[Dependencies, Depends(dependencies_of)]
