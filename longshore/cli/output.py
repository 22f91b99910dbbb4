"""Data on stdout: tables for people, JSON, JSON lines, YAML and names for programs."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

FORMATS = ("table", "json", "jsonl", "yaml", "name")

_COLOURS = {
    **dict.fromkeys(("Healthy", "Succeeded", "InSync", "ready", "passed"), "32"),
    **dict.fromkeys(("Progressing", "Pending", "starting", "draining"), "36"),
    **dict.fromkeys(("Degraded", "Paused", "Drifted", "RollingBack", "unready", "inconclusive"), "33"),
    **dict.fromkeys(("Unavailable", "Failed", "RolledBack", "Aborted", "Superseded", "failed", "error"), "31"),
}


class Column(NamedTuple):
    """A column of a table: its head, and how a cell comes from an object of the API."""

    head: str
    cell: Callable[[dict[str, Any]], str]


class View(NamedTuple):
    """How objects of one kind are shown."""

    columns: tuple[Column, ...]
    name: Callable[[dict[str, Any]], str]
    """`deployment/digits`."""


def show(value: Any, output: str, view: View) -> None:
    """Write one object (a dict) or several (a list) in the format asked for."""
    objects = value if isinstance(value, list) else [value]
    if output == "table":
        sys.stdout.write(table(objects, view.columns))
    elif output == "name":
        sys.stdout.writelines(f"{view.name(item)}\n" for item in objects)
    elif output == "jsonl":
        sys.stdout.writelines(f"{json.dumps(item, ensure_ascii=False)}\n" for item in objects)
    else:
        whole = {"items": value} if isinstance(value, list) else value
        sys.stdout.write(document(whole, output))
    sys.stdout.flush()


def document(value: Any, output: str) -> str:
    """A value as JSON or YAML."""
    if output == "json":
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    from longshore.spec.writing import to_yaml

    return to_yaml([value])


def table(objects: Sequence[dict[str, Any]], columns: Sequence[Column]) -> str:
    """Columns as wide as they must be, coloured on a terminal. Nothing is cut: a message ends with the next command."""
    cells = ([one_line(column.cell(item)) for column in columns] for item in objects)
    rows = [[column.head for column in columns], *cells]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    paint = _painted if coloured(sys.stdout) else str
    lines = (
        "   ".join(paint(cell) + " " * (width - len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def one_line(text: str) -> str:
    """Text without line breaks and escape sequences: what a model's process wrote must not steer a terminal."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def coloured(stream: Any) -> bool:
    """Whether to colour: only a terminal, and not when its user asked for none (https://no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(cell: str) -> str:
    return f"\x1b[{_COLOURS[cell]}m{cell}\x1b[0m" if cell in _COLOURS else cell
