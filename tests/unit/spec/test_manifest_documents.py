"""What holds for every valid document."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from manifest_strategies import DOCUMENTS

from longshore.spec.checking import KINDS, check, identity
from longshore.spec.parsing import parse
from longshore.spec.schema import json_schema
from longshore.spec.wording import message_of
from longshore.spec.writing import to_yaml

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


@given(content=DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_a_valid_document_goes_through_yaml_and_back_unchanged(content: dict[str, Any]) -> None:
    document = check(content)
    written = to_yaml([document.model_dump(mode="json")])

    (parsed,) = parse(written)

    assert check(parsed.content) == document
    assert identity(check(parsed.content)) == identity(document)


@given(content=DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_what_people_wrote_is_read_back_as_they_wrote_it(content: dict[str, Any]) -> None:
    (parsed,) = parse(to_yaml([content]))

    assert parsed.content == content
    assert set(parsed.lines) >= {("kind",), ("metadata",), ("spec",)}


@given(content=DOCUMENTS)
@settings(max_examples=100, deadline=None)
def test_a_valid_document_satisfies_the_json_schema(content: dict[str, Any]) -> None:
    check(content)

    VALIDATOR.validate(content)


def patterns_in(schema: Any) -> Iterator[str]:
    """The patterns that pydantic holds texts to, anywhere in its own schema of a model."""
    if isinstance(schema, dict):
        if schema.get("type") == "str" and "pattern" in schema:
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, (list, tuple)):
        for part in schema:
            yield from patterns_in(part)


PATTERNS = sorted({pattern for kind in KINDS.values() for pattern in patterns_in(kind.__pydantic_core_schema__)})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_whatever_a_text_does_not_fit_is_told_in_words(pattern: str) -> None:
    said = message_of(
        {"type": "string_pattern_mismatch", "loc": (), "msg": "", "input": "?", "ctx": {"pattern": pattern}}
    )

    assert said.startswith("'?' does not fit: ")
    assert pattern not in said


def test_the_schema_is_a_schema_that_describes_every_field() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    undescribed = [
        f"{name}.{field}"
        for name, definition in schema["$defs"].items()
        for field, value in definition["properties"].items()
        if not value.get("description") and "$ref" not in value and field not in {"apiVersion", "kind"}
    ]

    assert undescribed == []


def test_the_schema_tells_documents_apart_by_a_kind_that_must_be_there() -> None:
    nameless = {"metadata": {"name": "a"}, "spec": {"backend": "local"}}

    assert not VALIDATOR.is_valid(nameless)
    assert VALIDATOR.is_valid({"kind": "Target", **nameless})
    assert not VALIDATOR.is_valid({"kind": "Deployment", **nameless})
