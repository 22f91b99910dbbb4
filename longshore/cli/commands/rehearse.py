"""Rehearsals: a whole rollout, faults and all, played in seconds on the very workflows that will run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshore.cli.exits import ERROR, REACHED, USAGE, Stop
from longshore.cli.options import Format
from longshore.cli.output import Column, View, show
from longshore.cli.playing import story

if TYPE_CHECKING:
    from longshore.spec.rehearsal import Rehearsal

ENGINE = "worker.rehearsal"
"""The engine's module. It is another process of the same Python: this package imports nothing that it is made of."""

REHEARSED = View(columns=(Column("NAME", lambda item: f"rehearsal/{item['name']}"),), name=lambda item: item["name"])

One = Annotated[str, typer.Option("--file", "-f", help="A file with one Rehearsal, or - for stdin.")]
Written = Annotated[Format, typer.Option("--output", "-o", help="How the answer is written to stdout.")]


def rehearse(file: One, output: Written = "table") -> int:
    """Play a rollout in skipped time on a simulated fleet, with nothing else running; exit 0 however it ends."""
    with _engine() as engine:  # it starts while the file is read
        answer = _play(_load(file), engine)
    if output == "table":
        typer.echo(story(answer), nl=False)
    else:
        show(answer, output, REHEARSED)
    return REACHED


def _load(file: str) -> "Rehearsal":
    from longshore.spec.problems import ManifestError
    from longshore.spec.rehearsal import load_rehearsals

    try:
        found = load_rehearsals([file])
    except ManifestError as error:
        raise Stop(str(error), USAGE) from error
    if len(found) > 1:
        raise Stop(f"{file}: it has {len(found)} rehearsals: give them one at a time", USAGE)
    return found[0]


@contextmanager
def _engine() -> Iterator["subprocess.Popen[str]"]:
    """The engine. It gets no stdio of ours but pipes, which are read to their end."""
    with subprocess.Popen(
        [sys.executable, "-m", ENGINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as engine:
        try:
            yield engine
        finally:
            engine.kill()


def _play(rehearsal: "Rehearsal", engine: "subprocess.Popen[str]") -> dict[str, Any]:
    told, said = engine.communicate(rehearsal.model_dump_json(by_alias=True, exclude_unset=True))
    if engine.returncode != 0:
        lines = said.strip().splitlines()
        code = USAGE if engine.returncode == USAGE else ERROR
        raise Stop(lines[-1] if lines else f"the engine of rehearsals ended with {engine.returncode}", code)
    answer: dict[str, Any] = json.loads(told)
    return answer
