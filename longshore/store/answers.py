"""Answers to changes by their idempotency keys, so that a repeated request gets the same one."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select

from longshore.spec.base import Value
from longshore.store.database import Database
from longshore.store.statements import as_row, insert_once
from longshore.store.tables import answers

KEPT_FOR: Final = timedelta(days=1)
"""Who has not asked again by then does not wait for an answer any more."""


class KeptAnswer(Value):
    """What a request was answered."""

    caller: str
    """Id of the API key: two callers may choose the same idempotency key."""
    key: str
    request: str
    """Fingerprint of what was asked."""
    status: int
    body: dict[str, Any]
    at: datetime


class Answers:
    """Keeps answers for a day."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: str, key: str) -> KeptAnswer | None:
        """What this caller was answered under this key; None when it was not, or too long ago."""
        query = select(answers).where(answers.c.caller == caller, answers.c.key == key)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).mappings().first()
        return KeptAnswer.model_validate(dict(row)) if row else None

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer, unless there is one under its key; forget those that are too old."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(answers).where(answers.c.at < answer.at - KEPT_FOR))
            await insert_once(connection, answers, as_row(answer, answers))
