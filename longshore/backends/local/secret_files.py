"""Secrets of the local backend: files of KEY=value lines that only their owner may read."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORTEST_MASKED = 4
"""Shorter values than this are not masked: they would mask half of every line."""


class SecretError(Exception):
    """A secret could not be used; the message never holds any of its content."""


def read_secret(folder: Path, name: str) -> dict[str, str]:
    """The variables of a secret. Empty lines and those that begin with # are skipped; values are taken as they are.

    Raises:
        SecretError: it is missing, others than its owner may read it, or a line is not KEY=value.
    """
    path = folder / name
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        raise SecretError(f"secret {name!r} is missing: write KEY=value lines to {path} and chmod 600 it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"secret {name!r} cannot be read from {path}: {type(error).__name__}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise SecretError(f"secret {name!r} may be read by others: chmod 600 {path}")
    variables = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise SecretError(f"{path}:{number}: not a KEY=value line")
        variables[key.strip()] = value.strip()
    return variables


def mask(text: str, secret: Mapping[str, str]) -> str:
    """The text with every value of the secret masked, for a server may print what it was given."""
    for value in sorted(secret.values(), key=len, reverse=True):
        if len(value) >= _SHORTEST_MASKED:
            text = text.replace(value, "•••")
    return text
