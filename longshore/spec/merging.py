"""Merging what is given onto what was there."""

from collections.abc import Mapping
from typing import Any


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged field by field, at every depth; lists and values are replaced."""
    both = dict(before)
    for name, value in changes.items():
        inner = both.get(name)
        both[name] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return both
