"""What differs between two desired states, told field by field."""

from typing import Any

import pytest

from longshore.cli.difference import changes, unified

ERRORS, SLOW = {"name": "errors", "max": 0.01, "min": None}, {"name": "slow", "max": 200}

TABLE: list[tuple[str, Any, Any, list[str]]] = [
    ("what is the same is no difference", {"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}, []),
    ("a field at any depth is told with its path", {"a": {"b": 1}}, {"a": {"b": 2}}, ["- a.b: 1", "+ a.b: 2"]),
    ("what is new has no line before", {}, {"a": "x"}, ['+ a: "x"']),
    ("what is gone has no line after", {"a": True}, {}, ["- a: true"]),
    ("a list of values differs as a whole", {"a": [1]}, {"a": [1, 2]}, ["- a: [1]", "+ a: [1, 2]"]),
    (
        "things with names differ one by one",
        {"checks": [ERRORS, SLOW]},
        {"checks": [{**ERRORS, "max": 0.02}]},
        [
            "- checks[errors].max: 0.01",
            "+ checks[errors].max: 0.02",
            '- checks[slow]: {"name": "slow", "max": 200}',
        ],
    ),
    (
        "a first thing with a name is told without what it leaves out",
        {"checks": []},
        {"checks": [ERRORS]},
        ['+ checks[errors]: {"name": "errors", "max": 0.01}'],
    ),
    (
        "another order of the same things is told",
        {"checks": [ERRORS, SLOW]},
        {"checks": [SLOW, ERRORS]},
        ['- checks: ["errors", "slow"]', '+ checks: ["slow", "errors"]'],
    ),
]


@pytest.mark.parametrize(("before", "after", "lines"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_it_is_told_line_by_line(before: Any, after: Any, lines: list[str]) -> None:
    found = [change._asdict() for change in changes(before, after)]

    assert list(unified(found, colour=False)) == lines
