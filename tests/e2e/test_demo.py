"""The demo, run as a visitor would run it: its one object, its exit code, and that it can be run again."""

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

LONGSHORE = Path(sysconfig.get_path("scripts")) / "longshore"
DEMO_WITHIN = 400.0
"""Seconds; it is over in about seventy on two cores that have nothing else to do."""
RECOVERED_WITHIN = 60.0
"""Seconds, on a machine that other tests keep busy too; a few on an idle one."""

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]


class Told(NamedTuple):
    """What a demo said."""

    code: int
    object: dict[str, Any]
    story: str


class Visitor:
    """Somebody with a home of their own, and the installed command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LONGSHORE_", "TEMPORAL_"))
        }
        self._environment = {**inherited, "LONGSHORE_HOME": str(home), "LONGSHORE_PORT_BASE": "auto"}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `longshore`."""
        return subprocess.run(
            [LONGSHORE, *arguments],
            env=self._environment,
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEMO_WITHIN,
            check=False,
        )

    def demo(self, *options: str) -> Told:
        """Run the demo for its one object."""
        done = self.run("demo", *options, "-o", "json")
        assert done.stdout, done.stderr
        return Told(done.returncode, json.loads(done.stdout), done.stderr)


@contextmanager
def visiting() -> Iterator[Visitor]:
    """A visitor whose home is removed with everything in it."""
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))  # short, for sockets lie in it
    visitor = Visitor(home)
    try:
        yield visitor
    finally:
        visitor.run("down", "--purge")
        left = sorted(path.name for path in home.iterdir()) if home.exists() else []
        shutil.rmtree(home, ignore_errors=True)
    assert left == [], "a purge leaves nothing of the demo"


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    """One visitor for all that is told of this machine."""
    with visiting() as visitor:
        yield visitor


@pytest.fixture(scope="module")
def first(visitor: Visitor) -> Told:
    """The first demo of a home."""
    return visitor.demo()


def check_whole(told: Told) -> None:
    """All of the story was observed."""
    assert told.code == 0, told.story
    assert set(told.object) == {"onboarded", "rollouts", "requests", "caughtBy", "recoverySeconds", "urls"}
    assert told.object["onboarded"] is True
    better, bad = told.object["rollouts"]
    assert set(better) == set(bad) == {"deployment", "from", "to", "phase", "batches", "seconds", "peakAccelerators"}
    assert (better["from"], better["to"], better["phase"], better["batches"]) == ("1", "2", "Succeeded", 4)
    assert (bad["from"], bad["to"], bad["phase"], bad["batches"]) == ("2", "3", "RolledBack", 1)
    assert better["peakAccelerators"] == bad["peakAccelerators"] == 5
    assert better["seconds"] > bad["seconds"] > 0
    assert told.object["caughtBy"] in {"right", "slow"}
    assert 0 < told.object["recoverySeconds"] < RECOVERED_WITHIN
    requests = told.object["requests"]
    assert requests["failed"] == 0
    assert set(requests["byVersion"]) == {"1", "2", "3"}
    assert sum(requests["byVersion"].values()) == requests["total"]
    assert requests["byVersion"]["3"] < requests["byVersion"]["2"]


def test_the_demo_observes_all_that_it_tells(first: Told) -> None:
    check_whole(first)


def test_the_story_goes_to_stderr_as_plain_lines(first: Told) -> None:
    assert "\x1b" not in first.story
    for part in ("Version 1 goes live", "traffic goes 75% to version 1 and 25% to version 2", "rolling back"):
        assert part in first.story
    assert "not observed" not in first.story


def test_the_stack_is_left_up_to_explore(first: Told, visitor: Visitor) -> None:
    found = visitor.run("get", "deployment", "digits", "-o", "json")
    deployment = json.loads(found.stdout)
    assert (deployment["version"], deployment["copies"], deployment["traffic"]) == ("2", {"2": 4}, {"2": 100})
    assert set(first.object["urls"]) == {"web", "api", "temporal", "gateway", "infer"}


def test_a_second_demo_clears_the_table_and_tells_it_again(first: Told, visitor: Visitor) -> None:
    again = visitor.demo()

    check_whole(again)
    assert "an earlier demo is still there" in again.story
    assert again.object["urls"] == first.object["urls"]


def test_the_same_story_is_told_on_sagemaker() -> None:
    with visiting() as visitor:
        told = visitor.demo("--target", "sagemaker")
        check_whole(told)
        deployment = json.loads(visitor.run("get", "deployment", "digits-sagemaker", "-o", "json").stdout)
        assert (deployment["version"], deployment["copies"], deployment["target"]) == ("2", {"2": 4}, "demo-sagemaker")

        elsewhere = visitor.run("demo", "-o", "json")
        check_whole(Told(elsewhere.returncode, json.loads(elsewhere.stdout), elsewhere.stderr))
