"""How talking to the API fails. Each text is one line for a person."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """A request came to nothing."""


class UnreachableError(ClientError):
    """Nobody answered, or the connection broke. Whether a change was made is not known."""

    def __init__(self, url: str, why: str, *, slow: bool = False) -> None:
        super().__init__(f"no Longshore answers at {url} ({why}): start it with `longshore up`")
        self.slow = slow
        """Whether it was waited for as long as one waits; asking again would double that."""

    @classmethod
    def because(cls, url: str, error: OSError) -> "UnreachableError":
        """What the operating system said, in a few words."""
        if isinstance(error, TimeoutError):
            return cls(url, "it does not answer in time", slow=True)
        return cls(url, (error.strerror or str(error)).lower())


class ApiError(ClientError):
    """The API said no, with problem details (RFC 9457). The text is its `detail`."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.reason = str(problem.get("reason") or "")
        """CamelCase, for programs."""
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or ())
        """Of manifests and bodies: `document`, `file`, `line`, `field`, `message` each."""
        self.missing: dict[str, str] = dict(problem.get("missing") or {})
        """What the API itself cannot reach, and why."""
        self.items: list[dict[str, Any]] = list(problem.get("items") or ())
        """What an apply did before it was refused."""

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed in a moment: the API cannot reach its store or Temporal."""
        return self.status == 503


class NotLongshoreError(ClientError):
    """Something answered that is not Longshore's API."""

    def __init__(self, url: str) -> None:
        super().__init__(f"what answers at {url} is not Longshore: check LONGSHORE_API_URL")
