"""The traffic plane's rows: routes and their acknowledgement, gateways, and samples of an operation."""

from collections.abc import Collection, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.fence import Fence
from longshore.planning.observed import Sample, Upstream
from longshore.planning.route import Gateway, RefusedRoute, Route, RouteSnapshot, acked_revision, required
from longshore.store import fences
from longshore.store.database import Database
from longshore.store.fleet import copy_of
from longshore.store.notices import ACKS, TRAFFIC, Watch
from longshore.store.statements import advance, as_row, insert_once, upsert
from longshore.store.tables import copies, deployments, gateways, routes, traffic_clock, traffic_samples, upstreams

_ELSEWHERE = select(deployments.c.name).where(
    deployments.c.name == upstreams.c.deployment, deployments.c.target != upstreams.c.target
)
_IN_FORCE = select(upstreams.c.upstream).where(~_ELSEWHERE.exists())
"""Upstreams of deployments, but for those of another target that a deployment of the same name was on before."""


class Traffic:
    """Routes, gateways and samples."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish_route(self, route: Route, fence: Fence) -> int:
        """Save a route and say the traffic revision that holds it. The same route again is the same revision.

        Raises:
            FenceRefusedError: a later step has already written to this deployment.
        """
        async with self._database.transaction() as connection:
            await fences.check(connection, route.deployment, fence)
            query = select(routes).where(routes.c.deployment == route.deployment)
            stored = (await connection.execute(query)).mappings().first()
            if stored and Route.model_validate(dict(stored)) == route:
                return int(stored["revision"])
            revision = await self._changed(connection)
            row = as_row(route, routes, revision=revision, acked_weights={}, acked_revision=0)
            await upsert(connection, routes, row, keep=("acked_weights", "acked_revision"))
            return revision

    async def withdraw_route(self, deployment: str, fence: Fence) -> int:
        """Remove a deployment's route and say a traffic revision that is without it.

        Raises:
            FenceRefusedError: a later step has already written to this deployment.
        """
        async with self._database.transaction() as connection:
            await fences.check(connection, deployment, fence)
            removed = await connection.execute(delete(routes).where(routes.c.deployment == deployment))
            return await self._changed(connection) if removed.rowcount else await _revision(connection)

    async def weights(self, deployment: str) -> dict[str, int]:
        """Version → share in percent of a deployment's route as last published; empty without a route."""
        query = select(routes.c.weights).where(routes.c.deployment == deployment)
        async with self._database.transaction() as connection:
            return dict((await connection.execute(query)).scalar() or {})

    async def revision(self) -> int:
        """The newest revision: it holds every change of routes and endpoints so far."""
        async with self._database.transaction() as connection:
            return await _revision(connection)

    async def snapshot(self) -> RouteSnapshot:
        """All that gateways are told, as of one traffic revision: nothing newer, nothing missing."""
        theirs = select(copies).join(routes, routes.c.deployment == copies.c.deployment)
        asked = _IN_FORCE.join(routes, routes.c.deployment == upstreams.c.deployment)
        async with self._database.transaction(snapshot=True) as connection:
            revision = await _revision(connection)
            published = (await connection.execute(select(routes).order_by(routes.c.deployment))).mappings().all()
            observed = await connection.execute(theirs.order_by(copies.c.deployment, copies.c.target, copies.c.id))
            return RouteSnapshot(
                revision=revision,
                routes=tuple(Route.model_validate(dict(row)) for row in published),
                copies=tuple(copy_of(row) for row in observed.mappings()),
                upstreams=await _upstreams(connection, asked),
                route_revisions={row["deployment"]: row["revision"] for row in published},
            )

    async def upstreams(self, deployment: str) -> tuple[Upstream, ...]:
        """Where a deployment's versions are asked that are behind a service, those that were among them."""
        async with self._database.transaction() as connection:
            return await _upstreams(connection, _IN_FORCE.where(upstreams.c.deployment == deployment))

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Watch for changes of the snapshot."""
        return self._database.watch(TRAFFIC)

    def watch_acks(self) -> AbstractAsyncContextManager[Watch]:
        """Watch for what gateways said."""
        return self._database.watch(ACKS)

    async def gateway_seen(self, node: str, admin: str | None, connected: bool) -> None:  # noqa: FBT001
        """A gateway connected, is still connected, or left. A new one has acked nothing."""
        now = datetime.now(UTC)
        row: dict[str, Any] = {"node": node, "admin": admin, "connected": connected, "seen_at": now}
        new = {"acked": 0, "refused": []}
        async with self._database.transaction() as connection:
            await upsert(connection, gateways, row | new, keep=new)
            await _keep_acked_weights(connection, now)

    async def gateway_acked(self, node: str, revision: int, refused: tuple[RefusedRoute, ...] = ()) -> None:
        """A gateway runs this revision, but for the routes it refused; 0 says that it began anew and runs none.

        A revision that it refused as a whole is forgotten once it runs that one or a later one.
        """
        kept = [route.model_dump(mode="json") for route in refused]
        said = {"acked": revision, "refused": kept, "rejected": None, "rejection": None}
        await self._gateway_said(node, revision, said)

    async def gateway_rejected(self, node: str, revision: int, message: str) -> None:
        """A gateway refused this revision as a whole and goes on with what it ran."""
        await self._gateway_said(node, revision, {"rejected": revision, "rejection": message})

    async def _gateway_said(self, node: str, revision: int, said: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        async with self._database.transaction() as connection:
            query = select(gateways).where(gateways.c.node == node).with_for_update()
            stored = (await connection.execute(query)).first()
            if stored is None:
                return
            if stored.rejected is not None and stored.rejected > revision:
                said = {name: value for name, value in said.items() if name in {"acked", "refused"}}
            row = {**said, "connected": True, "seen_at": now}
            await connection.execute(update(gateways).where(gateways.c.node == node).values(row))
            await _keep_acked_weights(connection, now)
            await self._database.notify(connection, ACKS)

    async def gateways(self) -> list[Gateway]:
        """Every gateway ever seen, by name."""
        async with self._database.transaction() as connection:
            return await _gateways(connection)

    async def append_samples(self, operation: str, batch: int, samples: Iterable[Sample]) -> None:
        """Keep samples of a batch until the operation's end is recorded. The same samples again change nothing."""
        async with self._database.transaction() as connection:
            for sample in samples:
                more = {"operation": operation, "batch": batch, "sample": sample.model_dump(mode="json")}
                await insert_once(connection, traffic_samples, as_row(sample, traffic_samples, **more))

    async def samples(self, operation: str, batch: int) -> list[Sample]:
        """The samples of a batch, oldest first."""
        query = (
            select(traffic_samples.c.sample)
            .where(traffic_samples.c.operation == operation, traffic_samples.c.batch == batch)
            .order_by(traffic_samples.c.at, traffic_samples.c.gateway, traffic_samples.c.version)
        )
        async with self._database.transaction() as connection:
            return [Sample.model_validate(row.sample) for row in (await connection.execute(query)).all()]

    async def forget_samples(self, operation: str, batch: int, instants: Collection[datetime]) -> None:
        """Forget the samples of a batch that were read at these instants."""
        theirs = (traffic_samples.c.operation == operation) & (traffic_samples.c.batch == batch)
        async with self._database.transaction() as connection:
            await connection.execute(delete(traffic_samples).where(theirs, traffic_samples.c.at.in_(instants)))

    async def _changed(self, connection: AsyncConnection) -> int:
        revision = await advance(connection, traffic_clock, "revision")
        await self._database.notify(connection, TRAFFIC)
        return revision


async def _revision(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(traffic_clock.c.revision))).scalar() or 0)


async def _upstreams(connection: AsyncConnection, query: Select[Any]) -> tuple[Upstream, ...]:
    ordered = query.order_by(upstreams.c.deployment, upstreams.c.version)
    return tuple(Upstream.model_validate(row.upstream) for row in (await connection.execute(ordered)).all())


async def _gateways(connection: AsyncConnection) -> list[Gateway]:
    rows = await connection.execute(select(gateways).order_by(gateways.c.node))
    return [Gateway.model_validate(dict(row)) for row in rows.mappings()]


async def _keep_acked_weights(connection: AsyncConnection, now: datetime) -> None:
    """Remember the weights that every gateway runs: what people see as traffic until newer ones are acked."""
    known = await _gateways(connection)
    acked = acked_revision(known, now)
    if acked is None:
        return
    refused = {route.revision for gateway in required(known, now) for route in gateway.refused}
    behind = (
        (routes.c.revision <= acked) & (routes.c.acked_revision < routes.c.revision) & routes.c.revision.not_in(refused)
    )
    in_order = select(routes.c.deployment).where(behind).order_by(routes.c.deployment).with_for_update()
    names = list((await connection.execute(in_order)).scalars())
    if names:
        kept = {"acked_weights": routes.c.weights, "acked_revision": routes.c.revision}
        await connection.execute(update(routes).where(routes.c.deployment.in_(names), behind).values(kept))
