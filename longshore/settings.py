"""Where everything is: addresses and folders from the environment, with the embedded stack's as defaults.

Standard library only: every part of the stack reads it as it starts. What a client alone needs is in home.py.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from longshore import __version__
from longshore.home import DEFAULT_API_URL, admin_key_file, api_key, home_folder, stack_file

__all__ = ["Settings", "home_folder"]


@dataclass(frozen=True)
class Settings:
    """Addresses and folders of one Longshore. What the environment leaves out comes from the stack that is up."""

    home: Path
    database_url: str | None
    """`postgresql://…` as psycopg understands it."""
    temporal_address: str
    temporal_namespace: str
    temporal_ui_url: str | None
    api_url: str
    """Where clients find the API."""
    api_listen: str
    """`host:port` the API binds."""
    discovery_listen: str
    """`host:port` where Envoys find the aggregated discovery service."""
    gateway_url: str | None
    """Where requests to models go: Envoy's listener."""
    agent_socket: Path
    """Unix socket of the agent that owns this machine's serving processes."""
    build_id: str
    """Build of the worker for Temporal's Worker Versioning; operations are pinned, so there is always one."""
    prices: Path | None = None
    """A file of prices that come before those that plans know anyway."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment, then the running stack's own file (`run/stack.json`), then the defaults."""
        home = home_folder()
        stack = stack_file(home)

        def value(name: str, key: str, default: Any) -> Any:
            return os.environ.get(name) or stack.get(key) or default

        return cls(
            home=home,
            database_url=value("LONGSHORE_DATABASE_URL", "databaseUrl", None),
            temporal_address=value("TEMPORAL_ADDRESS", "temporalAddress", "127.0.0.1:8474"),
            temporal_namespace=value("TEMPORAL_NAMESPACE", "temporalNamespace", "default"),
            temporal_ui_url=value("LONGSHORE_TEMPORAL_UI_URL", "temporalUiUrl", None),
            api_url=value("LONGSHORE_API_URL", "apiUrl", DEFAULT_API_URL),
            api_listen=value("LONGSHORE_API_LISTEN", "apiListen", "127.0.0.1:8470"),
            discovery_listen=value("LONGSHORE_DISCOVERY_LISTEN", "discoveryListen", "127.0.0.1:8472"),
            gateway_url=value("LONGSHORE_GATEWAY_URL", "gatewayUrl", None),
            agent_socket=Path(value("LONGSHORE_AGENT_SOCKET", "agentSocket", str(home / "run" / "agent.sock"))),
            build_id=os.environ.get("LONGSHORE_BUILD_ID") or f"longshore-{__version__}",
            prices=Path(prices) if (prices := os.environ.get("LONGSHORE_PRICES")) else None,
        )

    @property
    def admin_key_file(self) -> Path:
        """The file (0600) in which `up` leaves the admin's API key."""
        return admin_key_file(self.home)

    @property
    def secrets(self) -> Path:
        """Folder (0700) of the local backend's secrets: one file of KEY=value lines each."""
        return self.home / "secrets"

    def api_key(self) -> str | None:
        """`LONGSHORE_API_KEY`, else the admin key that `up` made, if this user may read it."""
        return api_key(self.home)
