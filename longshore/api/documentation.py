"""The OpenAPI document: what FastAPI derives, with our one shape of failure."""

from typing import Any, Final

from fastapi import FastAPI

from longshore.api.answers import EventAnswer, Page
from longshore.api.problems import MEDIA_TYPE, FieldProblem, ProblemDetails

REFERENCE: Final = "#/components/schemas/{model}"
_FAILURES: Final = {
    401: "No valid API key.",
    403: "The key's roles do not suffice.",
    404: "There is no such thing.",
    409: "Refused, or a conflict with what is stored; the detail says what would do.",
    422: "The request, or a document in it, is not valid.",
    503: "The store or Temporal does not answer; try again.",
}
PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemDetails")}}},
    }
    for status, description in _FAILURES.items()
}


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document know the schemas that only responses of ours refer to."""
    derive = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = derive()
            schemas = document["components"]["schemas"]
            for model in (ProblemDetails, FieldProblem, EventAnswer, Page[EventAnswer]):
                schema = model.model_json_schema(ref_template=REFERENCE, mode="serialization")
                schemas |= schema.pop("$defs", {})
                schemas.setdefault(model.__name__.replace("[", "_").replace("]", "_"), schema)
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
