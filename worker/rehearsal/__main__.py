"""`python -m worker.rehearsal`: a rehearsal as JSON on stdin, its answer as JSON on stdout; else one line on stderr."""

import asyncio
import json
import os
import sys

from longshore.spec.rehearsal import Rehearsal
from worker.rehearsal.asking import UnansweredError
from worker.rehearsal.engine import CrewError, rehearse
from worker.rehearsal.hiring import hiring
from worker.rehearsal.passing import StuckError
from worker.rehearsal.seeding import DoesNotFitError
from worker.rehearsal.server import MissingProgramError, die_with_parent

FAILED = 1
UNUSABLE = 2


def main() -> int:
    """Play what stdin says. 1: the machinery failed; 2: what is given cannot be played."""
    die_with_parent()
    rehearsal = Rehearsal.model_validate_json(sys.stdin.read())
    try:
        with hiring() as crews:
            answer = asyncio.run(rehearse(rehearsal, crews))
    except DoesNotFitError as error:
        return _told(error, UNUSABLE)
    except (CrewError, StuckError, UnansweredError, MissingProgramError) as error:
        return _told(error, FAILED)
    json.dump(answer, sys.stdout, ensure_ascii=False)
    return 0


def _told(error: Exception, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # a process that used temporalio may crash on its way out
