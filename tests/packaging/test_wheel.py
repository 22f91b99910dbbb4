"""The wheel, as people get it: installed in an environment of its own, away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND_WITHIN = 240

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def uv() -> str:
    """uv, from the PATH or from `make setup`."""
    found = shutil.which("uv") or (str(ROOT / ".tools/bin/uv") if (ROOT / ".tools/bin/uv").exists() else None)
    if found is None:
        pytest.skip("needs uv: make setup")
    return found


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([uv, "build", "--wheel", "--out-dir", folder, ROOT], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(uv: str, wheel: Path) -> Iterator[Path]:
    """Folder of the programs of an environment in which the wheel, and what uv.lock says, is installed."""
    folder = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    locked = folder / "locked.txt"
    environment = folder / "environment"
    commands: list[list[str | Path]] = [
        [uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--project", ROOT, "-o", locked, "-q"],
        [uv, "venv", "--python", sys.executable, environment],
        [uv, "pip", "install", "-q", "--python", environment / "bin/python", "-r", locked],
        [uv, "pip", "install", "-q", "--python", environment / "bin/python", "--no-deps", wheel],
    ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    yield environment / "bin"
    shutil.rmtree(folder)


@pytest.fixture
def surroundings() -> Iterator[dict[str, str]]:
    """The environment of a user with a home of their own and no checkout, standing in an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    (folder / "empty").mkdir()
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    home = {"HOME": str(folder), "LONGSHORE_HOME": str(folder / "ls"), "LONGSHORE_PORT_BASE": "auto"}
    yield kept | home | {"PWD": str(folder / "empty")}
    shutil.rmtree(folder)


def longshore(installed: Path, surroundings: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [installed / "longshore", *arguments],
        env=surroundings,
        cwd=surroundings["PWD"],
        capture_output=True,
        text=True,
        timeout=COMMAND_WITHIN,
        check=False,
    )


def test_the_wheel_holds_what_runs_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"longshore", "workflows", "activities", "worker", "migrations"}
    assert "longshore/py.typed" in names
    assert any(name.startswith("migrations/versions/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_an_installed_longshore_comes_up_is_well_and_goes_down(installed: Path, surroundings: dict[str, str]) -> None:
    before = longshore(installed, surroundings, "doctor", "-o", "json")
    assert before.returncode == 1, before.stderr
    ailing = [check["name"] for check in json.loads(before.stdout)["checks"] if not check["ok"]]
    assert ailing == ["stack"], before.stdout
    try:
        up = longshore(installed, surroundings, "up")
        assert up.returncode == 0, up.stderr
        again = longshore(installed, surroundings, "up")
        assert again.returncode == 0, again.stderr
        after = longshore(installed, surroundings, "doctor", "-o", "json")
        assert after.returncode == 0, after.stdout
        listed = longshore(installed, surroundings, "get", "deployments", "-o", "json")
        assert json.loads(listed.stdout) == {"items": []}, listed.stderr
    finally:
        down = longshore(installed, surroundings, "down", "--purge")
    assert down.returncode == 0, down.stderr
    assert not Path(surroundings["LONGSHORE_HOME"]).exists()
    assert list(Path(surroundings["PWD"]).iterdir()) == []
