"""What a database needs before anything serves from it: `python -m longshore.stack.setup`.

It brings the tables up to date and leaves the admin's API key in the home. Doing it again changes nothing.
"""

import asyncio
import os
import sys
from pathlib import Path

import structlog

from longshore.logs import configure_logs
from longshore.settings import Settings
from longshore.stack.errors import StackError
from longshore.stack.places import Places
from longshore.store.database import Database
from longshore.store.errors import StoreUnavailableError
from longshore.store.keys import Keys
from longshore.store.migrate import migrate

log = structlog.get_logger(__name__)


async def ensure_admin_key(keys: Keys, name: str, file: Path) -> bool:
    """Leave a valid admin key in a file, 0600; whether a new one was made.

    A key of this name whose file is lost, or was never written, is revoked: nobody has it, or nobody should.
    """
    found = await asyncio.to_thread(_read, file)
    if found and await keys.verify(found):
        return False
    for key in await keys.list():
        if key.name == name and key.revoked_at is None:
            await keys.revoke(key.id)
    _, plaintext = await keys.create(name)
    await asyncio.to_thread(_write, file, plaintext)
    return True


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


def _write(file: Path, content: str) -> None:
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(content)
    fresh.replace(file)


async def _set_up(settings: Settings, database_url: str) -> None:
    await asyncio.to_thread(migrate, database_url)
    database = Database.connect(database_url)
    try:
        name = f"admin@{Places.prepare(settings.home).id}"  # several homes may share a database
        made = await ensure_admin_key(Keys(database), name, settings.admin_key_file)
    finally:
        await database.dispose()
    log.info("the database is ready", admin_key="made" if made else "kept")


def main() -> int:
    """Set up the database of the environment."""
    configure_logs("setup")
    settings = Settings.from_environment()
    if settings.database_url is None:
        print("LONGSHORE_DATABASE_URL is not set: run longshore up", file=sys.stderr)  # noqa: T201
        return 1
    try:
        asyncio.run(_set_up(settings, settings.database_url))
    except (StoreUnavailableError, StackError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - one line, which the supervisor passes on
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
