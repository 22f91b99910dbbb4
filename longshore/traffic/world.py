"""The world as gateways shall know it, followed from the store."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from longshore.planning.observed import Copy, CopyState, Upstream
from longshore.planning.route import RefusedRoute, Route, RouteSnapshot
from longshore.traffic.errors import InvalidRouteError
from longshore.traffic.port import RouteStore
from longshore.traffic.resources import Resources, resources

POLL_S: Final = 1.0
"""A lost notice costs this much; also how soon the store is asked again after it failed."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class World:
    """Every deployment's resources at one traffic revision."""

    revision: int
    deployments: Mapping[str, Resources] = field(default_factory=dict)
    route_revisions: Mapping[str, int] = field(default_factory=dict)
    """Deployment → revision that brought its route."""
    refused: Mapping[str, RefusedRoute] = field(default_factory=dict)
    """Deployments whose route is not one for gateways: they stay at their last good state."""
    made_from: Mapping[str, Any] = field(default_factory=dict)
    """Deployment → what its resources were made from, so that only changed ones are made again."""


def world(snapshot: RouteSnapshot, before: World | None = None) -> World:
    """What gateways shall know. A route that is not valid leaves its deployment as it was before. Pure."""
    before = before or World(0)
    copies: dict[str, list[Copy]] = {}
    for copy in snapshot.copies:
        copies.setdefault(copy.deployment, []).append(copy)
    upstreams: dict[str, list[Upstream]] = {}
    for upstream in snapshot.upstreams:
        upstreams.setdefault(upstream.deployment, []).append(upstream)
    made, refused, made_from = {}, {}, {}
    for route in snapshot.routes:
        name = route.deployment
        theirs = copies.get(name, []), upstreams.get(name, [])
        source = _source(route, *theirs)
        try:
            same = before.made_from.get(name) == source
            made[name] = before.deployments[name] if same else resources(route, *theirs)
            made_from[name] = source
        except InvalidRouteError as error:
            refused[name] = RefusedRoute(
                deployment=name, revision=snapshot.route_revisions.get(name, snapshot.revision), message=str(error)
            )
            if name in before.deployments:
                made[name], made_from[name] = before.deployments[name], before.made_from[name]
    return World(snapshot.revision, made, snapshot.route_revisions, refused, made_from)


def _source(route: Route, copies: list[Copy], upstreams: list[Upstream]) -> Any:
    """All that the resources of a deployment depend on."""
    serving = {CopyState.READY, CopyState.DRAINING}
    seen = [(copy.id, copy.version, copy.address, copy.state) for copy in copies if copy.state in serving]
    return route, seen, upstreams


class Follower:
    """Reads the store whenever it changes. While the store is away, the last world stays."""

    def __init__(self, store: RouteStore) -> None:
        self._store = store
        self._current: World | None = None
        self._changed = asyncio.Condition()
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._away = False

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="longshore-traffic-follower")

    async def stop(self) -> None:
        """Stop between two readings: a statement that is cancelled costs the store a connection."""
        if self._task:
            async with self._reading:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                async with self._store.watch() as watch:
                    while True:
                        await self._read()
                        await watch.wait(POLL_S)
            except Exception as error:  # noqa: BLE001 whatever ails the store, gateways are served on
                if not self._away:
                    logger.warning("cannot read routes; serving the last ones", error=str(error))
                self._away = True
            await asyncio.sleep(POLL_S)

    async def after(self, known: World | None) -> World:
        """The newest world once it is another than the one known."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._current is not None and self._current is not known)
        assert self._current is not None  # noqa: S101 just waited for
        return self._current

    async def _read(self) -> None:
        async with self._reading:
            snapshot = await self._store.snapshot()
        if self._away:
            logger.info("reading routes again", revision=snapshot.revision)
        self._away = False
        if self._current and snapshot.revision == self._current.revision:
            return
        newest = world(snapshot, self._current)
        for refused in newest.refused.values():
            logger.error("route is not published", deployment=refused.deployment, reason=refused.message)
        async with self._changed:
            self._current = newest
            self._changed.notify_all()
