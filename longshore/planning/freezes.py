"""Which freeze holds a rollout now, and until when.

A wall time that clocks show twice (they are put back) begins a window at its first and ends one at its second; one
that they skip (they are put forward) is the instant of the skip. So a window lasts from the first instant at which
clocks in its zone show it to the last one, and never ends before it began.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple, get_args
from zoneinfo import ZoneInfo

from longshore.planning.operation import Frozen
from longshore.spec.freeze import Day, FreezeSpec, Window

FAR: Final = timedelta(days=366)
"""How far ahead the end of a chain of windows is looked for: some have none, such as every day from 00:00 to 24:00."""

_DAY: Final = timedelta(days=1)
_DAYS: Final[tuple[Day, ...]] = get_args(Day)


class Span(NamedTuple):
    """From one instant until another, which is no longer of it."""

    start: datetime
    until: datetime


def holding(
    freezes: Mapping[str, FreezeSpec], deployment: str, labels: Mapping[str, str], target: str, now: datetime
) -> Frozen | None:
    """The freeze that holds a rollout of a deployment; None when none does.

    Args:
        freezes: All that there are, by name.
        deployment: Its name.
        labels: Its labels.
        target: The target it is on.
        now: The instant, in any zone.

    Returns:
        The one that has begun and ends last, and when the last of those ends that follow it without a pause: at
        `until` no freeze holds it, but for those that a year from now still have no end.
    """
    concerned = {name: spec for name, spec in freezes.items() if concerns(spec, deployment, labels, target)}
    chain = _chain(concerned, now)
    if not chain:
        return None
    until = max(span.until for _, span in chain)
    begun = [(span.until, name) for name, span in chain if span.start <= now]
    longest = max(ends for ends, _ in begun)
    names = dict.fromkeys(name for name, _ in chain)
    last = next(name for name, span in chain if span.until == until)
    told = " and ".join(f"{name} ({' '.join(freezes[name].reason.split())})" for name in names)
    ends = until.astimezone(ZoneInfo(freezes[last].time_zone)).isoformat(timespec="minutes")
    return Frozen(
        name=min(name for ends_at, name in begun if ends_at == longest),
        until=until,
        message=f"held by {'freeze' if len(names) == 1 else 'the freezes'} {told} until {ends}",
    )


def concerns(spec: FreezeSpec, deployment: str, labels: Mapping[str, str], target: str) -> bool:
    """Whether a freeze is for a deployment: all that it chooses by must fit; one that chooses nothing is for all."""
    return (
        (not spec.deployments or deployment in spec.deployments)
        and (not spec.targets or target in spec.targets)
        and all(labels.get(label) == value for label, value in spec.labels.items())
    )


def holds_until(spec: FreezeSpec, now: datetime) -> datetime | None:
    """When a freeze that holds now ends; None when it does not hold."""
    return max((span.until for _, span in _chain({"": spec}, now)), default=None)


def _chain(freezes: Mapping[str, FreezeSpec], now: datetime) -> list[tuple[str, Span]]:
    """The windows that hold now, and those that go on where they end, each with its freeze's name; in their order."""
    chain: list[tuple[str, Span]] = []
    at = now.astimezone(UTC)
    while at < now + FAR:
        found = {(name, span) for name in freezes for span in _around(freezes[name], at)}
        if not found:
            break
        chain += sorted(found, key=lambda one: (one[1], one[0]))
        at = max(span.until for _, span in found)
    return chain


def _around(spec: FreezeSpec, at: datetime) -> Iterator[Span]:
    """The windows of a freeze that an instant is in."""
    zone = ZoneInfo(spec.time_zone)
    spans = (span for window in spec.windows for span in _near(window, zone, at))
    return (span for span in spans if span.start <= at < span.until)


def _near(window: Window, zone: ZoneInfo, at: datetime) -> Iterator[Span]:
    """A window that is once; of a weekly one, those that begin on the day before, on that day, and on the next."""
    start, until = window.start, window.until
    if isinstance(start, datetime) and isinstance(until, datetime):
        yield Span(_instants(start, zone)[0], _instants(until, zone)[1])
    elif isinstance(start, time) and isinstance(until, time):
        today = at.astimezone(zone).date()
        for day in (today - _DAY, today, today + _DAY):
            if _DAYS[day.weekday()] in window.days:
                ends = datetime.combine(day if until > start else day + _DAY, until)
                yield Span(_instants(datetime.combine(day, start), zone)[0], _instants(ends, zone)[1])


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last instant at which clocks of the zone show a time; when they skip it, that of the skip."""
    first, last = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == last or first.astimezone(zone).replace(tzinfo=None) == wall:
        return first, last

    def skipped(seconds: int) -> bool:
        return (first + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

    offset = first.astimezone(zone).utcoffset()
    skip = first + timedelta(seconds=bisect_left(range(int((last - first).total_seconds())), True, key=skipped))
    return skip, skip
