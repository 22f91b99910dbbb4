"""The two bases: of what people write, and of the values that rooms pass to each other."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Spec(BaseModel):
    """A part of a manifest. Unknown fields are errors; Python names are snake_case, YAML and JSON camelCase."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )


class Value(BaseModel):
    """An immutable value that crosses a seam. Fields are only ever added, since builds of two ages may talk."""

    model_config = ConfigDict(frozen=True, extra="ignore")
