"""The entry point: the quick way for `get`, typer for everything else."""

import os
import sys

from longshore.cli.exits import guarded


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = run(sys.argv[1:])
    if "temporalio" in sys.modules:
        # A process that used temporalio may crash on its way out (DESIGN, section 10).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code."""
    if arguments[:1] == ["get"]:
        from longshore.cli.getting import get, parse

        request = parse(arguments[1:])
        if request is not None:
            return guarded(lambda: get(request))
    from longshore.cli.app import run_typer

    return guarded(lambda: run_typer(arguments))
