"""What a step of a workflow wrote, in one transaction, once."""

import re
from typing import Final

from sqlalchemy import delete, insert, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.words import OperationKind
from longshore.store.database import Database
from longshore.store.ledger import change_shares
from longshore.store.notices import EVENTS
from longshore.store.records import OperationRow, Record, RevisionRow
from longshore.store.statements import advance, as_row, insert_once, upsert
from longshore.store.tables import (
    deployments,
    event_clock,
    events,
    operations,
    recorded_steps,
    revisions,
    traffic_samples,
)

_OPERATION: Final = re.compile(rf"(?:{'|'.join(OperationKind)})-\d+")


async def record(database: Database, record: Record) -> bool:
    """Write what one step says. The same step again writes nothing.

    Rows of an older step or saying never replace newer ones, whatever the order in which they arrive. Events get
    their sequence under the lock of the event clock, so a reader that has seen one has seen all before it.

    Returns:
        Whether it was written; false for a repeat.

    Raises:
        ValueError: the record is empty, or speaks of two deployments.
        StoreUnavailableError: nothing was written.
    """
    async with database.transaction() as connection:
        return await record_within(database, connection, record)


async def record_within(database: Database, connection: AsyncConnection, record: Record) -> bool:
    """The same as a part of a transaction that writes more. It must not wait for other locks afterwards."""
    deployment = _subject(record)
    key = {"deployment": deployment, "source": record.source, "step": record.step}
    if not await insert_once(connection, recorded_steps, key):
        return False
    await _write_rows(connection, record)
    # From here on writers take turns: the clock's lock is held until the transaction ends.
    if record.events or record.ledger:
        newest = await advance(connection, event_clock, "sequence", by=len(record.events))
    if record.ledger:
        await change_shares(connection, record.ledger, source=record.source, step=record.step)
    if record.events:
        first = newest - len(record.events) + 1
        await _write_events(connection, record, deployment, first)
        await database.notify(connection, EVENTS)
    return True


async def _write_rows(connection: AsyncConnection, record: Record) -> None:
    if record.operation:
        await _write_operation(connection, record.operation)
    if record.deployment:
        said = deployments.c.sequence <= record.deployment.sequence
        await upsert(connection, deployments, as_row(record.deployment, deployments), where=said)
    for revision in record.revisions:
        await _write_revision(connection, revision, record)


async def _write_operation(connection: AsyncConnection, operation: OperationRow) -> None:
    await upsert(connection, operations, as_row(operation, operations), where=operations.c.step <= operation.step)
    if operation.phase.ended:
        await connection.execute(delete(traffic_samples).where(traffic_samples.c.operation == operation.id))


async def _write_revision(connection: AsyncConnection, revision: RevisionRow, record: Record) -> None:
    row = as_row(revision, revisions, source=record.source, step=record.step)
    another_writer = revisions.c.source != record.source
    await upsert(connection, revisions, row, keep=("at",), where=or_(another_writer, revisions.c.step <= record.step))


async def _write_events(connection: AsyncConnection, record: Record, deployment: str, first: int) -> None:
    rows = [
        as_row(
            event,
            events,
            sequence=first + ordinal,
            operation=_operation(record.source, deployment),
            source=record.source,
            step=record.step,
            ordinal=ordinal,
        )
        for ordinal, event in enumerate(record.events)
    ]
    await connection.execute(insert(events), rows)


def _subject(record: Record) -> str:
    """The deployment that the record speaks of."""
    spoken_of = {event.deployment for event in record.events} | {one.deployment for one in record.revisions}
    if record.operation:
        spoken_of.add(record.operation.deployment)
    if record.deployment:
        spoken_of.add(record.deployment.name)
    if record.ledger:
        spoken_of.add(record.ledger.deployment)
    if len(spoken_of) != 1:
        raise ValueError(f"a record speaks of one deployment, not of {sorted(spoken_of) or 'none'}")
    return spoken_of.pop()


def _operation(source: str, deployment: str) -> str | None:
    """The operation that wrote a record; None when the deployment, or the API, did."""
    owner, _, name = source.partition("/")
    return source if owner == deployment and _OPERATION.fullmatch(name) else None
