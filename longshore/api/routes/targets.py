"""Targets: what is registered, and what was last observed there."""

from collections import Counter

from fastapi import APIRouter

from longshore.api.answers import ChangeAnswer, HostAnswer, Page, TargetAnswer
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Deps
from longshore.api.problems import not_found
from longshore.api.repeating import Asked, once
from longshore.api.requests import Part, page_of
from longshore.planning.observed import Observation
from longshore.spec.quantities import Name
from longshore.store.targets import TargetRow

router = APIRouter(prefix="/v1/targets", tags=["targets"])


@router.get("")
async def list_targets(deps: Deps, _: Reader, part: Part) -> Page[TargetAnswer]:
    """All targets, by name."""
    rows = await deps.store.targets.list()
    observations = {row.name: await deps.store.fleet.observation(row.name) for row in rows}
    return page_of(rows, lambda row: row.name, lambda row: _answer(row, observations[row.name]), part)


@router.get("/{target}")
async def get_target(deps: Deps, _: Reader, target: Name) -> TargetAnswer:
    """One target."""
    row = await deps.store.targets.get(target)
    if row is None:
        raise not_found("target", target)
    return _answer(row, await deps.store.fleet.observation(target))


@router.delete("/{target}")
async def delete_target(deps: Deps, asked: Asked, target: Name) -> ChangeAnswer:
    """Forget a target that no deployment uses. What is gone already is no change."""

    async def delete() -> ChangeAnswer:
        changed = await deps.store.targets.delete(target)
        message = f"target {target} is deleted" if changed else f"there is no target {target}"
        return ChangeAnswer(changed=changed, message=message)

    return await once(deps, asked, ChangeAnswer, delete)


def _answer(row: TargetRow, observation: Observation | None) -> TargetAnswer:
    held = Counter[str]()
    for copy in observation.copies if observation else ():
        held[copy.host] += len(copy.accelerators)
    hosts = observation.hosts if observation else ()
    return TargetAnswer(
        name=row.name,
        spec=row.spec,
        hosts=tuple(HostAnswer(**host.model_dump(), held=held[host.name]) for host in hosts),
        observed_at=observation.at if observation else None,
        trouble=row.trouble,
        trouble_since=row.trouble_since,
    )
