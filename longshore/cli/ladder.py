"""An operation as a tree: its batches, copies, traffic and checks."""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from longshore.cli.kinds import shares
from longshore.cli.lines import operation_line
from longshore.cli.output import coloured, one_line

_STYLES = {
    **dict.fromkeys(("Succeeded", "done", "passed"), "green"),
    **dict.fromkeys(("Paused", "RollingBack", "inconclusive"), "yellow"),
    **dict.fromkeys(("Failed", "RolledBack", "Aborted", "Superseded", "failed", "error", "undone"), "red"),
    **dict.fromkeys(("waiting", "notYet"), "dim"),
}
_MARKS = {"done": "✓", "undone": "✗", "waiting": "○", "passed": "✓", "failed": "✗", "error": "!", "inconclusive": "?"}
_BAR = 20
"""Characters of a hundred percent."""


def ladder(operation: dict[str, Any], now: datetime) -> Tree:
    """The tree of an operation as the API has it."""
    progress = operation["progress"]
    root = Tree(Text(operation_line(operation), style=_STYLES.get(operation["phase"], "cyan")))
    if progress["batches"]:
        batches = root.add(Text(f"batches{_way(operation)}", style="bold"))
        for batch in progress["batches"]:
            batches.add(_batch(batch))
    copies = {v: f"{progress['ready'].get(v, 0)}/{count} ready" for v, count in progress["copies"].items()}
    if copies:
        root.add(Text.assemble(("copies ", "bold"), ", ".join(f"{v}: {text}" for v, text in copies.items())))
    if progress["traffic"]:
        traffic = root.add(Text(f"traffic {shares(progress['traffic'], '%')}", style="bold"))
        for version, share in progress["traffic"].items():
            traffic.add(Text(f"{version} {'█' * round(share * _BAR / 100)} {share}%"))
    if progress["checks"]:
        checks = root.add(Text("checks", style="bold"))
        for check in progress["checks"]:
            checks.add(_check(check))
    for line in _footer(progress, now, ended=operation["endedAt"] is not None):
        root.add(Text(line, style="dim"))
    return root


def ladder_text(operation: dict[str, Any]) -> str:
    """The tree as plain text."""
    stream = io.StringIO()
    Console(file=stream, width=160, color_system=None).print(ladder(operation, datetime.now(UTC)))
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def print_ladder(operation: dict[str, Any]) -> None:
    """Write the tree to stdout, coloured on a terminal."""
    if coloured(sys.stdout):
        Console().print(ladder(operation, datetime.now(UTC)))
    else:
        sys.stdout.write(ladder_text(operation))


def _way(operation: dict[str, Any]) -> str:
    ends = [end for end in (operation["fromVersion"], operation["toVersion"]) if end]
    strategy = f", {operation['strategy']}" if operation["strategy"] else ""
    return f" of version {' → '.join(ends)}{strategy}" if ends else strategy


def _batch(batch: dict[str, Any]) -> Text:
    state = batch["state"]
    size = f"+{batch['add']} -{batch['remove']} to {batch['weight']}%"
    return Text(f"{_MARKS.get(state, '●')} {batch['number']}: {size}  {state}", style=_STYLES.get(state, "cyan"))


def _check(check: dict[str, Any]) -> Text:
    outcome = check["outcome"]
    parts = [f"{_MARKS.get(outcome, '○')} {check['name']}: {check['metric']}"]
    if check["value"] is not None:
        parts.append(f"{check['value']:.4g}")
    parts.append(check["threshold"])
    if check["baseline"] is not None:
        parts.append(f"(baseline {check['baseline']:.4g})")
    parts.append(f"{check['samples']} samples")
    parts.append(outcome if check["enforced"] else f"{outcome}, only observed")
    if check["message"]:
        parts.append(f"- {check['message']}")
    return Text(one_line(" ".join(part for part in parts if part)), style=_STYLES.get(outcome, "cyan"))


def _footer(progress: dict[str, Any], now: datetime, *, ended: bool) -> Iterator[str]:
    if progress["bakeEnds"] and not ended:
        left = (datetime.fromisoformat(progress["bakeEnds"]) - now).total_seconds()
        if left > 0:
            yield f"bakes for another {left:.0f} s"
    if progress["peakAccelerators"]:
        yield f"at most {progress['peakAccelerators']} accelerators held so far"
