"""An operation as a tree: its batches, copies, traffic and checks."""

import io
import sys
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from longshore.cli.lines import operation_line
from longshore.cli.output import coloured, one_line

_STYLES = {
    **dict.fromkeys(("Succeeded", "done", "passed"), "green"),
    **dict.fromkeys(("Paused", "RollingBack", "inconclusive"), "yellow"),
    **dict.fromkeys(("Failed", "RolledBack", "Aborted", "Superseded", "failed", "error", "undone"), "red"),
    **dict.fromkeys(("waiting", "notYet"), "dim"),
}
_MARKS = {"done": "✓", "undone": "✗", "waiting": "○", "passed": "✓", "failed": "✗", "error": "!", "inconclusive": "?"}
_OUTCOMES = {"notYet": "not yet"}
_BAR = 20
"""Characters of a hundred percent, and the most copies that are drawn one by one."""


def ladder(operation: dict[str, Any], now: datetime) -> Tree:
    """The tree of an operation as the API has it."""
    progress = operation["progress"]
    root = Tree(Text(operation_line(operation), style=_STYLES.get(operation["phase"], "cyan")))
    _branch(root, f"batches{_way(operation)}", [_batch(batch, _left(progress, now)) for batch in progress["batches"]])
    _branch(root, "copies", _copies(progress))
    _branch(root, "traffic", _traffic(progress["traffic"]))
    _branch(root, "checks", _checks(progress["checks"]))
    if progress["peakAccelerators"]:
        held = "so far" if operation["endedAt"] is None else "in all"
        root.add(Text(f"at most {progress['peakAccelerators']} accelerators held {held}", style="dim"))
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


def _branch(root: Tree, title: str, lines: list[Text]) -> None:
    """A titled branch; none where there is nothing to show."""
    if lines:
        branch = root.add(Text(title, style="bold"))
        for line in lines:
            branch.add(line)


def _way(operation: dict[str, Any]) -> str:
    ends = [end for end in (operation["fromVersion"], operation["toVersion"]) if end]
    strategy = f", {operation['strategy']}" if operation["strategy"] else ""
    return f" of version {' → '.join(dict.fromkeys(ends))}{strategy}" if ends else strategy


def _batch(batch: dict[str, Any], left: str) -> Text:
    """`● 2  +1 -1  to  50%  baking, 9 s left, then pause 5m`."""
    state = batch["state"]
    size = f"+{batch['add']} -{batch['remove']}" if batch["remove"] else f"+{batch['add']}"
    doing = f"{state}{left}" if state == "baking" else state
    then = f", then {batch['then']}" if batch.get("then") else ""
    line = f"{_MARKS.get(state, '●')} {batch['number']}  {size}  to {batch['weight']:>3}%  {doing}{then}"
    return Text(line, style=_STYLES.get(state, "cyan"))


def _left(progress: dict[str, Any], now: datetime) -> str:
    """How much of the bake is left."""
    if not progress["bakeEnds"]:
        return ""
    left = (datetime.fromisoformat(progress["bakeEnds"]) - now).total_seconds()
    return f", {left:.0f} s left" if left > 0 else ""


def _copies(progress: dict[str, Any]) -> list[Text]:
    """A square for each copy, filled when it is ready, as long as they fit."""
    lines = []
    for version, count in _by_version(progress["copies"]):
        ready = progress["ready"].get(version.rstrip(), 0)
        squares = f"{'■' * ready}{'□' * (count - ready)}  " if count <= _BAR else ""
        lines.append(Text(f"version {version}  {squares}{ready} of {count} ready", style=_fill(ready, count)))
    return lines


def _fill(ready: int, count: int) -> str:
    return "green" if ready == count else "yellow"


def _traffic(traffic: dict[str, int]) -> list[Text]:
    return [
        Text.assemble(f"version {version}  ", ("█" * round(share * _BAR / 100), "cyan"), f" {share}%")
        for version, share in _by_version(traffic)
    ]


def _by_version(counts: dict[str, int]) -> list[tuple[str, int]]:
    """In a fixed order, the labels padded to one width: a live tree must not jump."""
    width = max((len(version) for version in counts), default=0)
    return [(version.ljust(width), counts[version]) for version in sorted(counts)]


def _checks(checks: list[dict[str, Any]]) -> list[Text]:
    width = max((len(check["name"]) for check in checks), default=0)
    return [_check(check, width) for check in checks]


def _check(check: dict[str, Any], width: int) -> Text:
    """`✓ errors  error-rate 0.0012 ≤ 0.01, 812 samples: passed`; in words only what the numbers do not say."""
    outcome = check["outcome"]
    unit = " ms" if check["metric"].startswith("latency") else ""
    value = "" if check["value"] is None else f" {check['value']:.4g}{unit}"
    baseline = "" if check["baseline"] is None else f" (baseline {check['baseline']:.4g}{unit})"
    samples = f", {check['samples']} samples" if check["samples"] else ""
    told = _OUTCOMES.get(outcome, outcome) + ("" if check["enforced"] else ", only observed")
    why = f" - {check['message']}" if check["message"] and outcome in {"error", "inconclusive"} else ""
    line = f"{_MARKS.get(outcome, '○')} {check['name']:{width}}  {check['metric']}{value} {check['threshold']}"
    return Text(one_line(f"{line}{baseline}{samples}: {told}{why}"), style=_STYLES.get(outcome, "cyan"))
