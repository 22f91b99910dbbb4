"""The command and environment a copy is started with. No shell ever sees them."""

import os
import re
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from longshore.backends.local.record import LOOPBACK, CopyRecord
from longshore.backends.port import CopiesLevel
from longshore.spec.base import Value
from longshore.spec.model_version import Server

COPY_ID = "LONGSHORE_COPY_ID"
AGENT = "LONGSHORE_AGENT"
"""Which agent owns the copy: its state folder. Two agents on one machine must not take each other's copies."""
DIGEST = "LONGSHORE_MODEL_DIGEST"
"""The digest the agent verified right before the start; the shipped server checks it against the bytes it loads."""

_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_REFERENCE = re.compile(r"\$\(([A-Z_]+)\)")
_EXPANDED = ("PORT", "MODEL_PATH", "MODEL_NAME", "MODEL_VERSION")


class CommandMissingError(Exception):
    """The command's program is not there."""


class Invocation(Value):
    """What is executed: never logged and never kept, for its environment holds secrets."""

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


def invocation_of(
    copy: CopyRecord, level: CopiesLevel, model_path: Path, secret: Mapping[str, str], agent: Path
) -> Invocation:
    """How a copy is started.

    The environment is small on purpose: the agent's own holds addresses and keys that are no model's business.
    What Longshore sets wins over the manifest's, for exclusive accelerators and the loopback depend on it.

    Raises:
        CommandMissingError: the program is not on the copy's PATH.
    """
    given = {
        "PORT": str(copy.port),
        "HOST": LOOPBACK,
        "MODEL_PATH": str(model_path),
        "MODEL_NAME": copy.model,
        "MODEL_VERSION": copy.version,
        "CUDA_VISIBLE_DEVICES": copy.slot.cuda_visible_devices,
        COPY_ID: copy.id,
        AGENT: str(agent),
        DIGEST: level.spec.artifact.digest,
    }
    environment = {**_base(), **level.spec.server.env, **secret, **given}
    environment["PATH"] = _path(level.spec.server)
    values = {name: given[name] for name in _EXPANDED}
    arguments = tuple(_expand(argument, values) for argument in level.spec.server.command)
    return Invocation(program=_program(arguments[0], environment["PATH"]), arguments=arguments, environment=environment)


def require_program(server: Server) -> None:
    """Check that the command's program is there.

    Raises:
        CommandMissingError: it is not.
    """
    _program(server.command[0], _path(server))


def _base() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # Otherwise a Python server's last words before it dies stay in its buffer.
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def _path(server: Server) -> str:
    """The search path, with the programs installed beside Longshore first: `longshore-serve` is one."""
    path = server.env.get("PATH") or os.environ.get("PATH") or os.defpath
    return os.pathsep.join((sysconfig.get_path("scripts"), path))


def _program(name: str, path: str) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        raise CommandMissingError(f"{name} is not a program on this machine: install it, or give its absolute path")
    return found


def _expand(argument: str, values: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: values.get(match[1], match[0]), argument)
