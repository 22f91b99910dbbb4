"""Every scenario is a rehearsal, and beside it how it must end.

`NAME.yaml` is given and when, `NAME.then.yaml` is then: part of the answer, and of the events

- `story`: all of them, and `order`: some of them, in this order; each is its type, its batch, and where it matters its
  instant, which may be off by two seconds: `TrafficShifted 1 @60`;
- `never`: types that do not come, and `counts`: how often a type does;
- `shifts`: the weights after each `TrafficShifted`, all of them;
- `said`: pieces of what events say, in this order, and `refused`: a piece of each refusal, all of them.

Where there are several deployments, `of` says the same of the events of each.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.spec.parsing import parse

HERE = Path(__file__).parent
SCENARIOS = sorted(path for path in HERE.glob("*.yaml") if not path.name.endswith(".then.yaml"))
TOLERANCE = 2
"""Seconds by which an instant may be off."""

Events = list[dict[str, Any]]


@pytest.mark.parametrize("given", SCENARIOS, ids=lambda path: path.stem)
def test_it_ends_as_it_should(given: Path) -> None:
    (then,) = parse(given.with_suffix(".then.yaml").read_text())
    expected: dict[str, Any] = then.content

    answer = rehearse(given)

    told = "\n".join(map(json.dumps, without_scenes(answer["events"])))
    end = {key: value for key, value in expected.items() if key not in {*OF_EVENTS, "of"}}
    assert part_of(answer, end) == end, told
    holds(answer["events"], {key: expected[key] for key in OF_EVENTS if key in expected})
    for name, of_it in expected.get("of", {}).items():
        assert set(of_it) <= set(OF_EVENTS), name
        holds([event for event in answer["events"] if event["deployment"] == name], of_it)


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


def holds(events: Events, expected: dict[str, Any]) -> None:
    told = "\n".join(map(json.dumps, without_scenes(events)))
    for what, wanted in expected.items():
        assert OF_EVENTS[what](events, wanted), f"{what} is not {wanted}:\n{told}"


def story(events: Events, wanted: list[str]) -> bool:
    """Whether the events are those wanted."""
    return len(events) == len(wanted) and all(is_like(event, one) for event, one in zip(events, wanted, strict=True))


def order(events: Events, wanted: list[str]) -> bool:
    """Whether the wanted ones are among the events in this order."""
    left = iter(events)
    return all(any(is_like(event, one) for event in left) for one in wanted)


def never(events: Events, wanted: list[str]) -> bool:
    """Whether no event is of these types."""
    return not {event["type"] for event in events} & set(wanted)


def counts(events: Events, wanted: dict[str, int]) -> bool:
    """Whether there are so many events of each type."""
    counted = Counter(event["type"] for event in events)
    return {type_: counted[type_] for type_ in wanted} == wanted


def shifts(events: Events, wanted: list[dict[str, int]]) -> bool:
    """Whether the traffic moved like this."""
    return [event["weights"] for event in events if event["type"] == "TrafficShifted"] == wanted


def said(events: Events, wanted: list[str]) -> bool:
    """Whether messages hold these pieces, in this order."""
    left = iter(events)
    return all(any(piece in event["message"] for event in left) for piece in wanted)


def refused(events: Events, wanted: list[str]) -> bool:
    """Whether there are as many refusals, each with its piece."""
    messages = [event["message"] for event in events if event["type"] == "Refused"]
    return len(messages) == len(wanted) and all(
        piece in message for piece, message in zip(wanted, messages, strict=True)
    )


def is_like(event: dict[str, Any], wanted: str) -> bool:
    """Whether an event is of this type, batch, and instant if there is one."""
    what, _, at = wanted.partition(" @")
    same = f"{event['type']} {event['batch'] or ''}".strip() == what
    return same and (not at or abs(event["at"] - float(at)) <= TOLERANCE)


def without_scenes(events: Events) -> Events:
    return [{key: value for key, value in event.items() if key != "scene"} for event in events]


OF_EVENTS: dict[str, Callable[[Events, Any], bool]] = {
    one.__name__: one for one in (story, order, never, counts, shifts, said, refused)
}
