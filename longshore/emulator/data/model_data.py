"""A model's data, brought from S3 into the folder of the copy that serves it.

Source: the shapes `ContainerDefinition.ModelDataUrl` (a .tar.gz) and `S3ModelDataSource` (an object or a prefix,
gzipped or not).
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

_ARCHIVES = (".tar.gz", ".tgz")


class ModelDataError(Exception):
    """Data that could not be brought; one line, as a `FailureReason` tells it."""


class ModelData(NamedTuple):
    """Where a model's data lie."""

    uri: str
    """`s3://bucket/key`: an archive that is unpacked (.tar.gz), any other object, or a prefix that ends in a slash."""

    @property
    def compressed(self) -> bool:
        """Whether it is an archive."""
        return self.uri.endswith(_ARCHIVES)

    @property
    def prefix(self) -> bool:
        """Whether all objects under it are meant."""
        return self.uri.endswith("/")


def bring(data: ModelData, folder: Path, s3: Any) -> None:
    """Put a model's data into a folder.

    Args:
        data: what to bring.
        folder: an empty folder that exists.
        s3: a client of S3.

    Raises:
        ModelDataError: they are not there, not readable, or not an archive that may be unpacked.
    """
    bucket, key = bucket_and_key(data.uri)
    try:
        for found in list(_keys(s3, bucket, key, prefix=data.prefix)):
            name = found.removeprefix(key).lstrip("/") if data.prefix else PurePosixPath(key).name
            target = _inside(folder, name or PurePosixPath(found).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, found, str(target))
            if data.compressed:
                _unpack(target, folder)
    except (BotoCoreError, ClientError, OSError) as error:
        raise ModelDataError(f"Failed to download model data from {data.uri}: {error}") from None


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of an S3 URI.

    Raises:
        ModelDataError: it is none.
    """
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise ModelDataError(f"{uri} is not in S3: it must be s3://bucket/key")
    return parts.netloc, parts.path.lstrip("/")


def _keys(s3: Any, bucket: str, key: str, *, prefix: bool) -> Iterator[str]:
    if not prefix:
        yield key
        return
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ()) if not entry["Key"].endswith("/")]
    if not keys:
        raise ModelDataError(f"Could not find model data at s3://{bucket}/{key}.")
    yield from keys


def _inside(folder: Path, name: str) -> Path:
    """The place of a file in a folder; keys may say `..`, and must not get out by it."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ModelDataError(f"The key {name!r} leaves the model's folder.")
    return target


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as file:
            file.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise ModelDataError(f"Model data {archive.name} is no .tar.gz that may be unpacked: {error}") from None
    archive.unlink()
