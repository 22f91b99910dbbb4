"""The embedded stack: the only commands that run anything here rather than ask the API."""

from typing import Annotated, Literal

import typer

from longshore.cli.exits import ERROR, REACHED, STOPPED_WAITING, Stop, say
from longshore.cli.options import seconds
from longshore.cli.output import document


def up(
    timeout: Annotated[str, typer.Option(help="How long to wait for it; it goes on starting after that.")] = "2m",
) -> int:
    """Bring the stack up on this machine (Postgres, Temporal, Envoy, API, worker, agent); twice is once."""
    from longshore.settings import Settings
    from longshore.stack.errors import StackError
    from longshore.stack.up import up as bring_up

    try:
        stack = bring_up(Settings.from_environment(), wait=seconds(timeout), say=say)
    except StackError as error:
        raise Stop(str(error)) from error
    say(f"the stack is up ({stack.seconds:.1f} s)" if stack.started else "the stack was up already")
    pages = {
        "api": stack.api_url,
        "web": stack.web_url,
        "temporal": stack.temporal_ui_url,
        "gateway": stack.gateway_url,
        "aws": stack.aws.get("AWS_ENDPOINT_URL"),
    }
    for name, url in pages.items():
        if url:
            typer.echo(f"{name:<9} {url}")
    return REACHED


def down(
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove its data too: database, workflows, logs, keys.")
    ] = False,
) -> int:
    """Stop the stack and the copies it serves. Data stays, and the next `up` starts the copies again."""
    from longshore.settings import Settings
    from longshore.stack.down import down as bring_down
    from longshore.stack.errors import StackError

    try:
        ran = bring_down(Settings.from_environment(), purge=purge)
    except StackError as error:
        raise Stop(str(error)) from error
    say(("the stack is down" if ran else "the stack was down already") + (", its data is removed" if purge else ""))
    return REACHED


def doctor(
    output: Annotated[
        Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="How data is written to stdout.")
    ] = "table",
) -> int:
    """Check this machine and the stack: a ✓ or a ✗ each, with the cure beside it; exit 1 when there is a ✗."""
    from longshore.settings import Settings
    from longshore.stack.doctor import doctor as examine

    report = examine(Settings.from_environment())
    if output == "table":
        for line in report.lines():
            typer.echo(line)
    else:
        typer.echo(document(report.as_json(), output), nl=False)
    return REACHED if report.ok else ERROR


def demo(
    target: Annotated[
        Literal["local", "sagemaker"],
        typer.Option("--target", help="Where it plays: this machine, or SageMaker as the emulator shows it."),
    ] = "local",
    output: Annotated[
        Literal["table", "json"], typer.Option("--output", "-o", help="How the summary is written to stdout.")
    ] = "table",
) -> int:
    """See it all in two minutes: a model goes live, is updated, and a bad version is caught and rolled back.

    The story goes to stderr as it happens. The stack is left up. Exit 0 only if all of it was observed.
    """
    from longshore.demo.narrator import Narrator
    from longshore.demo.places import PLACES
    from longshore.demo.story import run
    from longshore.settings import Settings
    from longshore.stack.errors import StackError

    try:
        report = run(Settings.from_environment(), PLACES[target], Narrator())
    except StackError as error:
        raise Stop(str(error)) from error
    except KeyboardInterrupt:
        message = "stopped; the stack stays up, and whatever it was told to do goes on: longshore down stops that too"
        raise Stop(message, STOPPED_WAITING) from None
    if output == "json":
        typer.echo(document(report.as_json(), output), nl=False)
    elif report.requests:
        from longshore.demo.summary import print_summary

        print_summary(report)
    missing = list(report.missing())
    for line in missing:
        say(f"not observed: {line}")
    return ERROR if missing else REACHED
