"""Room on a target: how many copies fit beside what is there (DESIGN, rule 3)."""

from longshore.spec.base import Value
from longshore.spec.model_version import Resources


class ReservationRequest(Value):
    """Room asked for on a target, for copies of one version beside what the deployment holds now.

    `batch` copies are wanted; `dip` of them may take the place of old copies that are drained first.
    """

    target: str
    deployment: str
    model: str
    version: str
    operation: str
    resources: Resources
    batch: int
    dip: int = 0
    """Most old copies that may be drained first."""
    old_version: str | None = None
    settled: int = 0
    """Copies of `version` that already hold their room, from earlier batches."""
    whole: bool = False
    """Grant the whole batch or nothing: an onboarding starts with all its copies."""


class Grant(Value):
    """The answer: `surge + dip` copies may be started, or none and why."""

    granted: bool
    surge: int = 0
    dip: int = 0
    placement: dict[str, int] = {}
    """Host → copies of the version in all, earlier batches included, as far as the surge goes."""
    reason: str | None = None
    short: int = 0
    """Accelerators that are short."""
    message: str | None = None
