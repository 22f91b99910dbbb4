"""What holds for every valid document."""

from typing import Any

import jsonschema
from hypothesis import given, settings
from manifest_strategies import DOCUMENTS

from longshore.spec.checking import check, identity
from longshore.spec.parsing import parse
from longshore.spec.schema import json_schema
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
