"""Copies that a deployment lacks, and whether there is room for them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.shortage import no_place
from longshore.spec.model_version import ModelVersionSpec, Resources
from longshore.store.records import View
from longshore.store.tables import copies, model_versions


async def with_reasons(connection: AsyncConnection, views: Sequence[View]) -> list[View]:
    """The views; where fewer copies are there than are desired, with why no more start.

    That is rare, and only then is it looked what all of the target's copies hold.
    """
    lacking = [one for one in views if one.hosts and one.row.version and len(one.copies) < one.row.spec.copies]
    if not lacking:
        return list(views)
    held = await _held(connection, {view.row.target for view in lacking})
    needs = await _needs(connection, lacking)
    reasons = {
        view.row.name: no_place(needs[key], view.row.target, view.hosts, held[view.row.target])
        for view in lacking
        if (key := (view.row.model, view.row.version)) in needs
    }
    return [view.model_copy(update={"no_place": reasons.get(view.row.name)}) for view in views]


async def _held(connection: AsyncConnection, targets: set[str]) -> defaultdict[str, Counter[str]]:
    """Target → host → accelerators that copies hold, in whatever state they are."""
    query = select(copies.c.target, copies.c.host, copies.c.accelerators).where(copies.c.target.in_(targets))
    held: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for target, host, accelerators in (await connection.execute(query)).all():
        held[target][host] += len(accelerators)
    return held


async def _needs(connection: AsyncConnection, views: Iterable[View]) -> dict[tuple[str, str | None], Resources]:
    """(model, version) → what a copy of it needs."""
    table, wanted = model_versions, {(view.row.model, view.row.version) for view in views}
    query = select(table.c.model, table.c.version, table.c.spec).where(
        tuple_(table.c.model, table.c.version).in_(wanted)
    )
    rows = (await connection.execute(query)).all()
    return {(model, version): ModelVersionSpec.model_validate(spec).resources for model, version, spec in rows}
