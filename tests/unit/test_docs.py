"""The documents say what is there: their links lead somewhere, every reason is explained, every command exists."""

import ast
import re
import shlex
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.loaders import Loader

from longshore.cli.app import app
from longshore.planning.health import Drift, Health
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.checking import KINDS
from longshore.stack.parts import SEARCH_ATTRIBUTES

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = [
    path
    for room in ("longshore", "workflows", "activities", "worker")
    for path in sorted((ROOT / room).rglob("*.py"))
    if not path.is_relative_to(ROOT / "longshore" / "emulator")  # it speaks as AWS does, and gives no reason of ours
]

CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")
WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

REASON_AT = {
    "AbsentError": 0,
    "ArtifactError": 0,
    "AwsError": 0,
    "BackendError": 0,
    "ProblemError": 1,
    "StartFailedError": 0,
    "_exit": 1,
    "bad_request": 0,
    "end": 1,
    "held_up": 0,
    "refuse": 1,
    "TakenError": 0,
    "turn_round": 2,
    "unavailable": 0,
}
"""Where these functions take a reason of one word; one of several words is known wherever it is."""

VOCABULARY: tuple[type[StrEnum], ...] = (Phase, OperationKind, EventType, Health, Drift)
AWS_SERVICES = ("application-autoscaling", "cloudwatch", "ecr", "logs", "s3", "sagemaker", "sagemaker-runtime", "sts")
NO_REASONS = {
    *(word.value for words in VOCABULARY for word in words),
    *(kind for kind in KINDS),
    *SEARCH_ATTRIBUTES,
    *("AllTraffic", "ResponseMetadata"),  # the usual name of an endpoint's only variant; botocore's own
    *("InvocationModelErrors", "MemoryUtilizationNormalized", "NoCapacityInvocationFailures"),  # CloudWatch's metrics
    "PolicyConfiguration",  # how fields of Application Auto Scaling end
    *("BootstrapConfigDump", "NoArgsIsHelpError", "ValidationError"),  # names of Envoy's, typer's and FastAPI's
}


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


# -- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids(DOCUMENTS))
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text())
    broken = [link for link in LINK.findall(text) if not _leads_somewhere(document, link)]

    assert broken == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        document = ahead.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        links = LINK.findall(FENCE.sub("", document.read_text()))
        ahead += [(document.parent / link.partition("#")[0]).resolve() for link in links if _is_ours(link)]

    assert [str(path.relative_to(ROOT)) for path in DOCUMENTS if path not in reached] == []


def test_pictures_are_small_enough_to_load_at_once() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}

    assert {name: size for name, size in sizes.items() if size >= 300_000} == {}


def _is_ours(link: str) -> bool:
    return "://" not in link and not link.startswith(("#", "mailto:"))


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    if "://" in link or link.startswith("mailto:"):
        return True
    goal = (document.parent / path).resolve() if path else document
    return goal.exists() and (not anchor or anchor in _anchors(goal))


def _anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = HEADING.findall(FENCE.sub("", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- reasons --------------------------------------------------------------------------------------------------------


def test_every_reason_of_the_code_is_in_the_handbook() -> None:
    handbook = (ROOT / "docs" / "operations.md").read_text()
    explained = set(re.findall(r"`([A-Z][A-Za-z]+)`", handbook))

    assert sorted(reasons() - explained) == []


def test_the_handbook_explains_no_reason_that_is_gone() -> None:
    rows = re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)

    assert sorted(set(rows) - reasons() - NO_REASONS) == []


@pytest.mark.parametrize("words", VOCABULARY, ids=lambda words: words.__name__)
def test_every_word_of_the_field_is_explained_among_the_concepts(words: type[StrEnum]) -> None:
    explained = set(re.findall(r"`([A-Za-z]+)`", (ROOT / "docs" / "concepts.md").read_text()))

    assert sorted(word.value for word in words if word.value not in explained) == []


def reasons() -> set[str]:
    """Every text of one word where a reason is; and every CamelCase one that names no class and is no other word."""
    given, found, classes = set[str](), set[str](), set[str]()
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        classes |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        found |= set(_camel_case(tree))
        given |= set(_given_as_reasons(tree))
    return (given | (found - classes - words_of_aws())) - NO_REASONS


@cache
def words_of_aws() -> frozenset[str]:
    """Names of AWS's operations, shapes and fields, which adapters send and read."""
    loader, words = Loader(), set[str]()
    for service in AWS_SERVICES:
        model = loader.load_service_model(service, "service-2")
        words |= {*model["operations"], *model["shapes"]}
        for shape in model["shapes"].values():
            words |= {*shape.get("members", ()), *shape.get("enum", ())}
    return frozenset(words)


def _camel_case(tree: ast.AST) -> Iterator[str]:
    elsewhere = {id(inner) for outer in _names_of_types(tree) for inner in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in elsewhere and _matches(CAMEL, node):
            yield node.value


def _given_as_reasons(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        for value in _where_a_reason_is(node):
            yield from (inner.value for inner in ast.walk(value) if _matches(WORD, inner))


def _where_a_reason_is(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Dict):
        yield from (value for key, value in zip(node.keys, node.values, strict=True) if _is_text(key, "reason"))
    if isinstance(node, ast.Assign) and any(getattr(goal, "id", "") == "reason" for goal in node.targets):
        yield node.value
    if isinstance(node, ast.Call):
        yield from _reason_of_a_call(node)


def _reason_of_a_call(call: ast.Call) -> Iterator[ast.AST]:
    yield from (keyword.value for keyword in call.keywords if keyword.arg == "reason")
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    position = REASON_AT.get(name)
    if position is not None and len(call.args) > position:
        yield call.args[position]


def _names_of_types(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, bases, `__all__` and type variables: texts in them are names, not reasons."""
    for node in ast.walk(tree):
        yield from (getattr(node, field) for field in ("annotation", "returns", "bases") if _is_node(node, field))
        if isinstance(node, ast.Assign) and any(getattr(goal, "id", "") == "__all__" for goal in node.targets):
            yield node.value
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"TypeVar", "NewType"}:
            yield node
        if isinstance(node, ast.keyword) and node.arg in {"model", "endswith"}:
            yield node.value


def _is_text(node: ast.AST | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _is_node(node: ast.AST, field: str) -> bool:
    return isinstance(getattr(node, field, None), ast.AST)


def _matches(pattern: re.Pattern[str], node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(pattern.fullmatch(node.value))


# -- commands -------------------------------------------------------------------------------------------------------


def command_lines() -> list[tuple[str, str]]:
    """Every line that a `console` block types, with its document."""
    found = []
    for document in DOCUMENTS:
        for language, content in FENCE.findall(document.read_text()):
            if language == "console":
                joined = content.replace("\\\n", " ")
                found += [
                    (document.name, line[2:].strip()) for line in joined.splitlines() if line.startswith(("$ ", "# "))
                ]
    return found


def test_every_command_that_is_shown_exists() -> None:
    wrong = {
        f"{document}: {line}": trouble
        for document, line in command_lines()
        for words in _longshore_calls(line)
        if (trouble := _trouble(words))
    }

    assert wrong == {}


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {word for _, line in command_lines() for first, word in pairwise(line.split()) if first == "make"}

    assert shown - targets == set()


def _longshore_calls(line: str) -> Iterator[list[str]]:
    """Commands of a line that call `longshore`, also behind assignments, pipes and `&&`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("();<>|&"):
            while words and re.match(r"\w+=", words[0]):
                words.pop(0)
            if words and words[0] == "longshore":
                yield words[1:]
            words = []
        else:
            words.append(token)


def _trouble(words: list[str]) -> str | None:
    """Why a command line is none of ours; None when it is."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            return None if rest in (["--help"], ["-h"]) else "no command"
        name = rest.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("-")}
    unknown = [word for word in rest if word.startswith("-") and word != "-" and word.split("=")[0] not in options]
    return f"no option {', '.join(unknown)}" if unknown else None
