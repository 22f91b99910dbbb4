"""Every scenario is a rehearsal, and beside it how it must end.

`NAME.yaml` is given and when, `NAME.then.yaml` is then: part of the answer, and of the events of the one deployment
`story` (all of them), `order` (some of them, in this order), `never` (types) and `counts` (by type). An event is
written as its type and its batch.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from longshore.spec.parsing import parse

HERE = Path(__file__).parent
SCENARIOS = sorted(path for path in HERE.glob("*.yaml") if not path.name.endswith(".then.yaml"))
OF_EVENTS = {"story", "order", "never", "counts"}


@pytest.mark.parametrize("given", SCENARIOS, ids=lambda path: path.stem)
def test_it_ends_as_it_should(given: Path) -> None:
    (then,) = parse(given.with_suffix(".then.yaml").read_text())
    expected: dict[str, Any] = then.content

    answer = rehearse(given)

    events = [f"{event['type']} {event['batch'] or ''}".strip() for event in answer["events"]]
    told = "\n".join(
        f"{event['at']:8} {event['type']} {event['batch']} {event['message']}" for event in answer["events"]
    )
    assert part_of(answer, {key: value for key, value in expected.items() if key not in OF_EVENTS}) == {
        key: value for key, value in expected.items() if key not in OF_EVENTS
    }, told
    assert events == expected.get("story", events), told
    assert in_order(expected.get("order", []), events), told
    counted = Counter(event["type"] for event in answer["events"])
    assert not set(expected.get("never", [])) & set(counted), told
    assert {type_: counted[type_] for type_ in expected.get("counts", {})} == expected.get("counts", {}), told


def rehearse(path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "longshore.cli", "rehearse", "-f", str(path), "-o", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def part_of(whole: Any, part: Any) -> Any:
    """The whole, without the keys that the part does not have; an empty mapping is taken as it is."""
    if isinstance(whole, dict) and isinstance(part, dict) and part:
        return {key: part_of(whole.get(key), value) for key, value in part.items()}
    return whole


def in_order(wanted: list[str], events: list[str]) -> bool:
    """Whether the wanted ones are among the events in this order."""
    left = iter(events)
    return all(one in left for one in wanted)
