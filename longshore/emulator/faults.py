"""What can go wrong at AWS, to inject: programmatically, or as JSON over `/_emulator/faults`."""

import fnmatch
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from longshore.emulator.errors import throttled

Names = list[str]
"""Names of resources or images; `*` and `?` as in a shell."""


class Throttle(BaseModel):
    """Which calls are answered with `ThrottlingException`."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    every: int = Field(ge=1)
    """Every nth call of an operation; 1 is each of them."""
    operations: Names = ["*"]


class Faults(BaseModel):
    """All faults at once. What is left out is healthy."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    throttle: Throttle | None = None
    """Calls that are refused: `every` nth one of each of the `operations`."""
    capacity: dict[str, int] = {}
    """By instance type: how many instances AWS has for us. One more is InsufficientInstanceCapacity."""
    quotas: dict[str, int] = {}
    """By instance type: the account's limit for endpoint usage. A request beyond it is ResourceLimitExceeded."""
    stuck: Names = []
    """Endpoints and components that do not leave `Creating`."""
    slow: dict[str, float] = {}
    """By image, model or component: how many times longer its copies take to load."""
    unhealthy: Names = []
    """Images, models or components whose containers never pass a health check."""
    silent_rollback: Names = []
    """Endpoints and components whose next updates are undone at their end, without any alarm."""
    rollback_fails: Names = []
    """Endpoints whose rollback does not succeed: `UpdateRollbackFailed`."""
    stale_seconds: float = Field(default=0.0, ge=0)
    """Describe answers with what was true so many emulated seconds ago."""


class FaultBox:
    """The faults of one emulator; safe between threads."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._lock = threading.Lock()
        self._faults = faults or Faults()
        self._calls: Counter[str] = Counter()

    @property
    def now(self) -> Faults:
        """Those that are injected."""
        return self._faults

    def set(self, **changes: Any) -> Faults:
        """Change some, leave the others: `faults.set(capacity={"ml.g5.12xlarge": 2})`.

        Raises:
            pydantic.ValidationError: there is no such fault, or it cannot have that value.
        """
        with self._lock:
            self._faults = Faults.model_validate({**self._faults.model_dump(), **changes})
            return self._faults

    def replace(self, faults: Mapping[str, Any]) -> Faults:
        """These, and no others."""
        with self._lock:
            self._faults = Faults.model_validate(dict(faults))
            return self._faults

    def clear(self) -> Faults:
        """All is well again."""
        return self.replace({})

    def guard(self, operation: str) -> None:
        """Refuse a call that is to be throttled.

        Raises:
            AwsError: it is.
        """
        throttle = self._faults.throttle
        if throttle is None or not named(throttle.operations, operation):
            return
        with self._lock:
            self._calls[operation] += 1
            refuse = self._calls[operation] % throttle.every == 0
        if refuse:
            raise throttled()


def named(patterns: Names, *names: str | None) -> bool:
    """Whether one of the names is meant."""
    return any(name is not None and fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in names)
