"""Plays a rehearsal whose workers die: `python playing_deaths.py FILE --at MOMENT`, what came of it as JSON on stdout.

It is a program of its own, for workers are forked while their process has one thread.
"""

import argparse
import asyncio
import json
import os
import sys

from longshore.spec.rehearsal import load_rehearsals
from worker.rehearsal.dying import Deaths
from worker.rehearsal.engine import rehearse
from worker.rehearsal.hiring import hiring
from worker.rehearsal.server import die_with_parent

EACH = "each"


def main() -> None:
    """Play, and print the answer and the moments that came, and whether the workers died there."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file")
    options.add_argument("--at", default=EACH, help="a moment, counted from 1; 0 for none; or `each`")
    chosen = options.parse_args()
    die_with_parent()
    (rehearsal,) = load_rehearsals([chosen.file])
    deaths = Deaths(None if chosen.at == EACH else int(chosen.at))
    with hiring() as crews:
        answer = asyncio.run(rehearse(rehearsal, crews, deaths))
    moments = [[moment.type, moment.when, died] for moment, died in deaths.moments.items()]
    json.dump({"answer": answer, "moments": moments}, sys.stdout)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # a process that used temporalio may crash on its way out
