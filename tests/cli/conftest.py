"""The command line, run in this process against a server of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harbour import KEY, Cli, Harbour, Ran, serving

from longshore.cli.main import run


@pytest.fixture
def harbour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Harbour]:
    """A server that the environment names."""
    with serving(Harbour()) as served:
        monkeypatch.setenv("LONGSHORE_HOME", str(tmp_path))
        monkeypatch.setenv("LONGSHORE_API_URL", served.url)
        monkeypatch.setenv("LONGSHORE_API_KEY", KEY)
        yield served


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command."""

    def command(*arguments: str) -> Ran:
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return command
