"""What copies write: a bounded file each, kept a while after the copy is gone."""

import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

from longshore.backends.local.limits import LOG_BYTES, LOG_BYTES_GONE, LOGS_OF_GONE_COPIES, TAIL_BYTES

_NOISE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
"""Terminal colours and control characters."""
_LONGEST_MESSAGE = 300


def copy_folder(agent: Path, copy_id: str) -> Path:
    """A copy's own folder, its working directory."""
    return agent / "copies" / copy_id


def log_path(agent: Path, copy_id: str) -> Path:
    """The file that a copy's standard output and error go to."""
    return copy_folder(agent, copy_id) / "log"


def open_log(agent: Path, copy_id: str) -> IO[bytes]:
    """The log, to be given to the process. Appended to, so that it can be cut short under a running process."""
    path = log_path(agent, copy_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def rotate(agent: Path, copy_id: str) -> None:
    """Bound a running copy's log.

    Its process holds the file open and outlives the agent, so the file is copied and cut short instead of renamed:
    lines written in between are lost.
    """
    path = log_path(agent, copy_id)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        shutil.copyfile(path, path.with_name("log.1"))
        os.truncate(path, 0)


def tail(agent: Path, copy_id: str, lines: int) -> list[str]:
    """The last lines of a copy's log, oldest first.

    Raises:
        FileNotFoundError: there is no such copy, and was none lately.
    """
    path = log_path(agent, copy_id)
    content = _end_of(path, TAIL_BYTES)
    older = path.with_name("log.1")
    if len(content) < TAIL_BYTES and older.exists():
        content = _end_of(older, TAIL_BYTES - len(content)) + content
    return content.decode(errors="replace").splitlines()[-lines:] if lines > 0 else []


def last_words(agent: Path, copy_id: str) -> str | None:
    """The last line that says something, fit for a message; None if there is none."""
    try:
        written = tail(agent, copy_id, lines=50)
    except OSError:
        return None
    said = (_NOISE.sub("", line).strip() for line in reversed(written))
    return next((line[:_LONGEST_MESSAGE] for line in said if line), None)


def shrink(agent: Path, copy_id: str, masked: Callable[[list[str]], list[str]]) -> None:
    """Keep only the end of the log of a copy whose process is gone, its secret masked while that is still known."""
    path = log_path(agent, copy_id)
    if not path.exists():
        return
    lines = _end_of(path, LOG_BYTES_GONE).decode(errors="replace").splitlines()
    path.write_text("".join(f"{line}\n" for line in masked(lines)))
    path.with_name("log.1").unlink(missing_ok=True)


def prune(agent: Path, present: Collection[str]) -> None:
    """Remove the folders of copies long gone, the oldest first."""
    gone = [path for path in (agent / "copies").glob("*") if path.name not in present]
    for path in sorted(gone, key=lambda path: path.stat().st_mtime)[:-LOGS_OF_GONE_COPIES]:
        shutil.rmtree(path, ignore_errors=True)


def _end_of(path: Path, count: int) -> bytes:
    """The last bytes of a file, from the beginning of a line on."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - count))
        content = file.read(count)
    if size > count:
        content = content.partition(b"\n")[2]
    return content
