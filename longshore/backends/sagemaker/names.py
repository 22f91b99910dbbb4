"""What the resources that we make are called, and how they are tagged. Pure.

A name is readable, the same whenever it is asked for, so that a create that is tried again meets what it made before,
and nobody else's: it holds this Longshore's own letters, and a digest of everything that it stands for.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from longshore.spec.base import Value

LONGEST: Final = 63
"""Of every name at SageMaker (shapes InferenceComponentName, ModelName, EndpointConfigName, EndpointName)."""
DIGEST: Final = 8
VERSION_SHARE: Final = 14
"""Most letters of a version in a name, unless its deployment's name is short."""
TAG: Final = "longshore:"
_UNFIT = re.compile(r"[^a-zA-Z0-9]+")


class Names(Value):
    """The names of one target's resources."""

    installation: str
    """Ten letters that tell this Longshore from another."""
    target: str

    @property
    def prefix(self) -> str:
        """What all names begin with: what an IAM policy may be limited to."""
        return f"ls-{self.installation}-"

    def component(self, deployment: str, version: str) -> str:
        """The inference component of a version of a deployment."""
        return self._readable("component", deployment, version)

    def endpoint(self, deployment: str) -> str:
        """The classic endpoint of a deployment."""
        return self._readable("endpoint", deployment, "")

    def model(self, deployment: str, version: str) -> str:
        """The model object of a version of a deployment; the same letters as its component, being another kind."""
        return self._readable("component", deployment, version)

    def config(self, endpoint: str, content: str) -> str:
        """An endpoint's configuration of this content: another content has another name, for none is ever changed."""
        return self._readable("config", endpoint, _digest(content))

    def tags(self, **told: str) -> list[dict[str, str]]:
        """The tags of a resource: whose it is, and what it stands for (`deployment`, `version`, `operation`)."""
        every = {"installation": self.installation, "target": self.target, **told}
        return [{"Key": f"{TAG}{key}", "Value": value} for key, value in every.items()]

    def ours(self, tags: Mapping[str, str], **told: str) -> bool:
        """Whether a resource with these tags is this target's, and stands for what was told."""
        every = {"installation": self.installation, "target": self.target, **told}
        return all(tags.get(f"{TAG}{key}") == value for key, value in every.items())

    def _readable(self, kind: str, first: str, second: str) -> str:
        room = LONGEST - len(self.prefix) - DIGEST - 2
        head, tail = _fitting(first), _fitting(second)
        tail = tail[: max(VERSION_SHARE, room - len(head))].strip("-")
        head = head[: room - len(tail)].strip("-")
        told = "-".join(part for part in (head, tail) if part)
        return f"{self.prefix}{told}-{_digest(kind, self.target, first, second)}"


def tags_of(tags: list[dict[str, str]]) -> dict[str, str]:
    """AWS's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _fitting(words: str) -> str:
    return _UNFIT.sub("-", words).strip("-")


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:DIGEST]
