"""A freeze: times in which no rollout begins."""

import re
from datetime import datetime, time
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Name

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
_TIME_OF_DAY = re.compile(rf"{_CLOCK}|24:00")
_DATE_AND_TIME = re.compile(rf"(?:19|2\d)\d{{2}}-\d{{2}}-\d{{2}}T{_CLOCK}")
"""From 1900 on: the first years of the calendar have no instant in every zone."""
MIDNIGHT = time(0, 0)

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def parse_wall_time(value: Any) -> datetime | time:
    """What a clock on the wall shows: `2026-11-27T08:00` is a date and time, `18:00` a time of day; to the minute.

    `24:00`, the end of a day, is the 00:00 that follows it.

    Raises:
        ValueError: it is neither.
    """
    text = value.strip() if isinstance(value, str) else ""
    if _TIME_OF_DAY.fullmatch(text):
        return MIDNIGHT if text == "24:00" else time.fromisoformat(text)
    if _DATE_AND_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no day of the calendar") from error
    raise ValueError(f"{value!r} is not a time on the clock of timeZone: write 2026-11-27T08:00, or with days 18:00")


def format_wall_time(value: datetime | time) -> str:
    """As `parse_wall_time` reads it."""
    return value.isoformat(timespec="minutes")


def _known_zone(name: str) -> str:
    """The name of a time zone that the zone database has."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, a path that leads out, a folder of zones
        near = _near_zone(name)
        cure = f"did you mean `{near}`?" if near else "write a name such as Europe/Berlin, or UTC"
        raise ValueError(f"unknown time zone `{name}`: {cure}") from error
    return name


def _near_zone(name: str) -> str | None:
    """The zone of this city, or of the nearest spelling; case does not count."""
    given = name.lower().replace(" ", "_")
    by_lower = {zone.lower(): zone for zone in sorted(available_timezones())}
    if any(zone.startswith(f"{given}/") for zone in by_lower):
        return None  # a folder is near to all of its zones, and none is meant more than another
    cities = [zone for zone in by_lower if zone.endswith(f"/{given}")]
    near = cities or get_close_matches(given, by_lower, n=1, cutoff=0.75)
    return by_lower[near[0]] if near else None


WallTime = Annotated[
    datetime | time,
    BeforeValidator(parse_wall_time),
    PlainSerializer(format_wall_time, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(\d{4}-\d{2}-\d{2}T)?\d{2}:\d{2}$",
            "examples": ["2026-11-27T08:00", "18:00"],
        }
    ),
]
"""A wall time without its zone: a date and time, or a time of day."""

TimeZone = Annotated[str, AfterValidator(_known_zone), Field(examples=["Europe/Berlin", "UTC"])]
"""A name of the IANA time zone database."""


class Window(Spec):
    """Once, from a date and time until another; or every week on some days, from a time of day until another."""

    days: tuple[Day, ...] = Field(
        default=(), description="Every week on these days, mon to sun, on which it begins; left out: once."
    )
    start: WallTime = Field(alias="from", description="When it begins, by the clocks of timeZone.")
    until: WallTime = Field(
        description="When it ends. A time of day that is not after `from` is the next day's; `24:00` ends a day."
    )

    @model_validator(mode="after")
    def _is_once_or_weekly(self) -> Self:
        dated = [isinstance(one, datetime) for one in (self.start, self.until)]
        if self.days and any(dated):
            raise ValueError("with days, from and until are times of day, such as 18:00: remove their dates")
        if not self.days and not all(dated):
            raise ValueError("without days, from and until are dates with times, such as 2026-11-27T08:00: add them")
        if isinstance(self.start, datetime) and isinstance(self.until, datetime) and self.until <= self.start:
            raise ValueError("until is not after from: swap them, or mend the date")
        return self


class FreezeSpec(Spec):
    """Which deployments are held, and when. What is left out of the choice leaves it open: nothing given is all."""

    reason: str = Field(min_length=1, max_length=500, description="Why, told to whoever is held.")
    time_zone: TimeZone = Field(default="UTC", description="The IANA time zone whose clocks the windows go by.")
    deployments: tuple[Name, ...] = Field(default=(), description="Only these deployments.")
    labels: dict[str, str] = Field(default={}, description="Only deployments with all of these labels.")
    targets: tuple[Name, ...] = Field(default=(), description="Only deployments on these targets.")
    windows: tuple[Window, ...] = Field(min_length=1, description="When it holds: in any of these windows.")
