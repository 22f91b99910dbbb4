"""What differs between two values of JSON, field by field, and how people are told."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_GONE, _NEW = "31", "32"


class Change(NamedTuple):
    """One field that differs. An end that has no such field is None."""

    field: str
    before: Any
    after: Any


def changes(before: Any, after: Any, field: str = "") -> Iterator[Change]:
    """The fields that differ, in the order of the new value, then those that are gone.

    Lists of things with names, such as checks, are compared by these; others differ as a whole.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name in _names(before, after):
            yield from changes(before.get(name), after.get(name), f"{field}.{name}" if field else name)
    elif _named(before) and _named(after):
        old, new = ({item["name"]: item for item in items} for items in (before, after))
        for name in _names(old, new):
            yield from changes(old.get(name), new.get(name), f"{field}[{name}]")
        if list(old) != list(new) and set(old) == set(new):
            yield Change(field, list(old), list(new))
    elif before != after:
        yield Change(field, before, after)


def unified(found: Iterable[dict[str, Any]], *, colour: bool) -> Iterator[str]:
    """Lines of a unified difference: `- field: stored`, then `+ field: wanted`."""
    for change in found:
        for sign, paint, end in (("-", _GONE, "before"), ("+", _NEW, "after")):
            if change[end] is not None:
                line = f"{sign} {change['field']}: {json.dumps(_told(change[end]), ensure_ascii=False)}"
                yield f"\x1b[{paint}m{line}\x1b[0m" if colour else line


def _names(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [*after, *(name for name in before if name not in after)]


def _named(value: Any) -> bool:
    """Whether it is a list of things with names; an empty one may be."""
    return isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value)


def _told(value: Any) -> Any:
    """A value without what is left out of it anyway."""
    if isinstance(value, dict):
        return {name: _told(inner) for name, inner in value.items() if inner is not None}
    return value
