"""Deployments as their workflows said, joined with what was observed and acked."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.observed import Copy, Difference, ObservedHost
from longshore.planning.words import Phase
from longshore.store.database import Database
from longshore.store.fleet import copy_of, differences_of
from longshore.store.missing import with_reasons
from longshore.store.records import DeploymentRecord, DeploymentRow, OperationRow, RevisionRow, View
from longshore.store.tables import (
    WHOLE_TARGET,
    copies,
    deployments,
    operations,
    revisions,
    routes,
    target_observations,
    targets,
)


class Deployments:
    """Reads deployments, their revisions and operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deployment_record(self, name: str) -> DeploymentRecord | None:
        """All that a deployment's workflow needs to begin anew; None when nothing was ever said of it."""
        async with self._database.transaction(snapshot=True) as connection:
            row = (await connection.execute(select(deployments).where(deployments.c.name == name))).mappings().first()
            if row is None:
                return None
            latest = (await connection.execute(_operations(name).limit(1))).mappings().first()
            return DeploymentRecord(
                deployment=DeploymentRow.model_validate(dict(row)),
                revisions=tuple(await _revisions(connection, name)),
                operation=OperationRow.model_validate(dict(latest)) if latest else None,
            )

    async def view(self, name: str) -> View | None:
        """One deployment as people see it, retired or not; None when there is none."""
        async with self._database.transaction(snapshot=True) as connection:
            found = await _views(connection, _deployments().where(deployments.c.name == name))
        return found[0] if found else None

    async def views(  # noqa: PLR0913 - filters, by keyword
        self,
        *,
        target: str | None = None,
        model: str | None = None,
        phase: Phase | None = None,
        labels: Mapping[str, str] | None = None,
        retired: bool = False,
        after: str | None = None,
        limit: int = 100,
    ) -> list[View]:
        """Deployments as people see them, by name, in a handful of queries however many there are.

        Args:
            target: only on this one.
            model: only of this one.
            phase: only those whose operation, under way or last, is in this phase.
            labels: only those with all of these labels.
            retired: the retired ones, too.
            after: only names after this one: the last of the page before.
            limit: at most so many.
        """
        query = _deployments().order_by(deployments.c.name).limit(limit)
        if target is not None:
            query = query.where(deployments.c.target == target)
        if model is not None:
            query = query.where(deployments.c.model == model)
        if phase is not None:
            query = query.where(operations.c.phase == str(phase))
        for label, value in (labels or {}).items():
            query = query.where(deployments.c.labels[label].as_string() == value)
        if not retired:
            query = query.where(deployments.c.retired.is_(False))
        if after is not None:
            query = query.where(deployments.c.name > after)
        async with self._database.transaction(snapshot=True) as connection:
            return await _views(connection, query)

    async def rows(self, names: Collection[str]) -> list[DeploymentRow]:
        """Some deployments as their workflows last said, retired or not, by name; unknown names are left out."""
        query = select(deployments).where(deployments.c.name.in_(names)).order_by(deployments.c.name)
        async with self._database.transaction() as connection:
            return [DeploymentRow.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]

    async def names(self) -> list[str]:
        """The names of all deployments that there ever were, in order."""
        async with self._database.transaction() as connection:
            return list((await connection.execute(select(deployments.c.name).order_by(deployments.c.name))).scalars())

    async def operations(self, deployment: str) -> list[OperationRow]:
        """A deployment's operations, newest first."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_operations(deployment))
            return [OperationRow.model_validate(dict(row)) for row in rows.mappings()]

    async def operation(self, id: str) -> OperationRow | None:
        """One operation; None when it was never recorded."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(operations).where(operations.c.id == id))).mappings().first()
        return OperationRow.model_validate(dict(row)) if row else None

    async def revisions(self, deployment: str) -> list[RevisionRow]:
        """A deployment's revisions, oldest first."""
        async with self._database.transaction() as connection:
            return await _revisions(connection, deployment)


def _operations(deployment: str) -> Select[Any]:
    return select(operations).where(operations.c.deployment == deployment).order_by(operations.c.number.desc())


async def _revisions(connection: AsyncConnection, deployment: str) -> list[RevisionRow]:
    query = select(revisions).where(revisions.c.deployment == deployment).order_by(revisions.c.number)
    return [RevisionRow.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]


def _deployments() -> Select[Any]:
    """Deployments with the weights that gateways run, their target's trouble, and their operation for filtering."""
    return (
        select(deployments, routes.c.acked_weights, targets.c.trouble)
        .outerjoin(targets, targets.c.name == deployments.c.target)
        .outerjoin(routes, routes.c.deployment == deployments.c.name)
        .outerjoin(operations, operations.c.id == deployments.c.operation)
    )


async def _views(connection: AsyncConnection, query: Select[Any]) -> list[View]:
    rows = (await connection.execute(query)).mappings().all()
    names = [row["name"] for row in rows]
    under_way = await _operations_by_id(connection, [row["operation"] for row in rows if row["operation"]])
    held = await _copies_by_deployment(connection, names)
    read = await _Readings.of(connection, {row["target"] for row in rows})
    views = [
        View(
            row=DeploymentRow.model_validate(dict(row)),
            operation=under_way.get(row["operation"]),
            copies=tuple(held[row["name"]]),
            traffic=row["acked_weights"] or {},
            hosts=read.hosts(row["target"]),
            differences=read.differences(row["target"], row["name"]),
            observed_at=read.at(row["target"], row["name"]),
            trouble=row["trouble"],
        )
        for row in rows
    ]
    return await with_reasons(connection, views)


async def _operations_by_id(connection: AsyncConnection, ids: list[str]) -> dict[str, OperationRow]:
    rows = await connection.execute(select(operations).where(operations.c.id.in_(ids)))
    return {row["id"]: OperationRow.model_validate(dict(row)) for row in rows.mappings()}


async def _copies_by_deployment(connection: AsyncConnection, names: list[str]) -> dict[str, list[Copy]]:
    query = select(copies).where(copies.c.deployment.in_(names)).order_by(copies.c.host, copies.c.id)
    found: dict[str, list[Copy]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        found[row["deployment"]].append(copy_of(row))
    return found


class _Readings:
    """The readings of some targets, newest first."""

    def __init__(self, rows: Mapping[str, list[Any]]) -> None:
        self._rows = rows
        self._differences = {target: differences_of(found) for target, found in rows.items()}

    @classmethod
    async def of(cls, connection: AsyncConnection, names: set[str]) -> "_Readings":
        table = target_observations
        query = select(table).where(table.c.target.in_(names)).order_by(table.c.sequence.desc())
        rows = defaultdict(list)
        for row in (await connection.execute(query)).all():
            rows[row.target].append(row)
        return cls(rows)

    def hosts(self, target: str) -> tuple[ObservedHost, ...]:
        newest = next(iter(self._rows[target]), None)
        return tuple(ObservedHost.model_validate(host) for host in newest.hosts) if newest else ()

    def differences(self, target: str, deployment: str) -> tuple[Difference, ...]:
        return self._differences.get(target, {}).get(deployment, ())

    def at(self, target: str, deployment: str) -> datetime | None:
        covering = (row.at for row in self._rows[target] if row.deployment in {WHOLE_TARGET, deployment})
        return next(covering, None)
