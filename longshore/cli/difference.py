"""What differs between two values of JSON, field by field."""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Change(NamedTuple):
    """One field that differs. An end that has no such field is None."""

    field: str
    before: Any
    after: Any


def changes(before: Any, after: Any, field: str = "") -> Iterator[Change]:
    """The fields that differ, in the order of the new value, then those that are gone; lists differ as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            yield from changes(before.get(name), after.get(name), f"{field}.{name}" if field else name)
    elif before != after:
        yield Change(field, before, after)
