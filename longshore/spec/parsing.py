"""YAML text to plain JSON values that remember their lines.

Only what JSON can carry gets through: no tags, no duplicate or merge keys, no dates, bounded aliases. The grammar is
ruamel.yaml's (YAML 1.2, so `no` is a text, not false); JSON is read as the YAML that it is.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_VALUES = 100_000
"""Values in one text, aliases counted as often as they are used: bounds what a few lines can expand to."""
MOST_DEPTH = 32
"""Nesting; a manifest needs 7."""

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {f"{_TAG}{name}" for name in ("str", "timestamp", "value")}
_SCALAR_TAGS = _TEXT_TAGS | {f"{_TAG}{name}" for name in ("null", "bool", "int", "float")}

Path = tuple[str | int, ...]


class TextError(Exception):
    """The text cannot be read. `line` counts from 1."""

    def __init__(self, line: int, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.path = path


@dataclass(frozen=True)
class Parsed:
    """One document of a text."""

    content: Any
    """dict, list, str, int, float, bool or None."""
    lines: dict[Path, int]
    """Line of every key and list item, counted from 1."""

    def line_of(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def parse(text: str) -> Iterator[Parsed]:
    """Read the documents of a text one by one; empty ones are left out.

    Raises:
        TextError: the text is no YAML from here on, or holds what JSON cannot carry.
    """
    yaml = YAML(typ="safe", pure=True)
    values = _Values(yaml)
    try:
        for node in yaml.compose_all(text):
            if node is None or (isinstance(node, ScalarNode) and node.tag == f"{_TAG}null"):
                continue
            lines: dict[Path, int] = {(): _line(node)}
            yield Parsed(content=values.build(node, (), lines), lines=lines)
    except MarkedYAMLError as error:
        said = " ".join(part for part in (error.context, error.problem) if part)
        # What never ends is found out at the end of the text; its beginning is where the cure goes.
        mark = error.context_mark if "end of stream" in said else error.problem_mark
        raise TextError(mark.line + 1 if mark else 1, f"this is not YAML: {said}") from error
    except YAMLError as error:
        raise TextError(1, f"this is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise TextError(1, f"nested too deep: {MOST_DEPTH} levels are the most") from error


class _Values:
    """Builds plain values from the nodes of one text."""

    def __init__(self, yaml: YAML) -> None:
        self._constructor = yaml.constructor
        self._left = MOST_VALUES

    def build(self, node: Node, path: Path, lines: dict[Path, int]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise TextError(_line(node), f"more than {MOST_VALUES} values: split the file, or use fewer aliases", path)
        if len(path) > MOST_DEPTH:
            raise TextError(_line(node), f"nested too deep: {MOST_DEPTH} levels are the most", path[:3])
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, lines)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            items = []
            for index, item in enumerate(node.value):
                lines[*path, index] = _line(item)
                items.append(self.build(item, (*path, index), lines))
            return items
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key in content:
                first = lines[*path, key]
                raise TextError(_line(key_node), f"given twice: already on line {first}", (*path, key))
            lines[*path, key] = _line(key_node)
            content[key] = self.build(value_node, (*path, key), lines)
        return content

    def _key(self, node: Node, path: Path) -> str:
        if not isinstance(node, ScalarNode):
            raise TextError(_line(node), "a field name must be a text", path)
        if node.tag == f"{_TAG}merge":
            raise TextError(_line(node), "merge keys (<<) are not read: write the fields out", path)
        if node.tag not in _SCALAR_TAGS:
            raise TextError(_line(node), f"the tag {_shown(node)} is not read: remove it", path)
        return str(node.value)

    def _scalar(self, node: Node, path: Path) -> Any:
        build = {
            f"{_TAG}null": lambda _: None,
            f"{_TAG}bool": self._constructor.construct_yaml_bool,
            f"{_TAG}int": self._constructor.construct_yaml_int,
            f"{_TAG}float": self._constructor.construct_yaml_float,
            **dict.fromkeys(_TEXT_TAGS, lambda text: str(text.value)),
        }.get(str(node.tag))
        if build is None or not isinstance(node, ScalarNode):
            raise TextError(_line(node), f"the tag {_shown(node)} is not read: remove it", path)
        try:
            value = build(node)
        except (ValueError, LookupError) as error:
            raise TextError(_line(node), f"{str(node.value)[:40]!r} is no {_shown(node)}", path) from error
        if isinstance(value, float) and not math.isfinite(value):
            raise TextError(_line(node), f"{node.value} is not a number: write a finite one", path)
        return value


def _shown(node: Node) -> str:
    return str(node.tag).replace(_TAG, "!!")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
