"""Homes for stacks: short paths, ports of their own, nothing left behind."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack_processes import processes_of

from longshore.settings import Settings
from longshore.stack.down import down


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a home, named by the environment; no stack is up."""
    for name in list(os.environ):
        if name.startswith(("LONGSHORE_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))  # short, for sockets lie in it
    monkeypatch.setenv("LONGSHORE_HOME", str(folder))
    monkeypatch.setenv("LONGSHORE_PORT_BASE", "auto")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(home: Path) -> Iterator[Settings]:
    """Settings of a home whose stack, if a test starts one, is gone afterwards, whatever happened to it."""
    settings = Settings.from_environment()
    yield settings
    down(settings, purge=True)
    assert processes_of(home) == []
