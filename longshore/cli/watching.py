"""`rollout watch`: a live tree on a terminal, a line for each event elsewhere."""

import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import typer

from longshore.cli.exits import STOPPED_WAITING, Stop
from longshore.cli.lines import event_line, operation_line
from longshore.cli.output import coloured
from longshore.cli.waiting import Goal, Waiting, judge
from longshore.client import ApiError, Client, UnreachableError, segment
from longshore.client.stream import EventStream

LAST_EVENTS = 5
"""Events under the tree."""


def watch(client: Client, name: str, limit: float) -> int:
    """Follow the latest operation; its code as `--wait` would have it."""
    if coloured(sys.stdout):
        return _live(client, name, limit)
    waiting = Waiting(client, limit, tell=typer.echo)
    operation = _latest(client, name)
    if judge(Goal(name, operation["id"]), operation, None) is None:
        typer.echo(operation_line(operation))
    return waiting.follow([Goal(name, operation["id"])])


def _latest(client: Client, name: str) -> dict[str, Any]:
    operation: dict[str, Any] = client.get(f"/v1/deployments/{segment(name)}/rollout")
    return operation


def _live(client: Client, name: str, limit: float) -> int:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from longshore.cli.ladder import ladder

    stream = EventStream(client, name)
    stream.begin()
    deadline = time.monotonic() + limit
    last: deque[str] = deque(maxlen=LAST_EVENTS)
    operation = _latest(client, name)
    try:
        with Live(console=Console(), auto_refresh=False) as live:
            while True:
                tail = Text("\n".join(last), style="dim")
                live.update(Group(ladder(operation, datetime.now(UTC)), tail), refresh=True)
                if operation["endedAt"] is not None:
                    break
                if time.monotonic() >= deadline:
                    raise Stop(f"stopped watching; the server goes on: longshore rollout watch {name}", STOPPED_WAITING)
                event = stream.next(1.0)
                if event is not None:
                    last.append(event_line(event))
                operation = _again(client, name, operation)
    except KeyboardInterrupt:
        raise Stop(f"stopped watching; the server goes on: longshore rollout watch {name}", STOPPED_WAITING) from None
    finally:
        stream.close()
    verdict = judge(Goal(name, operation["id"]), operation, None)
    return verdict.code if verdict else 0


def _again(client: Client, name: str, operation: dict[str, Any]) -> dict[str, Any]:
    """The latest operation, or as it was while the API is away; the stream knows when that is too long."""
    try:
        return _latest(client, name)
    except UnreachableError:
        return operation
    except ApiError as error:
        if error.passing:
            return operation
        raise
