"""API keys: who may do what."""

from typing import Annotated

import typer

from longshore.cli.exits import REACHED, say
from longshore.cli.kinds import instant, plain
from longshore.cli.options import Output
from longshore.cli.output import Column, View, show
from longshore.client import Client, segment

app = typer.Typer(no_args_is_help=True, help="API keys: who may do what. Only an admin's key manages them.")

PATH = "/v1/keys"
_COLUMNS = (
    Column("ID", plain("id")),
    Column("NAME", plain("name")),
    Column("ROLES", lambda item: ", ".join(item["roles"])),
)
KEY = View(
    columns=(*_COLUMNS, Column("CREATED", instant("createdAt")), Column("REVOKED", instant("revokedAt"))),
    name=lambda item: f"key/{item['id']}",
)
MADE = View(columns=(*_COLUMNS, Column("KEY", plain("key"))), name=KEY.name)
REVOKED = View(columns=(Column("MESSAGE", plain("message")),), name=lambda item: f"key/{item['name']}")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is: the actor of what it asks.", metavar="NAME")],
    role: Annotated[
        list[str],
        typer.Option(
            help="viewer reads; operator also changes; approver reads, approves and overrides freezes; admin does all. "
            "May be repeated, also with roles of your own that the approvals of canaries ask for."
        ),
    ],
    output: Output = "table",
) -> int:
    """Make an API key. It is shown now and never again."""
    show(Client.from_environment().post(PATH, {"name": name, "roles": role}), output, MADE)
    say("keep the key now: only its digest is stored; LONGSHORE_API_KEY is where the command line looks for one")
    return REACHED


@app.command("list")
def list_keys(output: Output = "table") -> int:
    """List all API keys, revoked ones too, oldest first; never the keys themselves."""
    show(list(Client.from_environment().items(PATH)), output, KEY)
    return REACHED


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, or its name.", metavar="KEY")], output: Output = "table"
) -> int:
    """Let an API key no longer pass."""
    answer = Client.from_environment().delete(f"{PATH}/{segment(key)}")
    show({"name": key, **answer}, output, REVOKED)
    return REACHED
