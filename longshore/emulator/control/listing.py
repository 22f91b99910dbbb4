"""Pages of summaries: filtered, sorted and cut as all of SageMaker's List operations do."""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from longshore.emulator.control.account import Params
from longshore.emulator.errors import invalid
from longshore.emulator.state import Resource

DEFAULT_PAGE = 10
"""What `MaxResults` is where a request does not say."""

_R = TypeVar("_R", bound=Resource)


def status_of(resource: Resource) -> str:
    """A resource's status; empty for those that have none."""
    return str(getattr(resource, "status", ""))


def page(
    params: Params, resources: Iterable[_R], member: str, summary: Callable[[_R], Mapping[str, Any]]
) -> dict[str, Any]:
    """One page of a List operation.

    Args:
        params: the request; filters that its operation does not have are not in it.
        resources: all there are.
        member: what the answer calls the list.
        summary: one resource in the answer.
    """
    found = [each for each in resources if _wanted(params, each)]
    keys: dict[str, Callable[[Resource], Any]] = {
        "Name": lambda each: each.name,
        "CreationTime": lambda each: (each.created, each.name),
        "Status": lambda each: (status_of(each), each.name),
    }
    ascending = params.get("SortOrder", "Descending") == "Ascending"
    found.sort(key=keys[params.get("SortBy", "CreationTime")], reverse=not ascending)
    start, size = _start(params.get("NextToken")), int(params.get("MaxResults", DEFAULT_PAGE))
    more = len(found) > start + size
    return {
        member: [summary(each) for each in found[start : start + size]],
        "NextToken": _token(start + size) if more else None,
    }


def _wanted(params: Params, resource: Resource) -> bool:
    tests: dict[str, Callable[[Any], bool]] = {
        "NameContains": lambda value: value.lower() in resource.name.lower(),
        "StatusEquals": lambda value: status_of(resource) == value,
        "EndpointNameEquals": lambda value: getattr(resource, "endpoint", None) == value,
        "VariantNameEquals": lambda value: getattr(resource, "variant", None) == value,
        "CreationTimeBefore": lambda value: resource.created < value.timestamp(),
        "CreationTimeAfter": lambda value: resource.created >= value.timestamp(),
        "LastModifiedTimeBefore": lambda value: resource.modified < value.timestamp(),
        "LastModifiedTimeAfter": lambda value: resource.modified >= value.timestamp(),
    }
    return all(test(params[name]) for name, test in tests.items() if name in params)


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"from:{start}".encode()).decode()


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("from:"))
    except ValueError:
        raise invalid("Invalid pagination token.") from None
