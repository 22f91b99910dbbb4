"""The home folder, and what the stack that is up says of itself: enough for a client to find the API.

Apart from settings.py because `longshore get` reads it on every call and `dataclasses` alone takes 11 ms to import.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

DEFAULT_API_URL = "http://127.0.0.1:8470"


def home_folder() -> Path:
    """`LONGSHORE_HOME`; else `/var/lib/longshore` for root, the XDG data folder (or the system's own) for others."""
    if chosen := os.environ.get("LONGSHORE_HOME"):
        return Path(chosen).expanduser().absolute()
    if sys.platform != "darwin" and hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/longshore")
    if data := os.environ.get("XDG_DATA_HOME"):
        return Path(data) / "longshore"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "longshore"
    return Path.home() / ".local" / "share" / "longshore"


def stack_file(home: Path) -> dict[str, Any]:
    """What the running stack says of itself, or nothing."""
    try:
        content = json.loads((home / "run" / "stack.json").read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def admin_key_file(home: Path) -> Path:
    """The file (0600) in which `up` leaves the admin's API key."""
    return home / "admin.key"


def api_url(home: Path) -> str:
    """Where clients find the API: `LONGSHORE_API_URL`, else the running stack's, else the default port."""
    return os.environ.get("LONGSHORE_API_URL") or stack_file(home).get("apiUrl") or DEFAULT_API_URL


def api_key(home: Path) -> str | None:
    """`LONGSHORE_API_KEY`, else the admin key that `up` made, if this user may read it."""
    if key := os.environ.get("LONGSHORE_API_KEY"):
        return key
    try:
        return admin_key_file(home).read_text().strip() or None
    except OSError:
        return None
