"""What pydantic says of a value, in the words of people: what is wrong, and the cure."""

from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

from longshore.spec.deployment import METRICS
from longshore.spec.model_version import ABSOLUTE_PATH, DIGEST, IMAGE
from longshore.spec.quantities import NAME, VERSION
from longshore.spec.sagemaker import ENDPOINT_NAME, INSTANCE_TYPE, REGION, ROLE_ARN
from longshore.spec.sources import GOLDEN_URI, NAMESPACE, STATISTIC

_PATTERNS = {
    NAME: "a name has lower case letters, digits and dashes, begins and ends without a dash, and is at most 63 long",
    VERSION: "a version has letters, digits, dashes, dots and underscores, and is at most 63 long",
    DIGEST: "a digest is sha256: and 64 hexadecimal digits, as sha256sum prints them",
    ABSOLUTE_PATH: "a path begins with /",
    METRICS: "the metrics are error-rate, latency-p50 to latency-p99.9, accuracy, and from CloudWatch "
    "cpu-utilization, memory-utilization, gpu-utilization and gpu-memory-utilization",
    STATISTIC: "the statistics are Average, Sum, Minimum, Maximum, SampleCount, and percentiles such as p99",
    GOLDEN_URI: "write file:// and the path of a JSON Lines file",
    NAMESPACE: "a namespace of CloudWatch does not begin with a colon: write AWS/SageMaker, or your own",
    IMAGE: "an image has no blanks: write registry/name:tag, or registry/name@sha256:…",
    REGION: "a region is written like eu-central-1",
    ENDPOINT_NAME: "SageMaker's names have letters, digits and dashes, begin and end without a dash, at most 63 long",
    INSTANCE_TYPE: "an instance type is written like ml.g5.12xlarge",
    ROLE_ARN: "a role is written like arn:aws:iam::123456789012:role/longshore",
}


def message_of(detail: ErrorDetails) -> str:
    """One line for one error."""
    kind = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in _WORDS:
        return _WORDS[kind](detail["input"], detail.get("ctx", {}))
    return detail["msg"]


def _shown(value: Any) -> str:
    """A value as its writer knows it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}…'"


def _not_text(value: Any, _: dict[str, Any]) -> str:
    if isinstance(value, (bool, int, float)):
        return f'{_shown(value)} is not a text: write it in quotes, "{_shown(value)}"'
    return f"{_shown(value)} is not a text"


def _not_number(what: str) -> "Callable[[Any, dict[str, Any]], str]":
    def say(value: Any, _: dict[str, Any]) -> str:
        if isinstance(value, str) and value.strip().removeprefix("-").replace(".", "", 1).isdigit():
            return f"{_shown(value)} is a text: write {what} without quotes"
        return f"{_shown(value)} is not {what}"

    return say


def _limit(word: str, key: str) -> "Callable[[Any, dict[str, Any]], str]":
    return lambda value, limits: f"{_shown(value)} is out of range: it must be {word} {limits[key]:g}"


def _pattern(value: Any, limits: dict[str, Any]) -> str:
    return f"{_shown(value)} does not fit: {_PATTERNS[limits['pattern']]}"


def _choice(value: Any, limits: dict[str, Any]) -> str:
    return f"{_shown(value)} is not one of them: write {limits['expected']}"


_WORDS: dict[str, Callable[[Any, dict[str, Any]], str]] = {
    "missing": lambda _value, _limits: "this field is required: add it",
    "string_type": _not_text,
    "int_type": _not_number("a whole number"),
    "int_from_float": _not_number("a whole number"),
    "float_type": _not_number("a number"),
    "bool_type": lambda value, _: f"{_shown(value)} is neither true nor false: write one of them, without quotes",
    "greater_than": _limit("more than", "gt"),
    "greater_than_equal": _limit("at least", "ge"),
    "less_than": _limit("less than", "lt"),
    "less_than_equal": _limit("at most", "le"),
    "string_pattern_mismatch": _pattern,
    "string_too_short": lambda _value, _limits: "it is empty: write something",
    "too_short": lambda _value, _limits: "the list is empty: give at least one item",
    "literal_error": _choice,
    "union_tag_invalid": lambda _value, said: f"unknown verb `{said['tag']}`: write one of {said['expected_tags']}",
    "union_tag_not_found": lambda _value, _said: "this field is required: add it",
    "model_type": lambda value, _: f"{_shown(value)} stands where fields are expected",
    "model_attributes_type": lambda value, _: f"{_shown(value)} stands where fields are expected",
    "dict_type": lambda value, _: f"{_shown(value)} stands where names and values are expected",
    "tuple_type": lambda value, _: f"{_shown(value)} is not a list: begin each item with a dash",
}
