"""Freeze documents: what is read, and what is said of mistakes."""

import io

import pytest

from longshore.spec.documents import Freeze
from longshore.spec.loading import load
from longshore.spec.problems import ManifestError

BLACK_FRIDAY = """\
kind: Freeze
metadata: {name: black-friday}
spec:
  reason: sales peak
  timeZone: Europe/Berlin
  deployments: [digits]
  labels: {team: search}
  targets: [workstation]
  windows:
    - {from: 2026-11-27T00:00, until: 2026-11-30T08:00}
    - {days: [sat, sun], from: 18:00, until: 24:00}
"""
ONCE = "{from: 2026-11-27T00:00, until: 2026-11-30T08:00}"


def said(zone: str = "UTC", window: str = ONCE, reason: str = "peak") -> list[str]:
    """What is said of a freeze, without its place in the file."""
    text = f"""\
kind: Freeze
metadata: {{name: a}}
spec:
  reason: {reason}
  timeZone: {zone}
  windows: [{window}]
"""
    try:
        load(["-"], stdin=io.StringIO(text))
    except ManifestError as error:
        return [line.partition(": ")[2] for line in str(error).splitlines()]
    return []


def test_a_freeze_is_read_and_written_as_people_write_it() -> None:
    (loaded,) = load(["-"], stdin=io.StringIO(BLACK_FRIDAY))

    assert isinstance(loaded.document, Freeze)
    assert loaded.document.spec.model_dump(mode="json")["windows"] == [
        {"days": [], "from": "2026-11-27T00:00", "until": "2026-11-30T08:00"},
        {"days": ["sat", "sun"], "from": "18:00", "until": "00:00"},
    ]


def test_a_freeze_may_leave_out_whom_it_is_for() -> None:
    assert said() == []


FORM = "is not a time on the clock of timeZone: write 2026-11-27T08:00, or with days 18:00"
DATED = "with days, from and until are times of day, such as 18:00: remove their dates"
UNDATED = "without days, from and until are dates with times, such as 2026-11-27T08:00: add them"
WEEKDAY = "spec.windows[0].days[0]: 'saturday' is not one of them:"
WINDOWS = {
    "{days: [sat], from: 2026-11-27T00:00, until: 08:00}": [f"spec.windows[0]: {DATED}"],
    "{days: [sat], from: 18:00, until: 2026-11-30T08:00}": [f"spec.windows[0]: {DATED}"],
    "{from: 18:00, until: 08:00}": [f"spec.windows[0]: {UNDATED}"],
    "{days: [], from: 18:00, until: 08:00}": [f"spec.windows[0]: {UNDATED}"],
    "{from: 2026-11-30T08:00, until: 2026-11-30T08:00}": [
        "spec.windows[0]: until is not after from: swap them, or mend the date"
    ],
    "{from: 2026-02-30T08:00, until: 2026-11-30T08:00}": [
        "spec.windows[0].from: '2026-02-30T08:00' is no day of the calendar"
    ],
    "{from: 2026-11-27T00:00Z, until: 2026-11-30T08:00}": [f"spec.windows[0].from: '2026-11-27T00:00Z' {FORM}"],
    "{from: 0001-01-01T00:00, until: 2026-11-30T08:00}": [f"spec.windows[0].from: '0001-01-01T00:00' {FORM}"],
    "{days: [sat], from: 25:00, until: 08:00}": [f"spec.windows[0].from: '25:00' {FORM}"],
    "{days: [sat], from: 8, until: 18:00}": [f"spec.windows[0].from: 8 {FORM}"],
    "{days: [saturday], from: 08:00, until: 18:00}": [
        f"{WEEKDAY} write 'mon', 'tue', 'wed', 'thu', 'fri', 'sat' or 'sun'"
    ],
    "{form: 2026-11-27T00:00, until: 2026-11-30T08:00}": [
        "spec.windows[0].from: this field is required: add it",
        "spec.windows[0].form: unknown field `form`: did you mean `from`?",
    ],
    "": ["spec.windows: the list is empty: give at least one item"],
}


@pytest.mark.parametrize(("window", "lines"), WINDOWS.items(), ids=WINDOWS)
def test_a_wrong_window_hears_what_is_wrong_and_nothing_else(window: str, lines: list[str]) -> None:
    assert said(window=window) == lines


ZONES = {
    "Europe/Berln": "did you mean `Europe/Berlin`?",
    "berlin": "did you mean `Europe/Berlin`?",
    "New York": "did you mean `America/New_York`?",
    "Europe": "write a name such as Europe/Berlin, or UTC",
    "Mars/Olympus": "write a name such as Europe/Berlin, or UTC",
    "../../etc/passwd": "write a name such as Europe/Berlin, or UTC",
    "Asia/Kathmandu": None,
}


@pytest.mark.parametrize(("zone", "cure"), ZONES.items(), ids=ZONES)
def test_an_unknown_time_zone_hears_the_nearest(zone: str, cure: str | None) -> None:
    assert said(zone=zone) == ([f"spec.timeZone: unknown time zone `{zone}`: {cure}"] if cure else [])


def test_a_freeze_says_why() -> None:
    assert said(reason='""') == ["spec.reason: it is empty: write something"]
