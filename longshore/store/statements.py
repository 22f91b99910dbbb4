"""The few statements that PostgreSQL and SQLite write differently, and values as rows."""

from collections.abc import Collection
from functools import cache
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Table, and_, or_, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.store.tables import Instant


def as_row(value: BaseModel, table: Table, **more: Any) -> dict[str, Any]:
    """A value as a row: fields named like columns, JSON where they travel whole, instants as they are.

    Args:
        value: what is stored; its fields that are no columns are left out.
        table: where it is stored.
        more: columns that the value does not have.
    """
    dumped = value.model_dump(mode="json") | more
    row = {column.name: dumped[column.name] for column in table.columns if column.name in dumped}
    for column in table.columns:
        if isinstance(column.type, Instant) and column.name not in more and column.name in row:
            row[column.name] = getattr(value, column.name)
    return row


async def upsert(
    connection: AsyncConnection,
    table: Table,
    row: dict[str, Any],
    *,
    keep: Collection[str] = (),
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Insert a row, or update the one with its primary key. Says whether a row was written.

    Args:
        connection: of the transaction.
        table: where.
        row: must hold the primary key.
        keep: columns that stay as they are when the row is there already.
        where: what the stored row must fulfil to be updated; see `not_newer`.
    """
    insert = _dialect(connection).insert(table).values(row)
    keys = [column.name for column in table.primary_key]
    excluded = _excluded(_dialect(connection), table)
    change = {name: excluded[name] for name in row if name not in keys and name not in keep}
    statement = insert.on_conflict_do_update(index_elements=keys, set_=change, where=where)
    return (await connection.execute(statement.returning(*table.primary_key))).first() is not None


async def insert_once(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless it is there already. Says whether it was inserted."""
    statement = _dialect(connection).insert(table).values(row).on_conflict_do_nothing()
    return (await connection.execute(statement.returning(*table.primary_key))).first() is not None


async def advance(connection: AsyncConnection, clock: Table, column: str, by: int = 1) -> int:
    """Advance a clock of one row and say where it stands. Its lock is held until the transaction ends.

    So take it last: whoever advances the same clock waits for this transaction, and is seen after it.
    """
    insert = _dialect(connection).insert(clock).values({"id": 1, column: by})
    excluded = _excluded(_dialect(connection), clock)
    statement = insert.on_conflict_do_update(
        index_elements=["id"], set_={column: clock.c[column] + excluded[column]}
    ).returning(clock.c[column])
    return int((await connection.execute(statement)).scalar_one())


def not_newer(*stored_and_new: tuple[ColumnElement[Any], Any]) -> ColumnElement[bool]:
    """Whether the stored tuple is at most the new one, compared element by element from the first."""
    (stored, new), *rest = stored_and_new
    return or_(stored < new, and_(stored == new, not_newer(*rest) if rest else true()))


@cache
def _excluded(dialect: Any, table: Table) -> Any:
    """The row that could not be inserted, by column. Making it anew for each statement costs more than sending one."""
    return dialect.insert(table).excluded


def _dialect(connection: AsyncConnection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
