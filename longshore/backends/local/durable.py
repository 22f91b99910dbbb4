"""What survives any crash of the agent: one JSON file per deployment, each written whole or not at all."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from longshore.backends.local.record import DeploymentState
from longshore.spec.target import Host

_HOSTS = TypeAdapter(tuple[Host, ...])
_SAFE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
_SEQUENCE_BLOCK = 60_000_000
"""Sequence numbers (microseconds) claimed by one write to disk."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that after a crash it holds the old content or the new, and the new once this returned.

    Raises:
        OSError: it could not be written; the old content stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class StateError(Exception):
    """A file of the agent's state is not one; one line for a person."""


class Durable:
    """The agent's memory: states and hosts by target, in memory and, before that, on disk.

    Every change is on disk before anybody sees it. The writes are a few kilobytes, and are made in the event loop on
    purpose: nothing can come between a decision, its record and what is done about it.
    """

    def __init__(self, folder: Path) -> None:
        """Read what is on disk.

        Raises:
            StateError: a file is damaged.
        """
        self._deployments = folder / "deployments"
        self._targets = folder / "targets"
        self._ceiling_file = folder / "sequence"
        self._states: dict[tuple[str, str], DeploymentState] = {}
        self._hosts: dict[str, tuple[Host, ...]] = {}
        for path in sorted(self._deployments.glob("*/*.json")):
            with _naming(path):
                state = DeploymentState.model_validate_json(path.read_bytes())
            self._states[state.target, state.deployment] = state
        for path in sorted(self._targets.glob("*.json")):
            with _naming(path):
                self._hosts[path.stem] = _HOSTS.validate_json(path.read_bytes())
        with _naming(self._ceiling_file):
            self._ceiling = int(self._ceiling_file.read_text()) if self._ceiling_file.exists() else 0
        self._sequence = self._ceiling

    def states(self) -> list[DeploymentState]:
        """All that is known, of all targets."""
        return list(self._states.values())

    def state(self, target: str, deployment: str) -> DeploymentState:
        """What is known of a deployment; of an unknown one, nothing."""
        known = self._states.get((target, deployment))
        return known or DeploymentState(target=target, deployment=deployment)

    def save(self, state: DeploymentState) -> None:
        """Remember a deployment's state.

        Raises:
            OSError: it could not be written; the old state stands, on disk and here.
        """
        key = state.target, state.deployment
        if self._states.get(key) == state:
            return
        path = self._deployments / _file_name(state.target) / f"{_file_name(state.deployment)}.json"
        write_atomically(path, _json(state.model_dump(mode="json")))
        self._states[key] = state

    def hosts(self, target: str) -> tuple[Host, ...]:
        """A target's declared hosts; empty: those the machine has."""
        return self._hosts.get(target, ())

    def save_hosts(self, target: str, hosts: tuple[Host, ...]) -> None:
        """Remember a target's declared hosts."""
        if self._hosts.get(target) == hosts:
            return
        path = self._targets / f"{_file_name(target)}.json"
        write_atomically(path, _json(_HOSTS.dump_python(hosts, mode="json")))
        self._hosts[target] = hosts

    def next_sequence(self) -> int:
        """A number above every one given before, across restarts and steps of the clock; microseconds, about.

        A block is claimed on disk before its first number is given, so a minute's readings cost one write.
        """
        self._sequence = max(time.time_ns() // 1000, self._sequence + 1)
        if self._sequence > self._ceiling:
            ceiling = self._sequence + _SEQUENCE_BLOCK
            write_atomically(self._ceiling_file, str(ceiling).encode())
            self._ceiling = ceiling
        return self._sequence


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file it is. To go on without it would mean to end its copies as nobody's."""
    try:
        yield
    except ValueError as error:
        cause = str(error).partition("\n")[0]
        raise StateError(f"{path} is damaged ({cause}): restore it, or remove it to end its copies") from None


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _file_name(name: str) -> str:
    """The name itself, which manifests have checked; checked again, for here it becomes a path."""
    if not _SAFE.fullmatch(name):
        raise ValueError(f"{name!r} is not a name")
    return name
