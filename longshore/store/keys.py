"""API keys: high-entropy tokens, of which only the digest is kept."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, update

from longshore.store.database import Database
from longshore.store.records import ApiKey
from longshore.store.statements import as_row, insert_once
from longshore.store.tables import api_keys

PREFIX: Final = "lsk"
"""Begins every key, so that scanners of leaked secrets can know one."""
SECRET_BYTES: Final = 32
"""256 random bits need no slow hash: guessing is hopeless at any speed."""


class Keys:
    """Makes, verifies and revokes API keys. A key reads `lsk_<id>_<secret>`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, roles: tuple[str, ...] = ("admin",)) -> tuple[ApiKey, str]:
        """Make a key. The plaintext is in this answer and nowhere else."""
        key = ApiKey(id=secrets.token_hex(6), name=name, roles=roles, created_at=datetime.now(UTC))
        plaintext = f"{PREFIX}_{key.id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        async with self._database.transaction() as connection:
            await insert_once(connection, api_keys, as_row(key, api_keys, digest=_digest(plaintext)))
        return key, plaintext

    async def verify(self, plaintext: str) -> ApiKey | None:
        """The key, unless it is unknown or revoked. Takes as long for a wrong secret as for a right one."""
        prefix, _, rest = plaintext.partition("_")
        id_, _, _ = rest.partition("_")
        if prefix != PREFIX or not id_.isascii() or not id_.isalnum():
            return None
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(api_keys).where(api_keys.c.id == id_))).mappings().first()
        right = hmac.compare_digest(row["digest"] if row else _digest(""), _digest(plaintext))
        return ApiKey.model_validate(dict(row)) if row and right and row["revoked_at"] is None else None

    async def revoke(self, id: str) -> bool:
        """Let a key no longer pass. Says whether it did until now."""
        valid = (api_keys.c.id == id) & api_keys.c.revoked_at.is_(None)
        async with self._database.transaction() as connection:
            change = update(api_keys).where(valid).values(revoked_at=datetime.now(UTC))
            return bool((await connection.execute(change)).rowcount)

    async def list(self) -> Sequence[ApiKey]:
        """All keys, revoked ones too, oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
            return [ApiKey.model_validate(dict(row)) for row in rows.mappings()]


def _digest(plaintext: str) -> str:
    return hashlib.sha256(plaintext.encode()).hexdigest()
