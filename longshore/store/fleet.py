"""What the targets were observed to hold: one row a copy, and the newest reading of each target."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning import outside
from longshore.planning.observed import Copy, CopyState, Difference, Observation, ObservedHost, Upstream
from longshore.store.database import Database
from longshore.store.errors import NotFoundError
from longshore.store.notices import TRAFFIC
from longshore.store.recording import record_within
from longshore.store.records import Record
from longshore.store.startups import keep_startups
from longshore.store.statements import advance, as_row, upsert
from longshore.store.tables import WHOLE_TARGET, copies, target_observations, targets, traffic_clock, upstreams


class Fleet:
    """Saves observations and reads them back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_observation(self, observation: Observation) -> bool:
        """Save a reading: of a whole target, or of one deployment's copies on it.

        Only what changed is written. Each deployment's copies and differences are those of the newest reading that
        covers it, of either kind; hosts are those of the newest reading of all. A change that gateways must hear of
        moves the traffic clock. That somebody else's change was seen first, or is gone, is an event, whoever read it.

        Returns:
            Whether anything of it counted; false when newer readings cover all of it.

        Raises:
            NotFoundError: the target is not registered.
        """
        target = observation.target
        async with self._database.transaction() as connection:
            await lock_target(connection, target)
            scope = observation.deployment or WHOLE_TARGET
            readings = await _readings(connection, target, scope)
            newest = {row.deployment: row.sequence for row in readings}
            whole = newest.get(WHOLE_TARGET, -1)
            if observation.sequence <= max(whole, newest.get(scope, -1)):
                return False
            covered_by_newer = {one for one, sequence in newest.items() if sequence >= observation.sequence}
            rerouted = await _save_upstreams(connection, observation)
            rerouted |= await _save_copies(connection, observation, covered_by_newer)
            await _save_reading(connection, observation, scope)
            if rerouted:
                await advance(connection, traffic_clock, "revision")
                await self._database.notify(connection, TRAFFIC)
            await self._tell_of_others(connection, observation, readings, covered_by_newer)
        return True

    async def _tell_of_others(
        self, connection: AsyncConnection, observation: Observation, readings: Sequence[Any], covered: set[str]
    ) -> None:
        """Write an event for each deployment of which somebody else's changes are others than in the reading before."""
        before, now = differences_of(readings), outside.by_deployment(observation.differences)
        scope = observation.deployment
        for name in sorted((before.keys() | now.keys() if scope is None else {scope}) - covered):
            event = outside.news(name, before.get(name, ()), now.get(name, ()), observation.at)
            if event is not None:
                source = f"drift:{observation.target}"
                told = Record(source=source, step=observation.sequence, events=(event,))
                await record_within(self._database, connection, told)

    async def copies(self, deployment: str) -> list[Copy]:
        """A deployment's copies, in any state, by host and id."""
        query = select(copies).where(copies.c.deployment == deployment).order_by(copies.c.host, copies.c.id)
        async with self._database.transaction() as connection:
            return [copy_of(row) for row in (await connection.execute(query)).mappings()]

    async def observation(self, target: str) -> Observation | None:
        """What a target holds, as the newest readings say; None before the first.

        `sequence` and `at` are those of the newest reading of the whole target, or of any while there is none.
        """
        async with self._database.transaction(snapshot=True) as connection:
            return await read_observation(connection, target)


async def lock_target(connection: AsyncConnection, target: str) -> None:
    """Take turns with whoever else changes what a target holds, until the transaction ends.

    Raises:
        NotFoundError: the target is not registered.
    """
    query = select(targets.c.name).where(targets.c.name == target).with_for_update()
    if (await connection.execute(query)).first() is None:
        raise NotFoundError(f"there is no target {target}: apply its manifest first")


async def read_observation(connection: AsyncConnection, target: str) -> Observation | None:
    """See `Fleet.observation`."""
    query = select(target_observations).where(target_observations.c.target == target)
    readings = (await connection.execute(query.order_by(target_observations.c.sequence.desc()))).all()
    if not readings:
        return None
    newest = readings[0]
    said_by = next((row for row in readings if row.deployment == WHOLE_TARGET), newest)
    held = select(copies).where(copies.c.target == target).order_by(copies.c.host, copies.c.id)
    return Observation(
        target=target,
        sequence=said_by.sequence,
        at=said_by.at,
        hosts=tuple(ObservedHost.model_validate(host) for host in newest.hosts),
        differences=tuple(one for found in differences_of(readings).values() for one in found),
        copies=tuple(copy_of(row) for row in (await connection.execute(held)).mappings()),
    )


def differences_of(readings: Iterable[Any]) -> dict[str, outside.Differences]:
    """Deployment → what somebody else changed of it, as the newest of these readings of a target says that covers it.

    Args:
        readings: rows of `target_observations`, of one target.
    """
    found: dict[str, outside.Differences] = {}
    for row in sorted(readings, key=lambda row: int(row.sequence)):
        said = outside.by_deployment(Difference.model_validate(one) for one in row.differences)
        covered = found.keys() | said.keys() if row.deployment == WHOLE_TARGET else {row.deployment}
        found |= {name: said.get(name, ()) for name in covered}
    return {name: differences for name, differences in sorted(found.items()) if differences}


def copy_of(row: Any) -> Copy:
    """A row of `copies` as a value."""
    return Copy.model_validate(dict(row))


async def _readings(connection: AsyncConnection, target: str, scope: str) -> Sequence[Any]:
    """The newest reading of each scope, of those that say whether a reading of `scope` is news.

    A reading of one deployment needs two of them, however many deployments the target has.
    """
    readings = target_observations.c
    query = select(readings.deployment, readings.sequence, readings.differences).where(readings.target == target)
    if scope != WHOLE_TARGET:
        query = query.where(readings.deployment.in_((WHOLE_TARGET, scope)))
    return (await connection.execute(query)).all()


async def _save_copies(connection: AsyncConnection, observation: Observation, covered: set[str]) -> bool:
    """Bring the rows to what was observed, of deployments not covered; says whether gateways must hear of it."""
    query = select(copies).where(copies.c.target == observation.target)
    if observation.deployment is not None:
        query = query.where(copies.c.deployment == observation.deployment)
    rows = (await connection.execute(query)).mappings()
    stored = {copy.id: copy for copy in map(copy_of, rows) if copy.deployment not in covered}
    seen = {copy.id: copy for copy in observation.copies if copy.deployment not in covered}

    if gone := sorted(stored.keys() - seen.keys()):
        theirs = (copies.c.target == observation.target) & copies.c.id.in_(gone)
        await connection.execute(delete(copies).where(theirs))
    if new := [as_row(seen[name], copies, target=observation.target) for name in sorted(seen.keys() - stored.keys())]:
        await connection.execute(insert(copies), new)
    for name in sorted(stored.keys() & seen.keys()):
        if stored[name] != seen[name]:
            await upsert(connection, copies, as_row(seen[name], copies, target=observation.target))
    await keep_startups(connection, observation.target, stored, seen)
    return _endpoints(stored.values()) != _endpoints(seen.values())


async def _save_upstreams(connection: AsyncConnection, observation: Observation) -> bool:
    """Keep where versions without addresses are asked; says whether gateways must hear of it.

    None is ever removed by a reading: a route may name a version that is on its way in or out.
    """
    if not observation.upstreams:
        return False
    query = select(upstreams.c.upstream).where(upstreams.c.target == observation.target)
    known = [Upstream.model_validate(row.upstream) for row in (await connection.execute(query)).all()]
    news = [one for one in observation.upstreams if one not in known]
    for one in news:
        key = {"target": observation.target, "deployment": one.deployment, "version": one.version}
        await upsert(connection, upstreams, {**key, "upstream": one.model_dump(mode="json")})
    return bool(news)


async def _save_reading(connection: AsyncConnection, observation: Observation, scope: str) -> None:
    row = as_row(observation, target_observations, deployment=scope)
    await upsert(connection, target_observations, row)
    if scope == WHOLE_TARGET:
        older = target_observations.c.sequence < observation.sequence
        ours = target_observations.c.target == observation.target
        await connection.execute(delete(target_observations).where(ours, older))


def _endpoints(observed: Iterable[Copy]) -> set[tuple[str, str, str, CopyState]]:
    """What the traffic plane makes of copies: where each version gets requests, or finishes them."""
    return {
        (copy.deployment, copy.version, copy.address, copy.state)
        for copy in observed
        if copy.address and copy.state in {CopyState.READY, CopyState.DRAINING}
    }
