"""The rows of the store as values: what is written, and what is read back."""

from datetime import datetime
from typing import Any

from longshore.planning.observed import Copy, Difference, ObservedHost
from longshore.planning.operation import Warm
from longshore.planning.words import Event, OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec


class StoredEvent(Event):
    """An event with its place in the log and what wrote it."""

    sequence: int
    operation: str | None = None


class OperationRow(Value):
    """One operation. Written by the operation's own workflow; a row of an older step never replaces a newer one."""

    id: str
    """`digits/rollout-2`; the workflow's id is `deployment/` and this."""
    deployment: str
    number: int
    kind: OperationKind
    model: str
    target: str
    from_revision: int | None = None
    to_revision: int | None = None
    from_version: str | None = None
    to_version: str | None = None
    strategy: str | None = None
    phase: Phase
    reason: str | None = None
    message: str | None = None
    actor: str
    started_at: datetime
    ended_at: datetime | None = None
    step: int = 0
    progress: dict[str, Any] = {}
    """The ladder as `rollout watch` draws it: a `Progress` as JSON."""


class LedgerChange(Value):
    """From this instant on the versions of a deployment hold these shares; an empty map is nobody."""

    at: datetime
    deployment: str
    model: str
    shares: dict[str, int]
    cause: str
    """Why, in a few words: `batch 2`, `rollback: check errors failed`, `retired`."""


class RevisionRow(Value):
    """One accepted desired state."""

    deployment: str
    number: int
    version: str
    spec: DeploymentSpec
    phase: Phase = Phase.PENDING
    """How its last rollout ended, or stands."""
    held: bool = False
    actor: str
    at: datetime
    """When it was accepted; later sayings do not move it."""
    reason: str | None = None


class DeploymentRow(Value):
    """A deployment as its workflow last said; `sequence` grows with every saying."""

    name: str
    target: str
    model: str
    labels: dict[str, str] = {}
    spec: DeploymentSpec
    """Of the stable revision, or of the first while none is stable."""
    revision: int | None = None
    """The stable revision; None until one succeeded."""
    version: str | None = None
    rollout_to: dict[str, Any] | None = None
    """`{revision, version}` under way."""
    warm: Warm | None = None
    """Copies of the version before, kept for an instant undo."""
    operation: str | None = None
    """Id of the operation under way, or the last one; giving up warm copies is not shown."""
    sequence: int
    retired: bool = False
    updated_at: datetime


class Record(Value):
    """What one step wrote, in one transaction. The same (source, step) again writes nothing."""

    source: str
    """Id of the operation, or `deployment/<name>` for what the deployment itself says."""
    step: int
    events: tuple[Event, ...] = ()
    operation: OperationRow | None = None
    deployment: DeploymentRow | None = None
    revisions: tuple[RevisionRow, ...] = ()
    ledger: LedgerChange | None = None


class DeploymentRecord(Value):
    """All that a deployment's workflow needs to begin anew: nothing is guessed."""

    deployment: DeploymentRow
    revisions: tuple[RevisionRow, ...]
    operation: OperationRow | None
    """The operation with the highest number."""


class LedgerEntry(Value):
    """Who held which share from when to when."""

    deployment: str
    model: str
    version: str
    share: int
    since: datetime
    until: datetime | None = None
    operation: str
    cause: str


class View(Value):
    """A deployment as people see it: rows, observed copies and acked traffic joined."""

    row: DeploymentRow
    operation: OperationRow | None
    copies: tuple[Copy, ...]
    traffic: dict[str, int]
    """Weights of the last acked route."""
    hosts: tuple[ObservedHost, ...] = ()
    differences: tuple[Difference, ...] = ()
    """What somebody else changed of it on its target."""
    observed_at: datetime | None = None
    trouble: str | None = None
    """What is wrong with its target, as a worker beside it found last."""
    no_place: str | None = None
    """Why copies that are missing do not start; None where none is, or there is room."""


class ApiKey(Value):
    """An API key without the key."""

    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None = None
    roles: tuple[str, ...] = ("admin",)
