"""Which ports the stack listens on, and who is in the way."""

import contextlib
import json
import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from longshore.stack.errors import StackError

DEFAULT_BASE = 8470
COUNT = 8
LOOPBACK = "127.0.0.1"

_AUTO_RANGE = range(20_000, 30_000 - COUNT, 10)
"""Below the ports that systems lend to outgoing connections (Linux from 32768), so that a kept one stays free."""

_AUTO_TRIES = 200


@dataclass(frozen=True)
class Ports:
    """Eight ports in a row; the last two are the emulator's, where there is one."""

    base: int

    @property
    def api(self) -> int:
        """REST API, events and web pages."""
        return self.base

    @property
    def gateway(self) -> int:
        """Envoy's listener: where requests to models go."""
        return self.base + 1

    @property
    def discovery(self) -> int:
        """Aggregated discovery service (gRPC), which configures Envoy."""
        return self.base + 2

    @property
    def envoy_admin(self) -> int:
        """Envoy's admin interface."""
        return self.base + 3

    @property
    def temporal(self) -> int:
        """Temporal's gRPC frontend."""
        return self.base + 4

    @property
    def temporal_ui(self) -> int:
        """Temporal's web interface."""
        return self.base + 5

    @property
    def emulator(self) -> int:
        """The SageMaker emulator: every AWS API that we use."""
        return self.base + 6

    @property
    def emulator_runtime(self) -> int:
        """The emulator's runtime: where models are invoked."""
        return self.base + 7


def free(port: int) -> bool:
    """Whether a port of the loopback interface can be bound now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def choose(home: Path, wanted: str | None, *, is_free: Callable[[int], bool] = free) -> Ports:
    """The ports of a home.

    Args:
        home: Where an earlier choice is kept (`ports.json`).
        wanted: `LONGSHORE_PORT_BASE`: a number, `auto`, or nothing. A number always holds. `auto` and nothing
            keep what the home has; without that `auto` picks eight free ones in a row, and nothing is 8470.
        is_free: Whether a port can be bound.

    Raises:
        StackError: `wanted` is no port, or nothing is free.
    """
    if wanted and wanted != "auto":
        return Ports(_number(wanted))
    kept = _kept(home)
    if kept is not None:
        return Ports(kept)
    return Ports(free_base(is_free) if wanted == "auto" else DEFAULT_BASE)


def keep(home: Path, ports: Ports) -> None:
    """Remember the ports for the next `up` of this home."""
    (home / "ports.json").write_text(json.dumps({"base": ports.base}))


def free_base(is_free: Callable[[int], bool] = free) -> int:
    """A port that is free with the seven after it, drawn at random: two that look at once seldom meet.

    Raises:
        StackError: none was found.
    """
    for base in random.sample(_AUTO_RANGE, _AUTO_TRIES):
        if all(is_free(base + offset) for offset in range(COUNT)):
            return base
    raise StackError(
        "no eight free ports in a row were found", "set LONGSHORE_PORT_BASE to the first of eight free ones"
    )


def holder(port: int) -> str | None:
    """Who listens on a port, as far as this user may know: `nginx (pid 812)`."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def in_use(port: int, use: str) -> StackError:
    """The error that names a port in use, who has it, and ports that would do."""
    who = holder(port) or "another user's process"
    return StackError(
        f"port {port} ({use}) is in use by {who}",
        f"stop it, or choose other ports: LONGSHORE_PORT_BASE={free_base()} longshore up",
    )


def _number(wanted: str) -> int:
    try:
        base = int(wanted)
    except ValueError:
        base = 0
    if not 1024 <= base <= 65_535 - COUNT:
        raise StackError(
            f"LONGSHORE_PORT_BASE={wanted} is no port", f"set it to a number from 1024 to {65_535 - COUNT}, or to auto"
        )
    return base


def _kept(home: Path) -> int | None:
    try:
        base = json.loads((home / "ports.json").read_text())["base"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return base if isinstance(base, int) else None


def base_from_environment() -> str | None:
    """`LONGSHORE_PORT_BASE`, or nothing."""
    return os.environ.get("LONGSHORE_PORT_BASE") or None
