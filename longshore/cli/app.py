"""The typer application: every command, in the order `--help` shows them."""

from collections.abc import Callable

import typer
from typer.exceptions import TyperException

from longshore.cli.commands import declare, emulate, inventory, keys, plan, read, rehearse, rollout, stack
from longshore.cli.exits import USAGE, Stop

app = typer.Typer(
    name="longshore",
    help="Durable rollouts for fleets of GPU-served models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PANELS: dict[str, dict[str, Callable[..., int]]] = {
    "The embedded stack": {"up": stack.up, "down": stack.down, "demo": stack.demo, "doctor": stack.doctor},
    "Desired state": {
        "apply": declare.apply,
        "plan": plan.plan,
        "diff": declare.diff,
        "rehearse": rehearse.rehearse,
        "delete": declare.delete,
        "validate": declare.validate,
        "schema": declare.schema,
    },
    "Reading": {
        "get": read.get,
        "describe": read.describe,
        "events": read.events,
        "ledger": read.ledger,
        "logs": read.logs,
        "traffic": read.traffic,
        "open": read.open_page,
        "version": read.version,
    },
    "Changing": {"scale": rollout.scale, "adopt": inventory.adopt, "import": inventory.import_},
}
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(rollout.app, name="rollout", rich_help_panel="Changing")
app.add_typer(keys.app, name="keys", rich_help_panel="Changing")
app.add_typer(emulate.app, name="emulate", rich_help_panel="The embedded stack")


def run_typer(arguments: list[str]) -> int:
    """Run a command and return its exit code.

    Raises:
        Stop: the command line cannot be read; one line says why.
    """
    try:
        code = typer.main.get_command(app)(arguments, standalone_mode=False, prog_name="longshore")
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message())
            return USAGE
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "longshore"
        said = " ".join(error.format_message().replace("Value error, ", "").split())
        raise Stop(f"{command}: {said[:1].lower()}{said[1:].rstrip('.')}: see {command} --help", USAGE) from error
    return int(code or 0)
