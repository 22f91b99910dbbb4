"""The words of an operation: its kinds, phases, events, and its progress as people watch it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from longshore.spec.base import Value


class Phase(StrEnum):
    """Where an operation is (DESIGN, section 4)."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    ROLLING_BACK = "RollingBack"
    SUCCEEDED = "Succeeded"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        """Whether an operation in this phase is over."""
        return self in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.SUPERSEDED, Phase.FAILED}


class OperationKind(StrEnum):
    """The durable acts on a deployment."""

    ONBOARD = "onboard"
    ROLLOUT = "rollout"
    ROLLBACK = "rollback"
    SCALE = "scale"
    RETIRE = "retire"
    RELEASE = "release"
    """Giving up warm copies: nobody asks for it, and it changes no revision."""
    ADOPT = "adopt"
    """Letting what somebody else made or changed be what is desired."""


class EventType(StrEnum):
    """The event types of DESIGN, section 8, and those of what people do to a target behind Longshore's back."""

    ROLLOUT_STARTED = "RolloutStarted"
    BATCH_STARTED = "BatchStarted"
    BATCH_READY = "BatchReady"
    TRAFFIC_SHIFTED = "TrafficShifted"
    CHECK_PASSED = "CheckPassed"
    CHECK_FAILED = "CheckFailed"
    CHECK_INCONCLUSIVE = "CheckInconclusive"
    CHECK_ERROR = "CheckError"
    BATCH_DONE = "BatchDone"
    ROLLOUT_PAUSED = "RolloutPaused"
    ROLLOUT_RESUMED = "RolloutResumed"
    APPROVAL_ASKED = "ApprovalAsked"
    APPROVED = "Approved"
    ROLLBACK_STARTED = "RollbackStarted"
    ROLLOUT_SUCCEEDED = "RolloutSucceeded"
    ROLLED_BACK = "RolledBack"
    ROLLOUT_ABORTED = "RolloutAborted"
    ROLLOUT_SUPERSEDED = "RolloutSuperseded"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLOUT_BLOCKED = "RolloutBlocked"
    SCALED = "Scaled"
    WARM_RELEASED = "WarmReleased"
    REFUSED = "Refused"
    HOST_LOST = "HostLost"
    COPY_LOST = "CopyLost"
    COPY_REPLACED = "CopyReplaced"
    RETIRED = "Retired"
    DRIFTED = "Drifted"
    DRIFT_ENDED = "DriftEnded"
    ADOPTED = "Adopted"


class Event(Value):
    """One thing that happened to a deployment, with its evidence."""

    at: datetime
    deployment: str
    type: EventType
    revision: int | None = None
    batch: int | None = None
    actor: str | None = None
    message: str = ""
    evidence: dict[str, Any] = {}
    """More keys of the event, camelCase: a check's `check`, `value`, `enforced`, …"""


class CheckProgress(Value):
    """A check as people watch it."""

    name: str
    metric: str
    outcome: str
    """passed, failed, inconclusive, error, or notYet."""
    value: float | None = None
    baseline: float | None = None
    threshold: str = ""
    """`≤ 0.01`, `≤ baseline + 20%`, `≥ 0.95`."""
    samples: int = 0
    message: str = ""
    enforced: bool = True


class BatchProgress(Value):
    """One batch of the ladder."""

    number: int
    add: int
    remove: int
    weight: int
    """The new version's share after this batch, in percent."""
    state: str
    """waiting, reserving, draining first, starting, shifting, baking, draining, done, undone."""
    then: str = ""
    """What a canary stands at after it: `pause 5m`, `approval by approver`."""


class Progress(Value):
    """What `rollout watch` draws: the batches, the copies, the traffic, the checks."""

    strategy: str | None = None
    """rolling, canary or blueGreen; None of an operation that is none of them."""
    batches: tuple[BatchProgress, ...] = ()
    copies: dict[str, int] = {}
    ready: dict[str, int] = {}
    traffic: dict[str, int] = {}
    checks: tuple[CheckProgress, ...] = ()
    bake_ends: datetime | None = None
    peak_accelerators: int = 0
    """Most accelerators that this deployment was observed to hold during the operation."""
