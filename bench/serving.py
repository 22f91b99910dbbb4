"""A deployment to measure: one copy of `upstream.py`, live on a whole stack of the benchmark's own."""

import hashlib
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measured import stack

from longshore.settings import Settings

NAME = "echo"
LONGSHORE = str(Path(sysconfig.get_path("scripts")) / "longshore")
UPSTREAM = Path(__file__).with_name("upstream.py")
WITHIN = 120.0
"""Seconds for a command of ours."""


@contextmanager
def served() -> Iterator[Settings]:
    """A stack with the deployment `echo` live on it."""
    with stack() as settings:
        documents = "\n---\n".join(json.dumps(document) for document in _documents())
        longshore("apply", "-f", "-", "--wait", given=documents)
        yield settings


def longshore(*arguments: str, given: str = "") -> str:
    """What a command of ours writes to stdout; what goes wrong is for people to read."""
    command = [LONGSHORE, *arguments]
    ran = subprocess.run(command, input=given, text=True, stdout=subprocess.PIPE, timeout=WITHIN, check=True)
    return ran.stdout


def _documents() -> list[dict[str, Any]]:
    digest = f"sha256:{hashlib.sha256(UPSTREAM.read_bytes()).hexdigest()}"
    server = {"command": [sys.executable, "$(MODEL_PATH)"], "ready": "/", "protocol": "http"}
    artifact, resources = {"uri": UPSTREAM.as_uri(), "digest": digest}, {"accelerators": 1}
    return [
        {"kind": "Target", "metadata": {"name": "here"}, "spec": {"backend": "local", "hosts": [_HOST]}},
        {
            "kind": "ModelVersion",
            "metadata": {"model": NAME, "version": "1"},
            "spec": {"artifact": artifact, "server": server, "resources": resources},
        },
        {
            "kind": "Deployment",
            "metadata": {"name": NAME},
            "spec": {"target": "here", "model": NAME, "version": "1", "copies": 1, "rollout": {"bake": "0s"}},
        },
    ]


_HOST = {"name": "a", "accelerators": 2}
