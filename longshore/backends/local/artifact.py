"""Artifacts on this machine: where they lie, and whether they are what was pinned."""

import asyncio
import hashlib
import os
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from longshore.spec.model_version import Artifact

_SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was read may change again without a new time stamp: not remembered."""

Signature = tuple[tuple[str, int, int, int, int, int], ...]


class ArtifactError(Exception):
    """An artifact is not there, or not what was pinned. `reason` is `ArtifactMissing` or `DigestMismatch`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def path_of(uri: str) -> Path:
    """The path of a `file://` URI.

    Raises:
        ArtifactError: it is no file on this machine.
    """
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise ArtifactError("ArtifactMissing", f"{uri} is not on this machine: the local backend takes file:///path")
    return Path(url2pathname(parts.path))


def digest_of(path: Path) -> str:
    """`sha256:…` of a file; of a folder, of its sorted `<hex digest>  <relative path>` lines.

    For a folder that is what `find * -type f | xargs sha256sum | LC_ALL=C sort | sha256sum` says inside it.

    Raises:
        ArtifactError: nothing is there, or a folder has links to folders, whose content nothing would pin.
        OSError: it cannot be read.
    """
    if path.is_file():
        return f"sha256:{_hex(path)}"
    lines = sorted(os.fsencode(f"{_hex(path / name)}  {name}\n") for name in _files_under(path))
    return f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}"


class Artifacts:
    """Verifies artifacts before they are served, each content once: reading 100 GB for every copy would take minutes.

    A result stands while no file's inode, size or times have changed; the change time cannot be set by a program.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Signature, str]] = {}
        self._reading: dict[Path, asyncio.Task[str]] = {}

    async def verify(self, artifact: Artifact) -> Path:
        """Check an artifact against its digest and say where it lies.

        Raises:
            ArtifactError: it is missing, unreadable, or other than what was pinned.
        """
        path = path_of(artifact.uri)
        reading = self._reading.get(path)
        if reading is None:
            reading = asyncio.create_task(asyncio.to_thread(self._digest, path))
            self._reading[path] = reading
            reading.add_done_callback(lambda _: self._reading.pop(path, None))
        # Shielded: one asker who gives up must not end the reading that others wait for.
        digest = await asyncio.shield(reading)
        if digest != artifact.digest:
            raise ArtifactError("DigestMismatch", f"{path} is {digest}, and {artifact.digest} was pinned")
        return path

    def _digest(self, path: Path) -> str:
        try:
            before, asked = _signature(path), time.time_ns()
            known = self._known.get(path)
            if known is not None and known[0] == before:
                return known[1]
            digest = digest_of(path)
            settled = all(asked - max(entry[-2:]) > _SETTLED_NS for entry in before)
            if settled and _signature(path) == before:
                self._known[path] = (before, digest)
        except OSError as error:
            raise ArtifactError("ArtifactMissing", f"{path} cannot be read: {error.strerror}") from None
        return digest


def _hex(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_under(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise ArtifactError("ArtifactMissing", f"{folder} is not there")
    names = []
    for root, folders, files in os.walk(folder):
        for name in folders:
            if (Path(root) / name).is_symlink():
                raise ArtifactError("ArtifactMissing", f"{Path(root) / name} links to a folder: copy it there instead")
        names += [(Path(root) / name).relative_to(folder).as_posix() for name in files]
    return names


def _signature(path: Path) -> Signature:
    names = [""] if path.is_file() else _files_under(path)
    found = [(name, (path / name).stat()) for name in sorted(names)]
    return tuple((name, at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for name, at in found)
