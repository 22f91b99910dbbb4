"""Declarative verbs: validate, schema, diff, apply and delete."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from longshore.cli.difference import changes, unified
from longshore.cli.exits import CHANGES, REACHED, USAGE, Stop
from longshore.cli.kinds import kind_of, plain
from longshore.cli.options import WAIT_AT_MOST, Files, Output, Timeout, Wait, seconds
from longshore.cli.output import Column, View, coloured, show
from longshore.client import ApiError, Client, segment

if TYPE_CHECKING:
    from longshore.spec.loading import Loaded

KIND_WORDS = {"Target": "target", "ModelVersion": "version", "Deployment": "deployment", "Freeze": "freeze"}
"""Kinds of documents as `get` takes them."""


def thing(item: dict[str, Any]) -> str:
    """`deployment/digits`, `version/digits/2`: what `-o name` prints and `get` takes."""
    return f"{KIND_WORDS[item['kind']]}/{item['name']}"


APPLIED = View(
    columns=(
        Column("NAME", thing),
        Column("RESULT", plain("result")),
        Column("REVISION", plain("revision")),
        Column("MESSAGE", plain("message")),
    ),
    name=thing,
)
VALID = View(
    columns=(Column("NAME", thing), Column("FILE", plain("file")), Column("LINE", plain("line"))),
    name=thing,
)
DIFFERENT = View(columns=(Column("NAME", thing), Column("RESULT", plain("result"))), name=thing)


def validate(files: Files, output: Output = "table") -> int:
    """Check manifests without a server: every mistake is a line with its place and cure (exit 2)."""
    from longshore.spec.checking import identity

    found = []
    for item in manifests(files):
        kind, name = identity(item.document)
        found.append({"kind": kind, "name": name, "file": item.source, "line": item.line})
    show(found, output, VALID)
    return REACHED


def schema() -> int:
    """Print the JSON Schema of all documents, for editors and programs."""
    from longshore.cli.output import document
    from longshore.spec.schema import json_schema

    typer.echo(document(json_schema(), "json"), nl=False)
    return REACHED


def diff(files: Files, output: Output = "table") -> int:
    """Say what `apply` would change, and change nothing; exit 6 when there is something."""
    client = Client.from_environment()
    loaded = manifests(files)
    answer = client.post("/v1/apply", _body(loaded, dry_run=True))
    items = []
    for given, item in zip(loaded, answer["items"], strict=True):
        found = _changes(client, given, item) if item["result"] == "changed" else []
        items.append({**item, "changes": found})
    differing = [item for item in items if item["result"] != "unchanged"]
    if output == "table":
        colour = coloured(sys.stdout)
        for item in differing:
            typer.echo(f"{thing(item)} {item['result']}")
            for line in unified(item["changes"], colour=colour):
                typer.echo(f"  {line}", color=colour)
    else:
        show(differing if output == "name" else items, output, DIFFERENT)
    return CHANGES if differing else REACHED


def apply(
    files: Files,
    output: Output = "table",
    *,
    take: Annotated[
        bool, typer.Option("--take", help="Undo what somebody else changed of the deployments on their targets.")
    ] = False,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Bring everything to what manifests say: targets, model versions, freezes, then deployments."""
    from longshore.cli.waiting import Goal, Waiting

    limit = seconds(timeout)
    loaded = manifests(files)
    client = Client.from_environment()
    waiting = Waiting(client, limit) if wait else None
    try:
        answer = client.post("/v1/apply", _body(loaded) | ({"take": True} if take else {}))
    except ApiError as error:
        if error.items:
            show(error.items, output, APPLIED)
        raise
    show(answer["items"], output, APPLIED)
    if waiting is None:
        return REACHED
    return waiting.follow(
        Goal(
            item["name"],
            item["operation"],
            given.content["spec"]["version"],
            revision=None if item["result"] == "unchanged" else item["revision"],
        )
        for given, item in zip(loaded, answer["items"], strict=True)
        if item["kind"] == "Deployment"
    )


def delete(
    names: Annotated[
        list[str], typer.Argument(help="A deployment's NAME, or KIND NAME, or KIND/NAME.", metavar="[KIND] NAME")
    ],
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Retire a deployment (its route goes, its copies drain); forget a target that nothing uses, or a freeze."""
    from longshore.cli.changing import Change, carry_out

    limit = seconds(timeout)
    kind, name = kind_and_name(names)
    if kind not in {"deployment", "target", "freeze"}:
        message = f"a {kind} is part of the record and is not deleted: delete deployments, targets and freezes"
        raise Stop(message, USAGE)
    path = f"/v1/{kind}s/{segment(name)}"
    follow = limit if wait and kind == "deployment" else None
    return carry_out(Change(kind, name, lambda client: client.delete(path)), output, follow)


def kind_and_name(words: list[str]) -> tuple[str, str]:
    """`digits`, `deployment digits` and `deployment/digits` are the same; a deployment is meant if nothing is said.

    Raises:
        Stop: it is none of these.
    """
    if len(words) == 1:
        kind, slash, name = words[0].partition("/")
        return (kind_of(kind).name, name) if slash else ("deployment", words[0])
    if len(words) == 2:
        return kind_of(words[0]).name, words[1]
    raise Stop("name one thing: KIND NAME", USAGE)


def manifests(files: list[str]) -> "list[Loaded]":
    """Load manifests.

    Raises:
        Stop: they cannot be used, with a line for each mistake.
    """
    from longshore.spec.loading import load
    from longshore.spec.problems import ManifestError

    try:
        return load(files)
    except ManifestError as error:
        raise Stop(str(error), USAGE) from error


def _body(loaded: "list[Loaded]", *, dry_run: bool = False) -> dict[str, Any]:
    return {
        "documents": [item.content for item in loaded],
        "sources": [{"file": item.source, "line": item.line} for item in loaded],
        "dryRun": dry_run,
    }


def _changes(client: Client, given: "Loaded", item: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a deployment, target or freeze that differ from what is stored, defaults included on both sides."""
    wanted = given.document.model_dump(mode="json")
    path = f"/v1/{KIND_WORDS[item['kind']]}s/{segment(item['name'])}"
    if item["kind"] == "Deployment":
        detail = client.get(f"{path}/detail")
        stored = {"labels": detail["labels"], "spec": detail["spec"]}
        wanted = {"labels": wanted["metadata"]["labels"], "spec": wanted["spec"]}
    else:
        stored, wanted = {"spec": client.get(path)["spec"]}, {"spec": wanted["spec"]}
    return [change._asdict() for change in changes(stored, wanted)]
