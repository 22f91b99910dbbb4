"""One document from JSON values to a model, or every problem it has, said for people.

The loader uses it on files and the API on requests, so that both say the same of the same document.
"""

import json
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from longshore.spec.documents import API_VERSION, Deployment, Document, Freeze, ModelVersion, Target
from longshore.spec.wording import message_of

KINDS: Final[Mapping[str, type[Target | ModelVersion | Deployment | Freeze]]] = {
    "Target": Target,
    "ModelVersion": ModelVersion,
    "Deployment": Deployment,
    "Freeze": Freeze,
}
NOT_APPLIED: Final = {"Rehearsal": "longshore rehearse -f FILE plays it"}
"""Kinds that are no desired state, and what is done with them instead."""

NO_FIELDS: Final = "a document has fields: apiVersion, kind, metadata and spec"
TAG: Final = "do"
"""The field that tells the events of a rehearsal's timeline apart."""

Path = tuple[str | int, ...]
D = TypeVar("D", bound=BaseModel)


class DocumentError(Exception):
    """A document is not valid. Holds a (path, message) pair for each problem."""

    def __init__(self, problems: list[tuple[Path, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(message for _, message in problems))


def check(content: Any) -> Document:
    """Validate one document.

    Raises:
        DocumentError: with every problem of the document.
    """
    return check_as(KINDS[_kind(content)], content)


def check_as(model: type[D], content: Any) -> D:
    """Validate one document of a kind that is known.

    Raises:
        DocumentError: with every problem of the document.
    """
    if not isinstance(content, dict):
        raise DocumentError([((), NO_FIELDS)])
    try:
        return model.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        raise DocumentError(_problems(model, content, error)) from error


def identity(document: Document) -> tuple[str, str]:
    """What a document is known by: its kind and its name; a model version's is `model/version`."""
    if isinstance(document, ModelVersion):
        return document.kind, f"{document.metadata.model}/{document.metadata.version}"
    return document.kind, document.metadata.name


def _kind(content: Any) -> str:
    """The kind of a document that this release has."""
    if not isinstance(content, dict):
        raise DocumentError([((), NO_FIELDS)])
    version = content.get("apiVersion", API_VERSION)
    if version != API_VERSION:
        raise DocumentError([(("apiVersion",), f"{version!r} is not known here: write {API_VERSION}")])
    kind = content.get("kind")
    if kind is None:
        raise DocumentError([((), f"kind is missing: write one of {', '.join(KINDS)}")])
    if not isinstance(kind, str):
        raise DocumentError([(("kind",), f"a kind is a text: write one of {', '.join(KINDS)}")])
    if kind in NOT_APPLIED:
        raise DocumentError([(("kind",), f"a {kind} is not applied: {NOT_APPLIED[kind]}")])
    if kind not in KINDS:
        cure = did_you_mean(kind, KINDS) or f"write one of {', '.join(KINDS)}"
        raise DocumentError([(("kind",), f"unknown kind `{kind}`: {cure}")])
    return kind


def did_you_mean(given: str, known: Any) -> str | None:
    """`did you mean `copies`?`, or None when nothing is near; case does not count."""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean `{by_lower[near[0]]}`?" if near else None


def _problems(model: type[BaseModel], content: Any, error: ValidationError) -> list[tuple[Path, str]]:
    """Pydantic's errors on the fields people wrote; several on one field (a union's members) become one line."""
    found: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and detail["ctx"]["actual_length"] < len(detail["input"]):
            continue  # pydantic does not count the items that are wrong, of which it told already
        path = _written(detail, content)
        if detail["type"].startswith("union_tag_"):
            path = (*path, TAG)
        message = _unknown_field(model, path) if detail["type"] == "extra_forbidden" else message_of(detail)
        messages = found.setdefault(path, [])
        if message not in messages:
            messages.append(message)
    return [(path, ", or ".join(messages)) for path, messages in found.items()]


def _written(detail: ErrorDetails, content: Any) -> Path:
    """The part of an error's location that is in the document; a missing field's own name stays."""
    path: Path = ()
    here = content
    for part in detail["loc"]:
        if isinstance(here, dict) and part not in here and part == here.get(TAG):
            continue  # pydantic names the member of the union, which stands nowhere in the document
        if isinstance(here, dict) and (part in here or detail["type"] == "missing"):
            path, here = (*path, part), here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            path, here = (*path, part), here[part]
        else:
            break
    return path


def _unknown_field(model: type[BaseModel], path: Path) -> str:
    """`unknown field `copys`: did you mean `copies`?`, or the fields there are."""
    known = sorted(set().union(*(_fields(owner) for owner in _models_at(model, path[:-1]))))
    cure = did_you_mean(str(path[-1]), known) or f"there are {', '.join(known)}"
    return f"unknown field `{path[-1]}`: {cure}"


def _fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _models_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    """The models that may stand at a path of a document."""
    here: list[Any] = [model]
    for part in path:
        here = [inner for outer in here for inner in _below(outer, part)]
    return [one for outer in here for one in _plain(outer) if isinstance(one, type) and issubclass(one, BaseModel)]


def _below(annotation: Any, part: str | int) -> Iterator[Any]:
    """The annotations of what stands at a field, an item or a key."""
    for one in _plain(annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            yield from (field.annotation for name, field in one.model_fields.items() if (field.alias or name) == part)
        elif get_origin(one) is dict:
            yield get_args(one)[1]
        elif get_origin(one) is tuple and isinstance(part, int):
            yield get_args(one)[0]


def _plain(annotation: Any) -> Iterator[Any]:
    """An annotation without its metadata; the members of a union one by one."""
    if get_origin(annotation) is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _plain(member)
    else:
        yield annotation
