"""What others made or changed on a target, taken over as it is: adopt and import."""

import re
from typing import Annotated, Any

import typer

from longshore.cli.changing import Change, carry_out
from longshore.cli.exits import REACHED, USAGE, Stop
from longshore.cli.kinds import plain
from longshore.cli.options import WAIT_AT_MOST, Deployment, Output, Reason, Timeout, Wait, seconds
from longshore.cli.output import Column, View, document, show
from longshore.client import Client, segment

LONGEST_NAME = 63


def _whose(item: dict[str, Any]) -> str:
    """Of whom it is: a deployment here, another Longshore, or nobody's."""
    if item["ours"]:
        return f"deployment/{item['deployment']} {item['version']}"
    return f"installation {item['installation']}" if item["installation"] else "-"


COMPONENT = View(
    columns=(
        Column("COMPONENT", plain("component")),
        Column("STATE", plain("state")),
        Column("READY", lambda item: f"{item['ready']}/{item['copies']}"),
        Column("OF", _whose),
        Column("CHANGED", lambda item: "yes" if item["changed"] or item["gone"] else "-"),
        Column("OBSTACLE", plain("obstacle")),
    ),
    name=lambda item: f"component/{item['component']}",
)


def adopt(
    name: Deployment,
    version: Annotated[
        str | None,
        typer.Option("--as", help="Where it is not the registered version any more: what to register it as."),
    ] = None,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Accept what somebody else changed of a deployment on its target: that is what is desired from now on."""
    limit = seconds(timeout)
    given = {key: value for key, value in (("as", version), ("reason", reason)) if value is not None}
    path = f"/v1/deployments/{segment(name)}/adopt"
    change = Change("deployment", name, lambda client: client.post(path, given))
    return carry_out(change, output, limit if wait else None)


def import_(
    target: Annotated[str, typer.Argument(help="The target.", metavar="TARGET", show_default=False)],
    component: Annotated[
        str | None, typer.Argument(help="What serves there, by its name.", metavar="COMPONENT", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Take it over as the deployment of this name; nothing is restarted.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Its model.", show_default="the deployment's name")] = None,
    version: Annotated[str, typer.Option(help="The version that it is registered as.")] = "1",
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """List what serves on a target whoever made it, show one as manifests, or take it over as it is."""
    limit = seconds(timeout)
    path = f"/v1/targets/{segment(target)}/components"
    if component is None:
        if name is not None:
            raise Stop(f"what shall be {name}? longshore import {target} lists what serves there", USAGE)
        show(list(Client.from_environment().items(path)), output, COMPONENT)
        return REACHED
    deployment = name or _name_of(component)
    body = {"deployment": deployment, "model": model or deployment, "version": version}
    one = f"{path}/{segment(component)}"
    if name is not None:
        change = Change("deployment", name, lambda client: client.post(f"{one}/import", body))
        return carry_out(change, output, limit if wait else None)
    documents = Client.from_environment().get(f"{one}/manifests", **body)["documents"]
    if output in {"table", "yaml"}:
        typer.echo("---\n".join(document(content, "yaml") for content in documents), nl=False)
    else:
        show(documents, output, View(columns=(), name=lambda item: f"{item['kind'].lower()}/{deployment}"))
    return REACHED


def _name_of(component: str) -> str:
    """A component's name as that of a deployment: lower case, and not too long."""
    name = re.sub(r"[^a-z0-9]+", "-", component.lower())[:LONGEST_NAME].strip("-")
    return name or "imported"
