"""Reading verbs: get, describe, events, ledger, logs, traffic, open and version."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from longshore.cli.exits import REACHED, USAGE, Stop, say
from longshore.cli.getting import GetRequest
from longshore.cli.getting import get as do_get
from longshore.cli.kinds import KINDS, kind_of, plain
from longshore.cli.lines import event_line
from longshore.cli.options import Deployment, Output
from longshore.cli.output import Column, View, document, show
from longshore.client import PAGE, Client, segment

TRAFFIC = View(
    columns=(
        Column("VERSION", plain("version")),
        Column("SHARE", lambda item: f"{item['share']}%"),
        Column("ENDPOINTS", lambda item: ", ".join(item["endpoints"]) or "-"),
    ),
    name=lambda item: f"version/{item['version']}",
)
_KIND_HELP = f"What to read: {', '.join(kind.plural for kind in KINDS)}; singular and short names do as well."


def get(
    kind: Annotated[str, typer.Argument(help=_KIND_HELP, metavar="KIND", show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(
            help="One of them. A version is MODEL/VERSION; revisions, copies and operations are DEPLOYMENT or "
            "DEPLOYMENT/ONE.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    output: Output = "table",
    target: Annotated[str | None, typer.Option(help="Only deployments on this target.")] = None,
    model: Annotated[str | None, typer.Option(help="Only deployments of this model.")] = None,
    phase: Annotated[str | None, typer.Option(help="Only deployments in this phase.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="Only deployments with this label, team=search; all of several."),
    ] = None,
) -> int:
    """Read one thing, or all of a kind."""
    return do_get(GetRequest(kind, name, output, target, model, phase, tuple(label or ())))


def describe(
    names: Annotated[
        list[str], typer.Argument(help="A deployment's NAME, or KIND NAME, or KIND/NAME.", metavar="[KIND] NAME")
    ],
    output: Output = "table",
) -> int:
    """Tell all that is known of one thing."""
    from longshore.cli.commands.declare import kind_and_name
    from longshore.cli.describing import description

    word, name = kind_and_name(names)
    kind = kind_of(word)
    client = Client.from_environment()
    if kind.name == "deployment":
        found = client.get(f"/v1/deployments/{segment(name)}/detail")
        if output == "table":
            typer.echo(description(found), nl=False)
        else:
            show({"name": name, **found}, output, kind.view)
        return REACHED
    show(kind.find(client, name, {}), "yaml" if output == "table" else output, kind.view)
    return REACHED


def events(
    name: Annotated[str | None, typer.Argument(help="Only this deployment's.", show_default=False)] = None,
    output: Output = "table",
    after: Annotated[int | None, typer.Option(min=0, help="Only events with a higher sequence number.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow what happens from now on.")] = False,
) -> int:
    """List what happened, oldest first, or follow it: one line for each event."""
    client = Client.from_environment()
    if not follow:
        found = _events(client, name, after or 0)
        if output in {"json", "yaml"}:
            typer.echo(document({"items": list(found)}, output), nl=False)
            return REACHED
        for past in found:
            _show_event(past, output)
        return REACHED
    if output == "yaml":
        raise Stop("what is followed has no end, so it is no YAML document: use -o jsonl", USAGE)
    from longshore.client.stream import EventStream

    stream = EventStream(client, name, after)
    while True:
        event = stream.next(60.0)
        if event is not None:
            _show_event(event, output)


def ledger(
    name: Deployment,
    at: Annotated[
        str | None,
        typer.Option(
            help="Who served at this instant, and what checks measured: 2026-01-31T12:00:00Z (without zone: local "
            "time), or -2h for two hours ago."
        ),
    ] = None,
    output: Output = "table",
) -> int:
    """Tell which versions served which shares of the traffic, from when to when, and who asked."""
    from longshore.cli.serving import LEDGER, told

    instant = _instant(at)
    spans = list(Client.from_environment().items(f"/v1/deployments/{segment(name)}/ledger", at=instant))
    if at is None:
        show(spans, output, LEDGER)
    elif output == "table":
        typer.echo(told(spans[0], str(instant)), nl=False)
    else:
        show(spans[0], output, LEDGER)
    return REACHED


def logs(
    name: Deployment,
    copy: Annotated[str | None, typer.Option(help="Only this copy's, by its id.")] = None,
    tail: Annotated[int, typer.Option(min=1, max=10_000, help="Lines from the end of each copy's log.")] = 100,
    output: Output = "table",
) -> int:
    """Show what the copies of a deployment wrote last."""
    client = Client.from_environment()
    lines = client.lines(f"/v1/deployments/{segment(name)}/logs", copy=copy, tail=tail)
    if not lines:
        say(
            f"no copy of {name} has lines that could be shown: there is none, or nothing was written yet; on SageMaker "
            "they write to CloudWatch Logs (/aws/sagemaker/InferenceComponents/COMPONENT), on its emulator nowhere"
        )
    if output == "table":
        sys.stdout.writelines(f"{line['line']}\n" if copy else f"{line['copy']} | {line['line']}\n" for line in lines)
    else:
        show(lines, output, View(columns=(), name=lambda line: f"copy/{name}/{line['copy']}"))
    return REACHED


def traffic(name: Deployment, output: Output = "table") -> int:
    """Show where a deployment's requests go."""
    answer = Client.from_environment().get(f"/v1/deployments/{segment(name)}/traffic")
    if output != "table":
        show(answer, output, View(columns=(), name=lambda item: f"deployment/{item['deployment']}"))
        return REACHED
    addresses: dict[str, list[str]] = {version: [] for version in answer["traffic"]}
    for service in answer["upstreams"]:
        marks = f" ({', '.join(service['headers'].values())})" if service["headers"] else ""
        addresses.setdefault(service["version"], []).append(f"{service['url']}{marks}")
    for copy in answer["endpoints"]:
        if copy["address"] is None:
            continue
        draining = " (draining)" if copy["state"] == "draining" else ""
        addresses.setdefault(copy["version"], []).append(f"{copy['address']}{draining}")
    rows = [
        {"version": version, "share": answer["traffic"].get(version, 0), "endpoints": found}
        for version, found in addresses.items()
    ]
    show(rows, "table", TRAFFIC)
    if answer["url"]:
        typer.echo(f"\nrequests go to {answer['url']}")
    return REACHED


def open_page(
    page: Annotated[Literal["web", "temporal"], typer.Argument(help="Longshore's page, or the Temporal UI.")],
) -> int:
    """Print the address of a page, and open it in a browser when this is a terminal."""
    from longshore.home import api_url, home_folder, stack_file

    home = home_folder()
    if page == "web":
        url = api_url(home)
    else:
        import os

        found = os.environ.get("LONGSHORE_TEMPORAL_UI_URL") or stack_file(home).get("temporalUiUrl")
        if not found:
            raise Stop("where the Temporal UI is, is not known: run `longshore up`, or set LONGSHORE_TEMPORAL_UI_URL")
        url = str(found)
    typer.echo(url)
    if sys.stdout.isatty():
        typer.launch(url)
    return REACHED


def version() -> int:
    """Print the version of this program."""
    import longshore

    typer.echo(f"longshore {longshore.__version__}")
    return REACHED


def _events(client: Client, name: str | None, after: int) -> Iterator[dict[str, Any]]:
    """Every event so far after a sequence number."""
    position: str | int | None = after
    while position is not None:
        page = client.get("/v1/events", deployment=name, after=position, limit=PAGE)
        yield from page["items"]
        position = page["next"]


def _show_event(event: dict[str, Any], output: str) -> None:
    if output == "table":
        line = event_line(event)
    elif output == "name":
        line = f"deployment/{event['deployment']}"
    else:
        line = json.dumps(event, ensure_ascii=False)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _instant(at: str | None) -> str | None:
    """An instant as the API takes it: with its zone. `-2h` is two hours ago.

    Raises:
        Stop: it is none.
    """
    from longshore.spec.quantities import parse_duration

    if at is None:
        return None
    try:
        if at.startswith("-"):
            found = datetime.now(UTC) - timedelta(seconds=parse_duration(at[1:]))
        else:
            found = datetime.fromisoformat(at)
    except ValueError:
        raise Stop(f"{at!r} is not an instant: write 2026-01-31T12:00:00Z, or -2h", USAGE) from None
    return (found if found.tzinfo else found.astimezone()).isoformat()
