"""Which freeze holds a rollout, and until when: also where clocks are put forward and back."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from longshore.planning.freezes import FAR, concerns, holding, holds_until
from longshore.spec.freeze import Day, FreezeSpec

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "18:00", "until": "08:00"}
WEEKEND = {"days": ["sat", "sun"], "from": "00:00", "until": "24:00"}


def freeze(*windows: dict[str, Any], zone: str = "Europe/Berlin", **choice: Any) -> FreezeSpec:
    return FreezeSpec.model_validate({"reason": "sales peak", "timeZone": zone, "windows": windows, **choice})


def once(start: str, until: str) -> dict[str, Any]:
    return {"from": start, "until": until}


def weekly(days: str, start: str, until: str) -> dict[str, Any]:
    return {"days": days.split(), "from": start, "until": until}


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


SALE = once("2026-11-27T00:00", "2026-11-30T08:00")

# -- when ---------------------------------------------------------------------------------------------------------

SHORT = once("2026-11-27T10:00", "2026-11-27T11:00")
EVE = once("2026-11-26T10:00", "2026-11-26T23:59")
FRIDAY_NIGHT = weekly("fri", "18:00", "08:00")
WINDOWS: list[tuple[str, list[dict[str, Any]], str, str | None]] = [
    ("before it begins it does not hold", [SALE], "2026-11-26T23:59", None),
    ("it holds from its first minute", [SALE], "2026-11-27T00:00", "2026-11-30T08:00"),
    ("it holds in its last minute", [SALE], "2026-11-30T07:59", "2026-11-30T08:00"),
    ("at its end it does not hold", [SALE], "2026-11-30T08:00", None),
    ("a weekly one holds on its day", [weekly("wed", "09:00", "17:00")], "2026-11-25T09:00", "2026-11-25T17:00"),
    ("a weekly one does not hold on another day", [weekly("wed", "09:00", "17:00")], "2026-11-26T09:00", None),
    ("a night ends on the next morning", [FRIDAY_NIGHT], "2026-11-27T23:00", "2026-11-28T08:00"),
    ("the day that a night ends on is its day no more", [FRIDAY_NIGHT], "2026-11-28T19:00", None),
    ("the early hours are of the evening before", [FRIDAY_NIGHT], "2026-11-28T07:59", "2026-11-28T08:00"),
    ("the hours before a night are free", [FRIDAY_NIGHT], "2026-11-27T07:00", None),
    ("24:00 is the end of its day", [weekly("sat", "00:00", "24:00")], "2026-11-28T12:00", "2026-11-29T00:00"),
    ("the same time twice is a whole day", [weekly("sat", "12:00", "12:00")], "2026-11-29T11:59", "2026-11-29T12:00"),
    ("two days that follow each other are one freeze", [WEEKEND], "2026-11-28T12:00", "2026-11-30T00:00"),
    ("windows that overlap are one", [SALE, NIGHTS], "2026-11-27T12:00", "2026-11-30T08:00"),
    ("a chain ends where the last of it does", [SALE, WEEKEND, NIGHTS], "2026-11-26T20:00", "2026-11-30T08:00"),
    ("a window within another does not end it", [SHORT, SALE], "2026-11-27T10:30", "2026-11-30T08:00"),
    ("a pause between two ends the first", [EVE, SALE], "2026-11-26T11:00", "2026-11-26T23:59"),
]


@pytest.mark.parametrize(("windows", "now", "until"), [row[1:] for row in WINDOWS], ids=[row[0] for row in WINDOWS])
def test_when_it_holds(windows: list[dict[str, Any]], now: str, until: str | None) -> None:
    assert holds_until(freeze(*windows), berlin(now)) == (until and berlin(until))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# In Berlin clocks skip 02:00 to 03:00 on 2026-03-29 (01:00 UTC), and show 02:00 to 03:00 twice on 2026-10-25.
EARLY_SPRING = once("2026-03-28T12:00", "2026-03-29T02:30")
LATE_SPRING = once("2026-03-29T02:30", "2026-03-29T12:00")
EARLY_AUTUMN = once("2026-10-24T12:00", "2026-10-25T02:30")
LATE_AUTUMN = once("2026-10-25T02:30", "2026-10-25T12:00")
SATURDAY_NIGHT = weekly("sat", "18:00", "08:00")
CLOCK_CHANGES: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("before a skip in its begin it has not begun", LATE_SPRING, "2026-03-29T00:59", None),
    ("a begin in the skipped hour is the skip", LATE_SPRING, "2026-03-29T01:00", "2026-03-29T10:00"),
    ("an end in the skipped hour is the skip", EARLY_SPRING, "2026-03-29T00:59", "2026-03-29T01:00"),
    ("a window of the skipped hour never is", weekly("sun", "02:00", "03:00"), "2026-03-29T01:00", None),
    ("that night is an hour shorter", SATURDAY_NIGHT, "2026-03-28T17:00", "2026-03-29T06:00"),
    ("a window of the doubled hour lasts two", weekly("sun", "02:00", "03:00"), "2026-10-25T00:00", "2026-10-25T02:00"),
    ("an end in the doubled hour is the second", EARLY_AUTUMN, "2026-10-25T01:15", "2026-10-25T01:30"),
    ("a begin in the doubled hour is the first", LATE_AUTUMN, "2026-10-25T01:10", "2026-10-25T11:00"),
    ("that night is an hour longer", SATURDAY_NIGHT, "2026-10-24T16:00", "2026-10-25T07:00"),
    ("wall times stay after a change", weekly("mon", "09:00", "17:00"), "2026-03-30T07:00", "2026-03-30T15:00"),
]


@pytest.mark.parametrize(
    ("window", "now", "until"), [row[1:] for row in CLOCK_CHANGES], ids=[row[0] for row in CLOCK_CHANGES]
)
def test_where_clocks_change(window: dict[str, Any], now: str, until: str | None) -> None:
    assert holds_until(freeze(window), utc(now)) == (until and utc(until))


def test_a_day_that_a_zone_left_out_never_is() -> None:
    left_out = freeze(once("2011-12-30T00:00", "2011-12-31T00:00"), zone="Pacific/Apia")

    assert [holds_until(left_out, utc("2011-12-29T00:00") + timedelta(hours=hour)) for hour in range(72)] == [None] * 72


def test_one_without_an_end_holds_for_a_year_at_least() -> None:
    always = freeze(weekly("mon tue wed thu fri sat sun", "00:00", "24:00"))
    until = holds_until(always, berlin("2026-11-27T12:00"))

    assert until is not None
    assert until - berlin("2026-11-27T12:00") >= FAR


# -- whom ---------------------------------------------------------------------------------------------------------

CHOICES: list[tuple[str, dict[str, Any], bool]] = [
    ("one that chooses nothing is for all", {}, True),
    ("by name", {"deployments": ["other", "digits"]}, True),
    ("another's name", {"deployments": ["other"]}, False),
    ("by target", {"targets": ["lab"]}, True),
    ("another target", {"targets": ["other"]}, False),
    ("by label", {"labels": {"team": "search"}}, True),
    ("a label of another value", {"labels": {"team": "ads"}}, False),
    ("a label that it does not have", {"labels": {"team": "search", "tier": "1"}}, False),
    ("name and target must both fit", {"deployments": ["digits"], "targets": ["other"]}, False),
    ("all that is chosen by fits", {"deployments": ["digits"], "targets": ["lab"], "labels": {"team": "search"}}, True),
]


@pytest.mark.parametrize(("choice", "held"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES])
def test_whom_it_holds(choice: dict[str, Any], held: bool) -> None:  # noqa: FBT001 - the table's answer
    spec = freeze(SALE, **choice)

    assert concerns(spec, "digits", {"team": "search"}, "lab") is held
    assert (
        holding({"sale": spec}, "digits", {"team": "search"}, "lab", berlin("2026-11-28T12:00")) is not None
    ) is held


# -- what is said -------------------------------------------------------------------------------------------------


def test_it_says_which_freeze_why_and_until_when() -> None:
    frozen = holding({"sale": freeze(SALE)}, "digits", {}, "lab", utc("2026-11-28T12:00"))

    assert frozen is not None
    assert (frozen.name, frozen.until) == ("sale", utc("2026-11-30T07:00"))
    assert frozen.message == "held by freeze sale (sales peak) until 2026-11-30T08:00+01:00"


def test_of_several_it_names_all_up_to_the_end_and_is_that_which_holds_longest_now() -> None:
    freezes = {
        "short": freeze(once("2026-11-27T08:00", "2026-11-27T12:00")),
        "night": freeze(once("2026-11-27T10:00", "2026-11-27T20:00")),
        "next": freeze(once("2026-11-27T20:00", "2026-11-28T06:00"), zone="UTC"),
        "london": freeze(once("2026-11-27T19:00", "2026-11-28T06:00"), zone="Europe/London"),
        "later": freeze(once("2026-11-28T09:00", "2026-11-29T06:00")),
    }
    frozen = holding(freezes, "digits", {}, "lab", berlin("2026-11-27T11:00"))

    assert frozen is not None
    assert (frozen.name, frozen.until) == ("night", utc("2026-11-28T06:00"))
    assert "the freezes short (sales peak) and night (sales peak) and london (sales peak) until" in frozen.message


def test_a_reason_of_several_lines_is_said_in_one() -> None:
    spec = freeze(SALE).model_copy(update={"reason": "first\n  second"})
    frozen = holding({"sale": spec}, "digits", {}, "lab", berlin("2026-11-28T12:00"))

    assert frozen is not None
    assert "sale (first second)" in frozen.message


# -- what always holds --------------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])
TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
DATES = st.integers(0, 270 * 24 * 60).map(lambda minutes: datetime.fromisoformat("2026-03-01") + minutes * MINUTE)
WEEKLY = st.builds(
    lambda days, start, until: weekly(" ".join(days), start, until),
    st.lists(st.sampled_from(get_args(Day)), min_size=1, max_size=4, unique=True),
    TIMES,
    TIMES,
)
ONCE = st.builds(
    lambda start, hours: once(start.isoformat()[:16], (start + timedelta(hours=hours)).isoformat()[:16]),
    DATES,
    st.integers(1, 200),
)
FREEZES = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        lambda windows, zone: freeze(*windows, zone=zone), st.lists(WEEKLY | ONCE, min_size=1, max_size=3), ZONES
    ),
    min_size=1,
)
NOWS = DATES.map(lambda at: at.replace(tzinfo=UTC))
QUIET = timedelta(hours=30)
"""No clock changes so near, unless a test says so."""


def shown(spec: FreezeSpec, now: datetime) -> bool:
    """Whether clocks show a time of a window: what is meant, wherever they are not changed."""
    wall = now.astimezone(ZoneInfo(spec.time_zone)).replace(tzinfo=None)
    for window in spec.model_dump(mode="json")["windows"]:
        start, until = window["from"], window["until"]
        if not window["days"]:
            if start <= wall.isoformat()[:16] < until:
                return True
            continue
        today, yesterday = (f"{day:%a}".lower() in window["days"] for day in (wall, wall - timedelta(days=1)))
        clock = f"{wall:%H:%M}"
        if start < until and today and start <= clock < until:
            return True
        if until <= start and ((today and clock >= start) or (yesterday and clock < until)):
            return True
    return False


def clocks_change(spec: FreezeSpec, now: datetime) -> bool:
    zone = ZoneInfo(spec.time_zone)
    instants = [(now + step * QUIET).astimezone(zone) for step in (-1, 0, 1)]
    return any(one.utcoffset() != other.utcoffset() for one, other in pairwise(instants))


def held(freezes: dict[str, FreezeSpec], now: datetime) -> datetime | None:
    frozen = holding(freezes, "digits", {}, "lab", now)
    return frozen.until if frozen else None


@settings(max_examples=300, deadline=None)
@given(FREEZES, NOWS)
def test_it_holds_exactly_when_clocks_show_a_time_of_a_window(freezes: dict[str, FreezeSpec], now: datetime) -> None:
    assume(not any(clocks_change(spec, now) for spec in freezes.values()))

    assert (held(freezes, now) is not None) == any(shown(spec, now) for spec in freezes.values())


@settings(max_examples=200, deadline=None)
@given(FREEZES, NOWS, st.floats(0, 0.99))
def test_until_its_end_it_holds_without_a_pause_and_then_no_more(
    freezes: dict[str, FreezeSpec], now: datetime, part: float
) -> None:
    until = held(freezes, now)
    assume(until is not None)
    assert until is not None
    assert until > now
    assert held(freezes, now + part * (until - now)) is not None
    if until < now + FAR:
        assert held(freezes, until) is None
        assert held(freezes, now + part * (until - now)) == until


@settings(max_examples=100, deadline=None)
@given(FREEZES, FREEZES, NOWS)
def test_another_freeze_never_lets_a_rollout_go_earlier(
    some: dict[str, FreezeSpec], more: dict[str, FreezeSpec], now: datetime
) -> None:
    before = held(some, now)
    after = held(some | {f"more-{name}": spec for name, spec in more.items()}, now)
    assert before is None or (after is not None and after >= before)
