"""Plays a drawn rehearsal on the real workflows, and says which truths its answer breaks."""

import json
import subprocess
import sys
from typing import Any, Final

from invariants import broken

LIMIT_S: Final = 120.0
"""Real seconds of one rehearsal: it takes three or four, on a machine with much else to do a few more."""


def answer_of(document: dict[str, Any]) -> dict[str, Any]:
    """What `longshore rehearse` answers.

    Raises:
        AssertionError: it was not played at all.
    """
    command = [sys.executable, "-m", "longshore.cli", "rehearse", "-f", "-", "-o", "json"]
    ran = subprocess.run(
        command, input=json.dumps(document), capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def wrong_with(document: dict[str, Any]) -> list[str]:
    """The truths that it breaks, and what kept it from being played."""
    try:
        return broken(document, answer_of(document))
    except AssertionError as error:
        return [f"not played: {error}"]
    except subprocess.TimeoutExpired:
        return [f"no answer within {LIMIT_S:g} s"]


def smaller(document: dict[str, Any], wrong: list[str]) -> dict[str, Any]:
    """The document without the events that it does not take to be as wrong: as many rehearsals as it has events."""
    kind = wrong[0].split(":")[0].split()[-1]
    timeline = document["spec"]["timeline"]
    for event in reversed(timeline):
        left = [one for one in document["spec"]["timeline"] if one is not event]
        tried = {**document, "spec": {**document["spec"], "timeline": left}}
        if any(kind in line for line in wrong_with(tried)):
            document = tried
    return document
