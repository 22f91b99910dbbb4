"""How long the copies of each version took to start on each target: what plans estimate times from.

Copies go and versions come back, so it is kept apart from the copies themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.observed import Copy, CopyState
from longshore.store.database import Database
from longshore.store.statements import upsert
from longshore.store.tables import startups

KEPT: Final = 20
"""Newest starts of a version: a version that starts faster since its image is cached is soon known to."""
HIGH: Final = 0.9
"""The share of the starts that were no slower than what a plan expects: a batch is as slow as its slowest copy."""


class Startups:
    """Start-up times as observed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, target: str, model: str) -> Mapping[str, float]:
        """Version → seconds from start to ready, of the versions of a model that were ever seen to start there."""
        query = select(startups).where(startups.c.target == target, startups.c.model == model)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        return {row.version: expected(row.seconds) for row in rows}


def expected(seconds: Iterable[float]) -> float:
    """What to expect of the next start: that of the slow among the last ones, but not of an outlier."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(HIGH * len(ordered)))]


async def keep_startups(
    connection: AsyncConnection, target: str, before: Mapping[str, Copy], now: Mapping[str, Copy]
) -> None:
    """Keep how long those copies took to start that are ready for the first time."""
    for name in sorted(now):
        copy = now[name]
        took = _took(before.get(name), copy)
        if took is None:
            continue
        one = (startups.c.target == target) & (startups.c.model == copy.model) & (startups.c.version == copy.version)
        row = (await connection.execute(select(startups.c.seconds).where(one))).first()
        seconds = [*(row.seconds if row else ()), took][-KEPT:]
        key = {"target": target, "model": copy.model, "version": copy.version}
        await upsert(connection, startups, {**key, "seconds": seconds})


def _took(before: Copy | None, now: Copy) -> float | None:
    """Seconds that a copy took to start; None when it was ready before, or has been lost since."""
    first = before is None or before.state is CopyState.STARTING
    if not first or now.state is not CopyState.READY or now.restarts or not (now.started_at and now.ready_at):
        return None
    seconds = (now.ready_at - now.started_at).total_seconds()
    return seconds if seconds >= 0 else None
