"""See it first: what applying would do, batch by batch, with nothing started."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshore.cli.exits import CHANGES, REACHED, USAGE, Stop
from longshore.cli.foreseeing import plan_text
from longshore.cli.kinds import plain
from longshore.cli.options import Files, Output
from longshore.cli.output import Column, View, show
from longshore.client import ApiError, Client

if TYPE_CHECKING:
    from longshore.spec.documents import Document
    from longshore.spec.rehearsal import Rehearsal

PLANNED = View(columns=(Column("NAME", plain("deployment")),), name=lambda item: f"deployment/{item['deployment']}")

ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit 6 when applying would change something.")]


def plan(files: Files, output: Output = "table", *, exit_code: ExitCode = False) -> int:
    """Say what `apply` would do: batches, accelerators, fit and time. A Rehearsal is planned without a server."""
    plans, several = _plans(files)
    if output == "table":
        sys.stdout.write("\n".join(map(plan_text, plans)))
    else:
        show(plans if several else plans[0], output, PLANNED)
    return CHANGES if exit_code and any(one["changed"] for one in plans) else REACHED


def _plans(files: list[str]) -> tuple[list[dict[str, Any]], bool]:
    """A plan for each deployment, and whether they are a list: one deployment is one object.

    Raises:
        Stop: what is given cannot be planned.
    """
    from longshore.spec.rehearsal import Rehearsal

    read = _read(files)
    rehearsals = [one[0] for one in read if isinstance(one[0], Rehearsal)]
    if len(rehearsals) > 1 or (rehearsals and len(read) > 1):
        raise Stop("a Rehearsal is planned alone: give one at a time, and no manifests with it", USAGE)
    found = _rehearsed(rehearsals[0]) if rehearsals else _asked(read)
    return found, len(found) != 1


def _read(files: list[str]) -> "list[tuple[Document | Rehearsal, dict[str, Any], str, int]]":
    from longshore.spec.checking import check
    from longshore.spec.loading import read_as
    from longshore.spec.problems import ManifestError
    from longshore.spec.rehearsal import KIND, checked

    def either(content: Any) -> "Document | Rehearsal":
        rehearsal = isinstance(content, dict) and content.get("kind") == KIND
        return checked(content) if rehearsal else check(content)

    try:
        return read_as(either, files)
    except ManifestError as error:
        raise Stop(str(error), USAGE) from error


def _asked(read: "list[tuple[Document | Rehearsal, dict[str, Any], str, int]]") -> list[dict[str, Any]]:
    """Ask the server, which knows what is there."""
    if not any(content["kind"] == "Deployment" for _, content, _, _ in read):
        raise Stop("there is no Deployment among the documents, and only deployments are planned", USAGE)
    body = {
        "documents": [content for _, content, _, _ in read],
        "sources": [{"file": source, "line": line} for _, _, source, line in read],
    }
    try:
        items: list[dict[str, Any]] = Client.from_environment().post("/v1/plan", body)["items"]
    except ApiError as error:
        for item in error.items or ():
            sys.stderr.write(plan_text(item))
        raise
    return items


def _rehearsed(rehearsal: "Rehearsal") -> list[dict[str, Any]]:
    from longshore.planning.plans.rehearsed import UnplannableError, plans_of

    try:
        return [one.model_dump(mode="json", by_alias=True) for one in plans_of(rehearsal.spec)]
    except UnplannableError as error:
        raise Stop(str(error), USAGE) from error
