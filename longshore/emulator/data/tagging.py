"""Tags of alarms and of scalable targets: given when they are made, changed by three operations of either service."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from longshore.emulator.errors import AwsError
from longshore.emulator.protocol import Caller, Handler

Params = Mapping[str, Any]
TagsOf = Callable[[str], dict[str, str] | None]
"""A resource's tags by its ARN, to be changed in place; None if there is no such resource."""


class Tagging:
    """`ListTagsForResource` and its like. CloudWatch has tags as pairs, Application Auto Scaling as a map."""

    def __init__(self, tags_of: TagsOf, *, pairs: bool) -> None:
        self._tags_of = tags_of
        self._pairs = pairs

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {"ListTagsForResource": self.list, "TagResource": self.add, "UntagResource": self.remove}

    def list(self, _: Caller, params: Params) -> dict[str, Any]:
        """All tags of a resource."""
        tags = self._of(params)
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()] if self._pairs else dict(tags)}

    def add(self, _: Caller, params: Params) -> None:
        """Add tags; one of the same key is replaced."""
        self._of(params).update(as_map(params["Tags"]))

    def remove(self, _: Caller, params: Params) -> None:
        """Remove tags; a key that is not there is no error."""
        tags = self._of(params)
        for key in params["TagKeys"]:
            tags.pop(key, None)

    def _of(self, params: Params) -> dict[str, str]:
        tags = self._tags_of(params["ResourceARN"])
        if tags is None:
            message = f"There is no resource {params['ResourceARN']}."
            raise AwsError("ResourceNotFoundException", message, HTTPStatus.NOT_FOUND)
        return tags


def as_map(tags: "list[Mapping[str, str]] | Mapping[str, str]") -> dict[str, str]:
    """Tags of either form."""
    return dict(tags) if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}
