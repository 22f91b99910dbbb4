"""Tables on a terminal and elsewhere."""

import os
import pty
import re
from typing import get_args

import pytest
from harbour import Cli, Harbour, deployment, started

from longshore.cli.difference import Change, changes
from longshore.cli.options import Format
from longshore.cli.output import FORMATS

ESCAPES = re.compile(r"\x1b\[\d*m")
LONG = "2 of 4 copies are ready; longshore rollout watch digits says why"


def on_a_terminal(**environment: str) -> list[str]:
    """What `get deployments` shows on a terminal."""
    leader, follower = pty.openpty()
    given = {**os.environ, "TERM": "xterm", **environment}
    with started("get", "deployments", stdout=follower, env=given) as process:
        os.close(follower)
        shown = b""
        while b"\n" not in shown or shown.count(b"\n") < 2:
            shown += os.read(leader, 65536)
        assert process.wait(timeout=60) == 0
    os.close(leader)
    return shown.decode().replace("\r\n", "\n").splitlines()


@pytest.fixture(autouse=True)
def fleet(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    harbour.listed("/v1/deployments", deployment(health="Degraded", reason="CopiesNotReady", message=LONG))


def test_a_terminal_gets_colours_and_whole_messages() -> None:
    _, line = on_a_terminal()

    assert ESCAPES.sub("", line).endswith(LONG)
    assert "\x1b[33mDegraded\x1b[0m" in line
    assert "\x1b[32mSucceeded\x1b[0m" in line


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(variable: dict[str, str]) -> None:
    assert "\x1b" not in "".join(on_a_terminal(**variable))


def test_elsewhere_nothing_is_coloured(cli: Cli) -> None:
    ran = cli("get", "deployments")

    assert LONG in ran.out
    assert "\x1b" not in ran.out


def test_what_a_model_wrote_cannot_steer_a_terminal(cli: Cli, harbour: Harbour) -> None:
    harbour.listed("/v1/deployments", deployment(message="exited:\n\x1b[2Jgone\x07"))
    harbour.happen("CopyLost", message="exited:\r\x1b]0;title\x07")

    assert cli("get", "deployments").out.splitlines()[1].endswith("exited:  [2Jgone")
    assert cli("events").out == "2026-01-02 03:04:05Z digits CopyLost: exited:  ]0;title \n"


def test_typer_and_the_quick_way_know_the_same_formats() -> None:
    assert get_args(Format) == FORMATS


DIFFERENCES = {
    "nothing": ({"a": 1}, {"a": 1}, []),
    "a value": ({"a": 1, "b": 2}, {"a": 1, "b": 3}, [Change("b", 2, 3)]),
    "a field that is new": ({}, {"a": {"b": 1}}, [Change("a", None, {"b": 1})]),
    "a field that is gone": ({"a": {"b": 1}}, {"a": {}}, [Change("a.b", 1, None)]),
    "a list as a whole": ({"a": [1, 2]}, {"a": [1, 3]}, [Change("a", [1, 2], [1, 3])]),
    "fields that became a value": ({"a": {"b": 1}}, {"a": 1}, [Change("a", {"b": 1}, 1)]),
}


@pytest.mark.parametrize(("before", "after", "expected"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_differs_is_named_by_its_field(before: object, after: object, expected: list[Change]) -> None:
    assert list(changes(before, after)) == expected
