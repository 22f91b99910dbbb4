"""Quantities as people write them (`30s`, `25%`, `0`) and as code uses them."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST = 3650 * 86400.0
"""Ten years: beyond it a duration is a mistake, and milliseconds would no longer be exact."""
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


def parse_duration(value: Any) -> float:
    """Seconds of a duration such as `90s`, `1h30m` or `250ms`, to the millisecond. A bare number is seconds.

    Raises:
        ValueError: it is not a duration, is negative, or is longer than ten years.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    elif isinstance(value, str) and _DURATION.fullmatch(value.strip()):
        seconds = math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    else:
        raise ValueError(f"{value!r} is not a duration: write 30s, 5m, 1h30m or 250ms")
    if not 0 <= seconds <= _LONGEST:
        raise ValueError("a duration is neither negative nor longer than ten years")
    return round(seconds * 1000) / 1000


def format_duration(seconds: float) -> str:
    """The shortest way to write a duration, down to milliseconds: 90.0 → `1m30s`, 0.0 → `0s`."""
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_amount(value: Any) -> "int | str":
    """A count of copies, or a percentage kept as written.

    Raises:
        ValueError: neither a whole number from 0 nor a percentage from 0% to 100%.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value.strip())
        if match and float(match.group(1)) <= 100:
            return value.strip()
        if value.strip().isdigit():
            return int(value)
    raise ValueError(f"{value!r} is neither a count nor a percentage: write 2 or 25%")


def parse_share(value: Any) -> float:
    """A relative increase: `20%` → 0.2, and 0.2 → 0.2.

    Raises:
        ValueError: it is neither a percentage nor a number from 0.
    """
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        return float(match.group(1)) / 100
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    raise ValueError(f"{value!r} is not a relative increase: write 20% or 0.2")


def of_copies(amount: "int | str", copies: int, *, up: bool) -> int:
    """How many copies an amount means; a percentage rounds up or down (DESIGN, rule 1).

    The percentage is taken in hundredths of a percent, so that 10% of 30 is 3 and never 3.0000000000000004.
    """
    if isinstance(amount, int):
        return amount
    hundredths = round(float(amount.rstrip("%")) * 100)
    whole, rest = divmod(hundredths * copies, 10_000)
    return whole + (1 if up and rest else 0)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"},
                {"type": "number", "minimum": 0},
            ],
            "examples": ["30s", "5m", "1h30m"],
        }
    ),
]
"""Seconds; written `30s`, `5m`, `1h30m`, or a bare number of seconds."""

Amount = Annotated[
    int | str,
    BeforeValidator(parse_amount),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}],
            "examples": [2, "25%"],
        }
    ),
]
"""A count of copies, or a percentage of the desired copies."""

Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}],
            "examples": ["20%", 0.2],
        }
    ),
]
"""A relative increase as a fraction; written `20%` or `0.2`."""

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME)]
"""A name as DNS labels have it (RFC 1123): lower case letters, digits and dashes, at most 63."""

VERSION = r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
Version = Annotated[str, Field(pattern=VERSION)]
"""A version label: letters, digits, dashes, dots and underscores, at most 63."""
