"""What botocore's service model says of a value and botocore's own validator does not check.

`botocore.validate.ParamValidator` covers required members, types and minima. Patterns, maxima and enums stand in the
same shapes; they are checked here, and reported in the words that the service uses.
"""

import datetime as dt
from collections.abc import Iterator
from functools import cache
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

_PAIR = regex.compile(r"\\u(D[89AB][0-9A-F]{2})\\u(D[C-F][0-9A-F]{2})", regex.IGNORECASE)
"""One character beyond the basic plane as Java's patterns write it: two surrogates."""
_LONGEST_ENUM = 60
"""Values of an enum that a message lists; the instance types alone are thousands of characters."""


class NotThatTypeError(Exception):
    """JSON of another type than the shape's."""


def from_json(shape: Shape, value: Any) -> Any:
    """JSON as the Python values of a shape: timestamps become aware datetimes, unknown members are left out.

    Raises:
        NotThatTypeError: it is of another type than the shape.
    """
    match shape:
        case StructureShape():
            _must(isinstance(value, dict), shape, value)
            return {n: from_json(m, value[n]) for n, m in shape.members.items() if value.get(n) is not None}
        case ListShape():
            _must(isinstance(value, list), shape, value)
            return [from_json(shape.member, each) for each in value]
        case MapShape():
            _must(isinstance(value, dict), shape, value)
            return {key: from_json(shape.value, each) for key, each in value.items()}
    if shape.type_name == "timestamp":
        _must(isinstance(value, int | float) and not isinstance(value, bool), shape, value)
        return dt.datetime.fromtimestamp(value, dt.UTC)
    return value


def to_json(value: Any) -> Any:
    """Python values as JSON: datetimes become seconds since the epoch, members that are None are left out."""
    match value:
        case dict():
            return {key: to_json(each) for key, each in value.items() if each is not None}
        case list() | tuple():
            return [to_json(each) for each in value]
        case dt.datetime():
            return round(value.timestamp(), 3)
    return value


def problems(shape: Shape, value: Any) -> list[str]:
    """All that the service's model says against a value, each in a sentence; empty if it is allowed."""
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [str(line) for line in report.generate_report().splitlines()]
    return list(_against(shape, value, ""))


def _must(holds: bool, shape: Shape, value: Any) -> None:  # noqa: FBT001 - a condition, not a switch
    if not holds:
        raise NotThatTypeError(f"{shape.name} is a {shape.type_name}, not {type(value).__name__}")


def _against(shape: Shape, value: Any, at: str) -> Iterator[str]:
    match shape:
        case StructureShape():
            for name, member in shape.members.items():
                if name in value:
                    yield from _against(member, value[name], f"{at}.{_camel(name)}" if at else _camel(name))
        case ListShape():
            yield from _size(shape, len(value), value, at)
            for index, each in enumerate(value, start=1):
                yield from _against(shape.member, each, f"{at}.{index}.member")
        case MapShape():
            yield from _size(shape, len(value), value, at)
            for key, each in value.items():
                yield from _against(shape.key, key, at)
                yield from _against(shape.value, each, f"{at}.{key}.member")
        case _:
            yield from _scalar(shape, value, at)


def _scalar(shape: Shape, value: Any, at: str) -> Iterator[str]:
    if isinstance(value, str):
        yield from _size(shape, len(value), value, at)
        if (pattern := shape.metadata.get("pattern")) and not _compiled(pattern).fullmatch(value):
            yield _refused(value, at, f"Member must satisfy regular expression pattern: {pattern}")
        enum = shape.metadata.get("enum")
        if enum and value not in enum:
            known = ", ".join(enum) if len(enum) <= _LONGEST_ENUM else f"the {len(enum)} values of {shape.name}"
            yield _refused(value, at, f"Member must satisfy enum value set: [{known}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        most = shape.metadata.get("max")
        if most is not None and value > most:
            yield _refused(value, at, f"Member must have value less than or equal to {most}")


def _size(shape: Shape, size: int, value: Any, at: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and size > most:
        yield _refused(value, at, f"Member must have length less than or equal to {most}")


def _refused(value: Any, at: str, constraint: str) -> str:
    return f"Value '{value}' at '{at}' failed to satisfy constraint: {constraint}"


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


@cache
def _compiled(pattern: str) -> "regex.Pattern[str]":
    """The models' patterns are Java's, with properties of Unicode that `re` does not read; `regex` does."""
    return regex.compile(_PAIR.sub(_joined, pattern), regex.V1 if "&&" in pattern else regex.V0)


def _joined(pair: "regex.Match[str]") -> str:
    high, low = (int(half, 16) for half in pair.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"
