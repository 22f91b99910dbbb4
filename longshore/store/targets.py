"""Registered targets."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, func, select, update

from longshore.spec.base import Value
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.errors import ConflictError
from longshore.store.statements import as_row, insert_once
from longshore.store.tables import copies, deployments, targets


class TargetRow(Value):
    """A target as it was registered."""

    name: str
    spec: TargetSpec
    actor: str
    """Who changed it last."""
    created_at: datetime
    updated_at: datetime
    trouble: str | None = None
    """Why it cannot be declared or read as it is, as a worker beside it found; None where nothing is wrong."""
    trouble_since: datetime | None = None


class Targets:
    """Registers targets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, spec: TargetSpec, actor: str) -> bool:
        """Register a target, or change its hosts. Says whether anything changed.

        Raises:
            ConflictError: the target is there with another backend.
        """
        now = datetime.now(UTC)
        row = TargetRow(name=name, spec=spec, actor=actor, created_at=now, updated_at=now)
        async with self._database.transaction() as connection:
            if await insert_once(connection, targets, as_row(row, targets, next_ticket=1)):
                return True
            query = select(targets).where(targets.c.name == name).with_for_update()
            stored = TargetRow.model_validate(dict((await connection.execute(query)).mappings().one()))
            if stored.spec.backend != spec.backend:
                raise ConflictError(
                    f"target {name} has backend {stored.spec.backend}, which cannot become {spec.backend}: "
                    "register another target"
                )
            if stored.spec == spec:
                return False
            changed = as_row(row, targets)
            del changed["created_at"]
            await connection.execute(update(targets).where(targets.c.name == name).values(changed))
            return True

    async def tell_trouble(self, name: str, trouble: str | None) -> None:
        """Keep what is wrong with a target, since when the words are these; None when nothing is any more."""
        since = datetime.now(UTC) if trouble is not None else None
        query = update(targets).where(targets.c.name == name, targets.c.trouble.is_distinct_from(trouble))
        async with self._database.transaction() as connection:
            await connection.execute(query.values(trouble=trouble, trouble_since=since))

    async def get(self, name: str) -> TargetRow | None:
        """One target; None when it is not registered."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(targets).where(targets.c.name == name))).mappings().first()
        return TargetRow.model_validate(dict(row)) if row else None

    async def list(self) -> Sequence[TargetRow]:
        """All targets, by name."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(select(targets).order_by(targets.c.name))
            return [TargetRow.model_validate(dict(row)) for row in rows.mappings()]

    async def delete(self, name: str) -> bool:
        """Forget a target and what was observed there. Says whether it was there.

        Raises:
            ConflictError: a deployment that is not retired is on it, or it still holds copies.
        """
        async with self._database.transaction() as connection:
            await connection.execute(select(targets.c.name).where(targets.c.name == name).with_for_update())
            living = select(deployments.c.name).where(deployments.c.target == name, deployments.c.retired.is_(False))
            if users := list((await connection.execute(living.order_by(deployments.c.name))).scalars()):
                raise ConflictError(f"target {name} is used by {_some(users)}: retire what is there first")
            held = select(func.count()).select_from(copies).where(copies.c.target == name)
            if count := (await connection.execute(held)).scalar_one():
                raise ConflictError(f"target {name} still holds {count} copies: wait until they have ended")
            return bool((await connection.execute(delete(targets).where(targets.c.name == name))).rowcount)


def _some(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
