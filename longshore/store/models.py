"""Registered model versions: immutable."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec
from longshore.store.database import Database
from longshore.store.errors import ConflictError
from longshore.store.statements import as_row, insert_once
from longshore.store.tables import model_versions


class ModelVersionRow(Value):
    """A model version as it was registered."""

    model: str
    version: str
    spec: ModelVersionSpec
    actor: str
    registered_at: datetime


class Models:
    """Registers model versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, model: str, version: str, spec: ModelVersionSpec, actor: str) -> bool:
        """Register a version. Says whether it is new; the same content again is no change.

        Raises:
            ConflictError: other content is registered under this name and version; names the first difference.
        """
        row = ModelVersionRow(model=model, version=version, spec=spec, actor=actor, registered_at=datetime.now(UTC))
        async with self._database.transaction() as connection:
            if await insert_once(connection, model_versions, as_row(row, model_versions)):
                return True
            rows = await connection.execute(_one(model, version))
            stored = ModelVersionRow.model_validate(dict(rows.mappings().one()))
        if stored.spec == spec:
            return False
        field = first_difference(stored.spec.model_dump(mode="json"), spec.model_dump(mode="json")) or "spec"
        raise ConflictError(
            f"version {version} of {model} is registered with another {field}, and versions never change: "
            "register it under a new version"
        )

    async def get(self, model: str, version: str) -> ModelVersionRow | None:
        """One version; None when it is not registered."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_one(model, version))).mappings().first()
        return ModelVersionRow.model_validate(dict(row)) if row else None

    async def list(self, model: str | None = None) -> Sequence[ModelVersionRow]:
        """All versions, or one model's, by model and version label."""
        query = select(model_versions).order_by(model_versions.c.model, model_versions.c.version)
        if model is not None:
            query = query.where(model_versions.c.model == model)
        async with self._database.transaction() as connection:
            rows = await connection.execute(query)
            return [ModelVersionRow.model_validate(dict(row)) for row in rows.mappings()]


def first_difference(stored: Any, new: Any, path: str = "spec") -> str | None:
    """The path of the first field, in the manifest's order, in which two JSON values differ; None for equal ones."""
    if isinstance(stored, dict) and isinstance(new, dict):
        steps = ((f"{path}.{name}", stored.get(name), new.get(name)) for name in {**new, **stored})
    elif isinstance(stored, list) and isinstance(new, list) and len(stored) == len(new):
        steps = ((f"{path}[{index}]", *pair) for index, pair in enumerate(zip(stored, new, strict=True)))
    else:
        return None if stored == new else path
    return next((found for step, one, other in steps if (found := first_difference(one, other, step))), None)


def _one(model: str, version: str) -> Any:
    return select(model_versions).where(model_versions.c.model == model, model_versions.c.version == version)
