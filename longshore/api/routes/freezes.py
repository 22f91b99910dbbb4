"""Freezes: times in which no rollout begins."""

from fastapi import APIRouter

from longshore.api.answers import ChangeAnswer, FreezeAnswer, Page
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.problems import not_found
from longshore.api.repeating import AskedOverride, once
from longshore.api.requests import Part, page_of
from longshore.planning.freezes import holds_until
from longshore.spec.quantities import Name
from longshore.store.freezes import FreezeRow

router = APIRouter(prefix="/v1/freezes", tags=["freezes"])


@router.get("")
async def list_freezes(deps: Deps, _: Reader, part: Part) -> Page[FreezeAnswer]:
    """All freezes, by name."""
    return page_of(await deps.store.freezes.list(), lambda row: row.name, lambda row: _answer(row, deps), part)


@router.get("/{freeze}")
async def get_freeze(deps: Deps, _: Reader, freeze: Name) -> FreezeAnswer:
    """One freeze."""
    row = await deps.store.freezes.get(freeze)
    if row is None:
        raise not_found("freeze", freeze)
    return _answer(row, deps)


@router.delete("/{freeze}")
async def delete_freeze(deps: Deps, asked: AskedOverride, freeze: Name) -> ChangeAnswer:
    """Forget a freeze: what it held may begin, so it takes who may override. What is gone already is no change."""

    async def delete() -> ChangeAnswer:
        changed = await deps.store.freezes.delete(freeze)
        message = f"freeze {freeze} is deleted" if changed else f"there is no freeze {freeze}"
        return ChangeAnswer(changed=changed, message=message)

    return await once(deps, asked, ChangeAnswer, delete)


def _answer(row: FreezeRow, deps: Dependencies) -> FreezeAnswer:
    return FreezeAnswer(
        name=row.name,
        spec=row.spec,
        actor=row.actor,
        updated_at=row.updated_at,
        holds_until=holds_until(row.spec, deps.now()),
    )
