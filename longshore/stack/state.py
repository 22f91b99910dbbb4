"""`run/stack.json`: what the running stack says of itself."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass
class PartState:
    """One part as its supervisor sees it."""

    state: str = "waiting"
    """waiting, starting, ready, done, restarting, failed, stopped."""
    pid: int | None = None
    restarts: int = 0
    message: str | None = None
    """One line, when it is not well."""

    @property
    def well(self) -> bool:
        """Whether it does what it is there for."""
        return self.state in {"ready", "done"}


@dataclass(frozen=True)
class StackState:
    """The file as a value."""

    version: str
    supervisor: int
    addresses: dict[str, Any]
    """Keys as `longshore.settings` reads them, and webUrl, gatewayUrl, envoyAdminUrl and portBase."""
    parts: dict[str, PartState]

    @property
    def ready(self) -> bool:
        """Whether every part is well."""
        return bool(self.parts) and all(part.well for part in self.parts.values())

    def write(self, file: Path) -> None:
        """Replace the file in one step; only its user may read it, for a database's address can hold a password."""
        content = {
            "version": self.version,
            "supervisor": self.supervisor,
            **self.addresses,
            "ready": self.ready,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
        }
        fresh = file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream, indent=2)
        fresh.replace(file)


def read(file: Path) -> StackState | None:
    """The state that a supervisor wrote last; None when there is none, or none that can be read."""
    try:
        content = json.loads(file.read_text())
        return StackState(
            version=content.pop("version"),
            supervisor=content.pop("supervisor"),
            parts={name: PartState(**part) for name, part in content.pop("parts").items()},
            addresses={key: value for key, value in content.items() if key != "ready"},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
