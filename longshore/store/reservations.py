"""Room on targets, held by operations, so that GPUs shared between deployments are never promised twice."""

from dataclasses import replace
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.granting import serve
from longshore.planning.observed import ObservedHost
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom
from longshore.planning.words import Phase
from longshore.store.database import Database
from longshore.store.errors import NotObservedError
from longshore.store.fleet import lock_target, read_observation
from longshore.store.statements import as_row, upsert
from longshore.store.tables import deployments, operations, reservations, targets

OPERATION_ENDED: Final = "OperationEnded"


class Reservations:
    """Holds room for operations, first come first served on each target."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(self, request: ReservationRequest) -> Grant:
        """Hold room for a batch, or say what is short; ask again until there is some.

        The operation's place in the queue is that of its first asking. What it is granted is held until `release`, or
        until the operation's end is recorded. Asking the same again is the same grant, unless a host of it
        went down meanwhile. Those who came earlier and wait are answered in the same go.

        Raises:
            NotFoundError: the target is not registered.
            NotObservedError: the target was never read.
        """
        async with self._database.transaction() as connection:
            await lock_target(connection, request.target)
            await _forget_ended(connection, request.target)
            if await _has_ended(connection, request.operation):
                message = f"{request.operation} has ended: it gets no more room"
                return Grant(granted=False, reason=OPERATION_ENDED, message=message)
            room = await _read_room(connection, request.target)
            own = _of(room, request.operation)
            if own and own.answer and _still_good(own, request, room.hosts):
                return own.answer
            asking = Reservation(
                deployment=request.deployment,
                operation=request.operation,
                ticket=own.ticket if own else await _next_ticket(connection, request.target),
                request=request,
                held=own.held if own else {},
            )
            others = tuple(one for one in room.reservations if one is not own)
            served = serve(replace(room, reservations=(*others, asking)))
            for one in served.reservations:
                if one not in others:
                    await upsert(connection, reservations, as_row(one, reservations, target=request.target))
        answered = _of(served, request.operation)
        if answered is None or answered.answer is None:
            raise AssertionError("whoever waits was answered")
        return answered.answer

    async def release(self, target: str, operation: str) -> None:
        """Give back what an operation holds, and its place in the queue. Its copies hold their room by being there."""
        ours = (reservations.c.target == target) & (reservations.c.operation == operation)
        async with self._database.transaction() as connection:
            await connection.execute(select(targets.c.name).where(targets.c.name == target).with_for_update())
            await connection.execute(delete(reservations).where(ours))

    async def room(self, target: str) -> TargetRoom:
        """What a target holds, and what is reserved there.

        Raises:
            NotObservedError: the target was never read.
        """
        async with self._database.transaction(snapshot=True) as connection:
            return await _read_room(connection, target)


async def _read_room(connection: AsyncConnection, target: str) -> TargetRoom:
    observation = await read_observation(connection, target)
    if observation is None:
        raise NotObservedError(f"target {target} was not observed yet: is the worker beside it running?")
    query = select(reservations).where(reservations.c.target == target).order_by(reservations.c.ticket)
    rows = (await connection.execute(query)).mappings()
    reserved = tuple(Reservation.model_validate(dict(row)) for row in rows)
    return TargetRoom(target, observation.hosts, observation.copies, reserved, await _read_warm(connection, target))


async def _read_warm(connection: AsyncConnection, target: str) -> dict[str, str]:
    """Deployment → version of which it keeps copies warm."""
    query = select(deployments.c.name, deployments.c.warm).where(deployments.c.target == target)
    rows = await connection.execute(query.where(deployments.c.warm.is_not(None)))
    return {row.name: row.warm["version"] for row in rows}


async def _forget_ended(connection: AsyncConnection, target: str) -> None:
    """An operation that was killed releases nothing, but its end is recorded."""
    ended = select(operations.c.id).where(operations.c.phase.in_(_ENDED))
    await connection.execute(
        delete(reservations).where(reservations.c.target == target, reservations.c.operation.in_(ended))
    )


async def _has_ended(connection: AsyncConnection, operation: str) -> bool:
    """Whether this is a late retry, after whose grant nobody would release."""
    phase = (await connection.execute(select(operations.c.phase).where(operations.c.id == operation))).scalar()
    return phase in _ENDED


async def _next_ticket(connection: AsyncConnection, target: str) -> int:
    ours = targets.c.name == target
    ticket = (await connection.execute(select(targets.c.next_ticket).where(ours))).scalar_one()
    await connection.execute(update(targets).where(ours).values(next_ticket=ticket + 1))
    return int(ticket)


def _of(room: TargetRoom, operation: str) -> Reservation | None:
    return next((one for one in room.reservations if one.operation == operation), None)


def _still_good(own: Reservation, request: ReservationRequest, hosts: tuple[ObservedHost, ...]) -> bool:
    """Whether what was granted answers this request, too."""
    if own.answer is None or not own.answer.granted:
        return False
    up = {host.name for host in hosts if host.up}
    return own.request == request and set(own.answer.placement) <= up


_ENDED: Final = [str(phase) for phase in Phase if phase.ended]
