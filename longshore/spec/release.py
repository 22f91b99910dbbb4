"""What the manifest format has and this release has not: accepted when empty, else refused in one honest line."""

from typing import Any

from pydantic import BeforeValidator


def not_yet(*values: str, instead: str) -> BeforeValidator:
    """Refuse values that belong to the format but not to this release; others are left to the field's own type."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in values:
            raise ValueError(f"{value} is not in this release of Longshore: use {instead}")
        return value

    return BeforeValidator(check)


def not_yet_fields(*fields: str, instead: str) -> BeforeValidator:
    """Refuse a mapping that holds one of `fields`, which belong to the format but not to this release."""

    def check(value: Any) -> Any:
        for field in fields:
            if isinstance(value, dict) and field in value:
                raise ValueError(f"{field} is not in this release of Longshore: use {instead}")
        return value

    return BeforeValidator(check)
