"""The serving ledger: which version held which share of a deployment's traffic, from when to when."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.store.database import Database
from longshore.store.records import LedgerChange, LedgerEntry
from longshore.store.tables import ledger


class Ledger:
    """Reads the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, deployment: str, at: datetime | None = None) -> Sequence[LedgerEntry]:
        """A deployment's entries, oldest first; or those that held at one instant.

        Intervals are half-open: at the instant of a change the new shares hold.
        """
        query = select(ledger, ledger.c.source.label("operation")).where(ledger.c.deployment == deployment)
        if at is not None:
            query = query.where(ledger.c.since <= at, or_(ledger.c.until.is_(None), ledger.c.until > at))
        async with self._database.transaction() as connection:
            rows = await connection.execute(query.order_by(ledger.c.since, ledger.c.version))
            return [LedgerEntry.model_validate(dict(row)) for row in rows.mappings()]


async def change_shares(connection: AsyncConnection, change: LedgerChange, *, source: str, step: int) -> None:
    """Let the versions hold these shares from `change.at` on. The caller sees to it that changes take turns.

    A share that stays is left open. A change that comes with an instant before the last one, for clocks of
    two machines differ, counts from the last one on: intervals never overlap and leave no gap.
    """
    ours = ledger.c.deployment == change.deployment
    newest = (await connection.execute(select(func.max(ledger.c.since), func.max(ledger.c.until)).where(ours))).one()
    at = max([change.at, *(instant for instant in newest if instant is not None)])
    shares = {version: share for version, share in change.shares.items() if share > 0}

    open_entries = (await connection.execute(select(ledger).where(ours, ledger.c.until.is_(None)))).all()
    ending = []
    for entry in open_entries:
        if shares.get(entry.version) == entry.share and entry.model == change.model:
            del shares[entry.version]
        else:
            ending.append(entry.id)
    # What began at this very instant never served.
    await connection.execute(delete(ledger).where(ledger.c.id.in_(ending), ledger.c.since >= at))
    await connection.execute(update(ledger).where(ledger.c.id.in_(ending)).values(until=at))
    if shares:
        opening = [
            {
                "deployment": change.deployment,
                "model": change.model,
                "version": version,
                "share": share,
                "since": at,
                "source": source,
                "step": step,
                "cause": change.cause,
            }
            for version, share in sorted(shares.items())
        ]
        await connection.execute(insert(ledger), opening)
