"""Manifests from files, folders and standard input, with the place of everything that is wrong."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

from longshore.spec.checking import DocumentError, check, identity
from longshore.spec.documents import Document
from longshore.spec.parsing import Parsed, TextError, parse
from longshore.spec.problems import ManifestError, Problem, field_name

MOST_BYTES = 2 * 1024 * 1024
"""Of one file: about 4,000 deployments, and 7 s of parsing."""
SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"

D = TypeVar("D")


@dataclass(frozen=True)
class Loaded:
    """A valid document, and where it stands."""

    document: Document
    content: dict[str, Any]
    """As written, before defaults: JSON values."""
    source: str
    line: int


def load(paths: Iterable[str], stdin: TextIO | None = None) -> list[Loaded]:
    """Read every document of some files, folders (their manifests by name, not deeper) or `-`, standard input.

    Args:
        paths: As given on the command line.
        stdin: What `-` reads; the process's own when left out.

    Raises:
        ManifestError: with every problem of every document; also when there is no document at all.
    """
    found, problems = _read_all(check, paths, stdin)
    loaded = [Loaded(*one) for one in found]
    problems.extend(_twice(loaded))
    if problems:
        raise ManifestError(problems)
    return loaded


def read_as(
    checked: Callable[[Any], D], paths: Iterable[str], stdin: TextIO | None = None
) -> list[tuple[D, dict[str, Any], str, int]]:
    """Read every document of a kind of its own, as `load` does: the document, its content, its source and line.

    Args:
        checked: Makes a document of its content, or raises `DocumentError`.
        paths: As given on the command line.
        stdin: What `-` reads; the process's own when left out.

    Raises:
        ManifestError: with every problem of every document; also when there is no document at all.
    """
    found, problems = _read_all(checked, paths, stdin)
    if problems:
        raise ManifestError(problems)
    return found


def _read_all(
    checked: Callable[[Any], D], paths: Iterable[str], stdin: TextIO | None
) -> tuple[list[tuple[D, dict[str, Any], str, int]], list[Problem]]:
    """Every valid document, and every problem of the others."""
    found: list[tuple[D, dict[str, Any], str, int]] = []
    problems: list[Problem] = []
    given = list(paths)
    for path in given:
        try:
            texts = list(_texts(path, stdin or sys.stdin))
        except _UnreadableError as error:
            problems.append(Problem(error.source, None, "", error.message))
            continue
        for source, text in texts:
            _read(source, text, checked, found, problems)
    if not problems and not found:
        problems.append(Problem(", ".join(given), None, "", "there is no document in it: give a manifest"))
    return found, problems


class _UnreadableError(Exception):
    def __init__(self, source: str, message: str) -> None:
        super().__init__(message)
        self.source = source
        self.message = message


def _texts(path: str, stdin: TextIO) -> Iterator[tuple[str, str]]:
    """The texts behind one path, each with the name of its source."""
    if path == STDIN:
        yield "stdin", _bounded("stdin", stdin.read(MOST_BYTES + 1))
        return
    place = Path(path)
    if not place.is_dir():
        yield path, _file(place)
        return
    files = sorted(file for file in place.iterdir() if file.suffix in SUFFIXES and not file.name.startswith("."))
    if not files:
        raise _UnreadableError(path, f"there is no manifest in this folder: give it {', '.join(SUFFIXES)} files")
    for file in files:
        yield str(file), _file(file)


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        return _bounded(str(path), content.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise _UnreadableError(str(path), "there is no such file: check the path") from error
    except UnicodeDecodeError as error:
        raise _UnreadableError(str(path), f"it is not UTF-8 at byte {error.start}: save it as UTF-8") from error
    except OSError as error:
        raise _UnreadableError(str(path), f"it cannot be read: {error.strerror}") from error


def _bounded(source: str, content: str) -> str:
    if len(content.encode("utf-8", "surrogateescape")) > MOST_BYTES:
        raise _UnreadableError(source, f"it is larger than {MOST_BYTES // 1024 // 1024} MiB: split it")
    return content


def _read(
    source: str,
    text: str,
    checked: Callable[[Any], D],
    found: list[tuple[D, dict[str, Any], str, int]],
    problems: list[Problem],
) -> None:
    """Check the documents of one text one by one, until one cannot be parsed."""
    try:
        for parsed in parse(text):
            try:
                document = checked(parsed.content)
            except DocumentError as error:
                problems.extend(_placed(source, parsed, error))
            else:
                found.append((document, parsed.content, source, parsed.line_of(())))
    except TextError as error:
        problems.append(Problem(source, error.line, field_name(error.path), error.message))


def _placed(source: str, parsed: Parsed, error: DocumentError) -> list[Problem]:
    found = [Problem(source, parsed.line_of(path), field_name(path), message) for path, message in error.problems]
    return sorted(found, key=lambda problem: problem.line or 0)


def _twice(loaded: list[Loaded]) -> Iterator[Problem]:
    """Documents that are given twice: which one to believe is not ours to guess."""
    first: dict[tuple[str, str], Loaded] = {}
    for item in loaded:
        kind, name = identity(item.document)
        earlier = first.setdefault((kind, name), item)
        if earlier is not item:
            where = f"{earlier.source}:{earlier.line}"
            yield Problem(item.source, item.line, "", f"{kind} {name} is already given at {where}: remove one")
