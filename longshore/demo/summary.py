"""The end of the story: a table of what was seen, and where to look on."""

import shutil
import sys
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from longshore.demo.report import Report

WIDTH = 100
"""Columns where there is no terminal to ask."""
_COLOURS = {"Succeeded": "green", "RolledBack": "yellow"}
_LOOK_ON = (
    ("get deployment @", "what serves now, and how well"),
    ("rollout history @", "every operation, and how it ended"),
    ("events @", "what happened, with the numbers of every check"),
    ("ledger @", "which version had which share of the traffic, and when"),
    ("open temporal", "the workflows behind it"),
    ("scale @ --copies 5", "one copy more, and no request lost"),
    ("down --purge", "stop the stack and remove all of this"),
)
"""What to try next; `@` stands for the deployment."""


def print_summary(report: Report) -> None:
    """Write it to stdout."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print()
    console.print(_versions(report))
    console.print(_rollouts(report))
    for name, value in _figures(report):
        console.print(Text.assemble((f"  {name:<26}", "bold"), value))
    console.print()
    for name, url in report.urls.items():
        console.print(Text.assemble((f"  {name:<9}", "bold"), url), soft_wrap=True)
    console.print()
    program = _program()
    look_on = [(command.replace("@", report.deployment), what) for command, what in _LOOK_ON]
    width = max(len(command) for command, _ in look_on) + 2
    for command, what in look_on:
        console.print(Text.assemble(f"  {program} {command:<{width}}", (what, "dim")), soft_wrap=True)


def _versions(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD, title="What clients saw", title_justify="left", title_style="bold")
    for head in ("version", "classifier"):
        table.add_column(head)
    for head in ("own evaluation", "requests", "wrong", "p50", "p99"):
        table.add_column(head, justify="right")
    for classifier in report.classifiers:
        seen = report.tallies.get(classifier.version)
        figures = ["-"] * 4
        if seen is not None:
            figures = [str(seen.requests), f"{seen.wrong_share:.1%}", f"{seen.p50:.0f} ms", f"{seen.p99:.0f} ms"]
        table.add_row(classifier.version, classifier.what, f"{classifier.accuracy:.1%} right", *figures)
    return table


def _rollouts(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Rollouts", title_justify="left", title_style="bold")
    table.add_column("versions")
    table.add_column("phase")
    for head in ("batches", "seconds", "peak accelerators"):
        table.add_column(head, justify="right")
    for rollout in report.rollouts:
        table.add_row(
            f"{rollout.from_version} → {rollout.to_version}",
            Text(rollout.phase, style=_COLOURS.get(rollout.phase, "red")),
            str(rollout.batches),
            f"{rollout.seconds:.1f}",
            str(rollout.peak_accelerators),
        )
    return table


def _figures(report: Report) -> list[tuple[str, str]]:
    recovered = report.recovery_seconds
    return [
        ("requests", f"{report.requests} sent, {report.failed} failed"),
        ("version 3 was caught by", f"check {report.caught_by}" if report.caught_by else "nothing"),
        ("first bad answer to", "-" if recovered is None else f"full recovery in {recovered:.1f} s"),
    ]


def _program() -> str:
    """How this program is called: by its name if that finds it, else by its path."""
    called = Path(sys.argv[0])
    return called.name if shutil.which(called.name) else str(called)
