"""A change to one thing: send it, show what was answered, and wait for its end if asked to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from longshore.cli.exits import REACHED
from longshore.cli.kinds import plain
from longshore.cli.output import Column, View, show
from longshore.cli.waiting import Goal, Waiting
from longshore.client import Client

CHANGED = View(
    columns=(
        Column("NAME", lambda item: f"{item['kind']}/{item['name']}"),
        Column("REVISION", plain("revision")),
        Column("MESSAGE", plain("message")),
    ),
    name=lambda item: f"{item['kind']}/{item['name']}",
)
SUCCEEDED = frozenset({"Succeeded"})


class Change(NamedTuple):
    """One change to one thing."""

    kind: str
    """Singular, as `get` takes it."""
    name: str
    send: Callable[[Client], dict[str, Any]]
    """Sends it and returns the API's answer."""
    reached: frozenset[str] = SUCCEEDED
    """Phases of the operation that are what was asked for."""


def carry_out(change: Change, output: str, wait: float | None) -> int:
    """Send a change and show the answer; wait at most `wait` seconds for the end, or not at all for None."""
    client = Client.from_environment()
    waiting = Waiting(client, wait) if wait is not None else None
    answer = change.send(client)
    show({"kind": change.kind, "name": change.name, **answer}, output, CHANGED)
    if waiting is None:
        return REACHED
    revision = answer["revision"] if answer["changed"] else None
    return waiting.follow([Goal(change.name, answer["operation"], reached=change.reached, revision=revision)])
