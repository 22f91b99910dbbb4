"""The options that many commands share."""

from typing import Annotated, Literal

import typer

Format = Literal["table", "json", "jsonl", "yaml", "name"]

Output = Annotated[Format, typer.Option("--output", "-o", help="How data is written to stdout.")]
Files = Annotated[
    list[str], typer.Option("--file", "-f", help="A manifest, a folder of them, or - for stdin; may be repeated.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it to its end; progress goes to stderr.")]
Timeout = Annotated[
    str, typer.Option(help="How long to wait, such as 90s or 10m; after that the server goes on alone (exit 5).")
]
Deployment = Annotated[str, typer.Argument(help="The deployment's name.", metavar="NAME", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Why, for the record.")]

WAIT_AT_MOST = "1h"
"""How long `--wait` waits by default."""


def seconds(duration: str) -> float:
    """Seconds of a duration option.

    Raises:
        typer.BadParameter: it is none.
    """
    from longshore.spec.quantities import parse_duration

    try:
        return parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
