"""The event log, read with a cursor."""

from collections.abc import Collection, Sequence

from sqlalchemy import select

from longshore.planning.words import EventType
from longshore.store.database import Database
from longshore.store.records import StoredEvent
from longshore.store.tables import event_clock, events


class Events:
    """Reads the event log. Once an event was seen, none before it will ever appear."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        deployment: str | None = None,
        *,
        after: int = 0,
        limit: int = 100,
        types: Collection[EventType] | None = None,
    ) -> Sequence[StoredEvent]:
        """Events after a sequence, in their order.

        Args:
            deployment: only of this one.
            after: sequence of the last event already seen.
            limit: at most so many.
            types: only of these types.
        """
        query = select(events).where(events.c.sequence > after).order_by(events.c.sequence).limit(limit)
        if deployment is not None:
            query = query.where(events.c.deployment == deployment)
        if types is not None:
            query = query.where(events.c.type.in_([str(one) for one in types]))
        async with self._database.transaction() as connection:
            return [StoredEvent.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]

    async def of_operations(
        self, deployment: str, operations: Collection[str], types: Collection[EventType]
    ) -> Sequence[StoredEvent]:
        """All events of these types that some operations of a deployment wrote, in their order."""
        query = (
            select(events)
            .where(events.c.deployment == deployment, events.c.operation.in_(operations))
            .where(events.c.type.in_([str(one) for one in types]))
            .order_by(events.c.sequence)
        )
        async with self._database.transaction() as connection:
            return [StoredEvent.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]

    async def newest(self) -> int:
        """The sequence of the newest event; 0 before the first."""
        async with self._database.transaction() as connection:
            return int((await connection.execute(select(event_clock.c.sequence))).scalar() or 0)
