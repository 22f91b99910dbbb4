"""Models and their immutable versions."""

from fastapi import APIRouter

from longshore.api.answers import ModelAnswer, ModelVersionAnswer, Page
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Deps
from longshore.api.problems import not_found
from longshore.api.requests import Part, page_of
from longshore.spec.quantities import Name, Version
from longshore.store.models import ModelVersionRow

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(deps: Deps, _: Reader, part: Part) -> Page[ModelAnswer]:
    """All models with their versions, by name."""
    versions: dict[str, list[str]] = {}
    for row in await deps.store.models.list():
        versions.setdefault(row.model, []).append(row.version)
    return page_of(
        versions.items(),
        lambda item: item[0],
        lambda item: ModelAnswer(name=item[0], versions=tuple(item[1])),
        part,
    )


@router.get("/{model}/versions")
async def list_versions(deps: Deps, _: Reader, model: Name, part: Part) -> Page[ModelVersionAnswer]:
    """The versions of one model, by label."""
    rows = await deps.store.models.list(model)
    if not rows:
        raise not_found("model", model)
    return page_of(rows, lambda row: row.version, _answer, part)


@router.get("/{model}/versions/{version}")
async def get_version(deps: Deps, _: Reader, model: Name, version: Version) -> ModelVersionAnswer:
    """One version."""
    row = await deps.store.models.get(model, version)
    if row is None:
        raise not_found("version", f"{model}/{version}")
    return _answer(row)


def _answer(row: ModelVersionRow) -> ModelVersionAnswer:
    return ModelVersionAnswer(model=row.model, version=row.version, spec=row.spec)
