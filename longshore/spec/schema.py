"""The JSON Schema of all documents, for editors and other programs."""

from typing import Any

from pydantic import TypeAdapter

from longshore.spec.checking import KINDS
from longshore.spec.documents import Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """One schema (draft 2020-12) that every valid document satisfies.

    What no schema can say (two checks of one name, `compare` with `maxIncrease`) `validate` finds.
    """
    schema = TypeAdapter(Document).json_schema()
    for kind in KINDS:
        # A kind has a default in Python; in a document it is what tells the documents apart.
        definition = schema["$defs"][kind]
        definition["required"] = ["kind", *definition["required"]]
    _without_titles(schema)
    return {"$schema": DIALECT, "title": "A Longshore document", **schema}


def _without_titles(schema: Any) -> None:
    """Drop pydantic's titles, which are the field names once more."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for inner in schema.values():
            _without_titles(inner)
    elif isinstance(schema, list):
        for inner in schema:
            _without_titles(inner)
