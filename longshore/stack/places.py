"""Where the embedded stack keeps what is its own: one home, and a short folder for its sockets."""

import contextlib
import os
import pwd
import secrets
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from longshore.stack.errors import StackError

MOST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
"""Bytes of a Unix socket's path without the closing zero (`sun_path`)."""

LEAST_FREE_BYTES = 256 * 2**20
"""Below this Postgres would soon stop in the middle of a write; 16 MiB a WAL segment, and some to run on."""

_ANOTHER_HOME = "set LONGSHORE_HOME to a folder that you may write"
_AGENT_SOCKET = "agent.sock"


@dataclass(frozen=True)
class Places:
    """Files and folders of one stack."""

    home: Path
    id: str
    """Drawn once a home. What has to live outside the home carries it, so that a new home never finds an old one's."""

    @classmethod
    def of(cls, home: Path) -> "Places":
        """The places of a home that `prepare` made, or of one that is not there yet."""
        try:
            identity = (home / "id").read_text().strip()
        except OSError:
            identity = "none"
        return cls(home=home, id=identity)

    @classmethod
    def prepare(cls, home: Path) -> Self:
        """Make the home, or take the one that is there.

        Raises:
            StackError: it cannot be written, has no room left, or is another user's.
        """
        try:
            home.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"the home {home} cannot be made ({_why(error)})", _ANOTHER_HOME) from None
        _check_owner(home)
        _check_room(home)
        try:
            if os.geteuid() == 0:
                home.chmod(home.stat().st_mode | stat.S_IXOTH)  # for Postgres's own account; what is in it stays closed
            for name in ("run", "run/locks", "logs", "secrets"):
                (home / name).mkdir(mode=0o700, exist_ok=True)
            identity = _identity(home / "id")
        except OSError as error:
            raise StackError(
                f"the home {home} cannot be written ({_why(error)})",
                _ANOTHER_HOME,
            ) from None
        return cls(home=home, id=identity)

    @property
    def run(self) -> Path:
        """What is true only while the stack runs."""
        return self.home / "run"

    @property
    def stack_file(self) -> Path:
        """What the running stack says of itself."""
        return self.run / "stack.json"

    @property
    def logs(self) -> Path:
        """One log a part."""
        return self.home / "logs"

    @property
    def temporal_database(self) -> Path:
        """The Temporal dev server's SQLite file."""
        return self.home / "temporal.db"

    @property
    def bootstrap_file(self) -> Path:
        """Envoy's bootstrap."""
        return self.home / "envoy" / "bootstrap.json"

    def lock(self, name: str) -> Path:
        """The lock that a part, or the supervisor, holds as long as it lives."""
        return self.run / "locks" / f"{name}.lock"

    def locks(self) -> list[Path]:
        """The locks of all parts that ever ran here, but not the supervisor's."""
        return [file for file in (self.run / "locks").glob("*.lock") if file.stem != "supervisor"]

    def log(self, name: str) -> Path:
        """The log of a part, or of the supervisor."""
        return self.logs / f"{name}.log"

    def socket_folders(self, name: str) -> list[Path]:
        """Folders outside the home for the sockets of a part whose home is too deep for a socket's path."""
        return [parent / f"longshore-{self.id}-{name}" for parent in _runtime_folders()]

    def agent_socket(self) -> Path:
        """The agent's socket, in a private folder: the home's own `run` where that is short enough.

        Raises:
            StackError: no folder is short enough and ours.
        """
        if fits(self.run / _AGENT_SOCKET):
            return self.run / _AGENT_SOCKET
        for folder in self.socket_folders("agent"):
            if fits(folder / _AGENT_SOCKET) and private_folder(folder):
                return folder / _AGENT_SOCKET
        raise self.too_long()

    def too_long(self) -> StackError:
        """The error of a home whose sockets find no place."""
        return StackError(
            f"LONGSHORE_HOME={self.home} is too long for a Unix socket ({MOST_SOCKET_PATH} bytes at most), "
            "and so is every runtime folder",
            "choose a shorter one, such as LONGSHORE_HOME=/tmp/longshore",
        )

    def outside(self) -> list[Path]:
        """Folders of this stack that are not below its home."""
        folders = {*self.socket_folders("agent"), *self.socket_folders("postgres"), shared_data(self.id)}
        return sorted(folder for folder in folders if folder.exists())

    def purge(self) -> None:
        """Remove what the stack and its agent wrote, and the home itself when nothing else is in it."""
        for folder in self.outside():
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            shared_data(self.id).parent.rmdir()  # unless another home's data is there
        for pattern in _OWNED:
            for path in self.home.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        for folder in (self.home / "secrets", self.home):  # secrets are people's: they stay, if there are any
            with contextlib.suppress(OSError):
                folder.rmdir()


_OWNED = (
    "run",
    "logs",
    "postgres",
    "envoy",
    "agent",
    "demo",
    "temporal.db*",
    "ports.json",
    "admin.key",
    "id",
)
"""Names in the home that are ours. A purge touches no other, for LONGSHORE_HOME may be a folder with more in it."""


def shared_data(identity: str) -> Path:
    """Where root's Postgres, which does not run as root, keeps its data when it may not enter the home."""
    return Path("/var/lib/longshore-postgres") / identity


def private_folder(folder: Path) -> bool:
    """Make a folder for this user alone, and say whether it is: `/tmp` is everybody's, and so are names in it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _runtime_folders() -> list[Path]:
    chosen = os.environ.get("XDG_RUNTIME_DIR")
    return [*([Path(chosen)] if chosen else []), Path("/tmp"), Path(tempfile.gettempdir())]  # noqa: S108 - made private


def fits(socket: Path) -> bool:
    """Whether a Unix socket can have this path."""
    return len(os.fsencode(socket)) <= MOST_SOCKET_PATH


def _check_owner(home: Path) -> None:
    owner = home.stat().st_uid
    if owner != os.geteuid():
        raise StackError(f"the home {home} belongs to {_user(owner)}", "set LONGSHORE_HOME to a folder of your own")


def _check_room(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE_BYTES:
        raise StackError(
            f"the disk of {home} is full ({free // 2**20} MiB left, {LEAST_FREE_BYTES // 2**20} MiB needed)",
            "free some space, or set LONGSHORE_HOME to a folder on another disk",
        )


def _identity(file: Path) -> str:
    """The home's id; the first of two that start at once wins."""
    with contextlib.suppress(FileExistsError):
        fresh = file.with_name(f"id.{os.getpid()}")
        fresh.write_text(secrets.token_hex(4))
        try:
            os.link(fresh, file)
        finally:
            fresh.unlink()
    return file.read_text().strip()


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _why(error: OSError) -> str:
    return error.strerror or str(error)
