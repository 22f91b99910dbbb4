"""Plays drawn rehearsals until the time is up, and keeps those that break a truth as files.

`python tests/truth/soak.py --minutes 10 --seed 1 --into FOLDER`; `--shrink FILE` makes one smaller instead.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from drawn import rehearsals
from hypothesis import HealthCheck, Phase, given, seed, settings
from rehearsed import smaller, wrong_with

AT_A_TIME = 20


def main() -> None:
    """Play, and tell of each that breaks a truth."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--into", type=Path, default=Path())
    options.add_argument("--shrink", type=Path)
    chosen = options.parse_args()
    if chosen.shrink:
        document = yaml.safe_load(chosen.shrink.read_text())
        sys.stdout.write(yaml.safe_dump(smaller(document, wrong_with(document)), sort_keys=False))
        return
    until, played, found = time.monotonic() + 60 * chosen.minutes, 0, 0

    def judge(document: dict[str, Any]) -> None:
        nonlocal played, found
        if time.monotonic() > until:
            return
        played += 1
        if wrong := wrong_with(document):
            found += 1
            file = chosen.into / f"wrong-{chosen.seed}-{played}.yaml"
            file.write_text("".join(f"# {line}\n" for line in wrong) + yaml.safe_dump(document, sort_keys=False))
            sys.stdout.write(f"{file}: {wrong[0]}\n")
            sys.stdout.flush()

    round_ = 0
    while time.monotonic() < until:
        several = settings(
            max_examples=AT_A_TIME,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(chosen.seed * 10_000 + round_)(several(given(rehearsals())(judge)))()
        round_ += 1
    sys.stdout.write(f"{played} rehearsals, {found} broke a truth\n")


if __name__ == "__main__":
    main()
