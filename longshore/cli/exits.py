"""How a command ends: the exit codes of DESIGN section 7, and one line for everything that goes wrong."""

import os
import sys
from collections.abc import Callable

from longshore.client.errors import ApiError, ClientError

REACHED = 0
ERROR = 1
USAGE = 2
RETURNED = 3
"""Rolled back, aborted or superseded: the old state serves."""
NEEDS_PERSON = 4
"""Paused, blocked or failed."""
STOPPED_WAITING = 5
"""The client stopped waiting; the server goes on."""
CHANGES = 6
"""`plan --exit-code` or `diff` found changes."""

DEBUG = "LONGSHORE_DEBUG"


class Stop(Exception):  # noqa: N818  an end, not always an error
    """Ends a command with a line on stderr."""

    def __init__(self, message: str, code: int = ERROR) -> None:
        super().__init__(message)
        self.code = code


def say(line: str) -> None:
    """Tell progress, or what went wrong, where data does not go."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  this is what a command line does


def guarded(command: Callable[[], int]) -> int:
    """Run a command and say in one line what goes wrong. `LONGSHORE_DEBUG=1` shows where it did."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has left, as `head` does. What is buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except KeyboardInterrupt:
        say("stopped; whatever the server was told to do goes on")
        return STOPPED_WAITING
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _told(error)
    return code


def _told(error: Exception) -> int:
    if isinstance(error, Stop):
        say(str(error))
        return error.code
    if isinstance(error, ApiError):
        for line in _api_lines(error):
            say(line)
        return USAGE if error.status in {400, 422} else ERROR
    if isinstance(error, ClientError):
        say(str(error))
        return ERROR
    said = " ".join(str(error).split())
    say(f"longshore failed, which it should not ({type(error).__name__}: {said}): {DEBUG}=1 shows where")
    return ERROR


def _api_lines(error: ApiError) -> list[str]:
    """Each thing wrong with what was sent, as the loader would say it; else what the API said."""
    lines = []
    for wrong in error.errors:
        place = wrong.get("file") or ""
        if place and wrong.get("line"):
            place = f"{place}:{wrong['line']}"
        lines.append(": ".join(part for part in (place, wrong.get("field"), wrong["message"]) if part))
    return lines or [str(error)]
