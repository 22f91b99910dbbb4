"""Freezes: times in which no rollout begins."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select, update

from longshore.spec.base import Value
from longshore.spec.freeze import FreezeSpec
from longshore.store.database import Database
from longshore.store.statements import as_row, insert_once
from longshore.store.tables import freezes


class FreezeRow(Value):
    """A freeze as it was applied."""

    name: str
    spec: FreezeSpec
    actor: str
    """Who changed it last."""
    created_at: datetime
    updated_at: datetime


class Freezes:
    """Keeps freezes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, spec: FreezeSpec, actor: str) -> bool:
        """Add a freeze, or change it. Says whether anything changed."""
        now = datetime.now(UTC)
        row = FreezeRow(name=name, spec=spec, actor=actor, created_at=now, updated_at=now)
        async with self._database.transaction() as connection:
            if await insert_once(connection, freezes, as_row(row, freezes)):
                return True
            query = select(freezes).where(freezes.c.name == name).with_for_update()
            stored = FreezeRow.model_validate(dict((await connection.execute(query)).mappings().one()))
            if stored.spec == spec:
                return False
            changed = as_row(row, freezes)
            del changed["created_at"]
            await connection.execute(update(freezes).where(freezes.c.name == name).values(changed))
            return True

    async def get(self, name: str) -> FreezeRow | None:
        """One freeze; None when there is none of this name."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(freezes).where(freezes.c.name == name))).mappings().first()
        return FreezeRow.model_validate(dict(row)) if row else None

    async def list(self) -> Sequence[FreezeRow]:
        """All freezes, by name."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(select(freezes).order_by(freezes.c.name))
            return [FreezeRow.model_validate(dict(row)) for row in rows.mappings()]

    async def delete(self, name: str) -> bool:
        """Forget a freeze: it holds nothing any more. Says whether it was there."""
        async with self._database.transaction() as connection:
            return bool((await connection.execute(delete(freezes).where(freezes.c.name == name))).rowcount)
