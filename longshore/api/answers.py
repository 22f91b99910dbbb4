"""What the API answers: typed, camelCase, with the fields that DESIGN section 7 fixes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from longshore.backends.inventory import Found
from longshore.planning.health import Drift, Health
from longshore.planning.observed import Copy, Difference, ObservedHost
from longshore.planning.plans.forecast import Plan
from longshore.planning.words import EventType, OperationKind, Phase, Progress
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.freeze import FreezeSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec
from longshore.store.records import ApiKey, OperationRow, RevisionRow, StoredEvent

CAMEL = ConfigDict(
    alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True, frozen=True
)


Item = TypeVar("Item", bound=BaseModel)


class Body(BaseModel):
    """An answer."""

    model_config = CAMEL


class Page(Body, Generic[Item]):
    """A part of a list."""

    items: Sequence[Item]
    next: str | None = Field(
        default=None, description="Give it as `cursor` for the following part; null: that was all."
    )


class Healthz(Body):
    """The process lives."""

    status: Literal["ok"] = "ok"
    version: str


class Readyz(Body):
    """Everything the API needs answers."""

    ready: Literal[True] = True
    checks: dict[str, str]


class HostAnswer(ObservedHost):
    """A host of a target, and how many of its accelerators are held."""

    model_config = CAMEL
    accelerator_memory_gib: float = Field(default=0, alias="acceleratorMemoryGiB")
    held: int = Field(description="Accelerators held by copies, in any state.")


class TargetAnswer(Body):
    """A target as registered, and as last observed."""

    name: str
    spec: TargetSpec
    hosts: tuple[HostAnswer, ...] = ()
    observed_at: datetime | None = None
    trouble: str | None = Field(default=None, description="Why it cannot be used as it is; null: nothing is wrong.")
    trouble_since: datetime | None = None


class FreezeAnswer(Body):
    """A freeze as applied, and whether it holds now."""

    name: str
    spec: FreezeSpec
    actor: str = Field(description="Who changed it last.")
    updated_at: datetime
    holds_until: datetime | None = Field(description="When it ends, if it holds now; null: it does not.")


class ModelAnswer(Body):
    """A model and its versions, oldest first."""

    name: str
    versions: tuple[str, ...]


class ModelVersionAnswer(Body):
    """One immutable version of a model."""

    model: str
    version: str
    spec: ModelVersionSpec


class RolloutTo(Body):
    """The revision on its way in."""

    revision: int
    version: str


class DeploymentAnswer(Body):
    """A deployment as people see it (DESIGN, section 7). Zero entries are left out of the maps."""

    name: str
    target: str
    model: str
    revision: int | None = Field(description="The stable revision; null until one succeeded.")
    version: str | None = Field(description="The stable version; null until one succeeded.")
    copies: dict[str, int] = Field(description="Version → copies, in any state.")
    ready: dict[str, int] = Field(description="Version → ready copies.")
    traffic: dict[str, int] = Field(description="Version → share of the acknowledged route, in percent.")
    rollout_to: RolloutTo | None
    phase: Phase
    health: Health
    drift: Drift
    reason: str | None
    message: str | None
    temporal_url: str | None


class CopyAnswer(Copy):
    """One copy as observed."""

    model_config = CAMEL


class DifferenceAnswer(Difference):
    """What somebody else changed on a target."""

    model_config = CAMEL


class ComponentAnswer(Found):
    """Something that serves on a target, whoever made it."""

    model_config = CAMEL


class ManifestsAnswer(Body):
    """Documents that say what something is as it serves."""

    documents: tuple[dict[str, Any], ...]


class ProgressAnswer(Progress):
    """The batches, copies, traffic and checks of an operation."""

    model_config = CAMEL


class OperationAnswer(OperationRow):
    """One operation, with its progress as `rollout watch` draws it."""

    model_config = CAMEL
    step: int = Field(default=0, exclude=True)
    progress: ProgressAnswer = ProgressAnswer()  # type: ignore[assignment]
    """Typed here; the store keeps it as JSON."""
    temporal_url: str | None = None


class RevisionAnswer(RevisionRow):
    """One accepted desired state."""

    model_config = CAMEL


class CheckEvidence(Body):
    """What a check measured; values as in its manifest: a share, or milliseconds."""

    at: datetime
    check: str
    outcome: Literal["passed", "failed", "inconclusive", "error"]
    enforced: bool
    batch: int | None
    value: float | None
    baseline: float | None
    samples: int
    window_start: datetime | None
    window_end: datetime | None
    message: str


class LedgerAnswer(Body):
    """Who had which share of the traffic until the next change, who asked for it, and on what proof."""

    deployment: str
    model: str
    since: datetime
    until: datetime | None = Field(description="When the next span begins; null: it lasts.")
    shares: dict[str, int] = Field(description="Version → share in percent; empty: nobody served.")
    operation: str | None = Field(description="Id of the operation that made it so.")
    kind: OperationKind | None = Field(description="What it was.")
    revision: int | None = Field(description="The revision that the operation was to bring.")
    actor: str | None = Field(description="Who asked for the operation.")
    cause: str
    checks_before: tuple[CheckEvidence, ...] = Field(
        description="What the operation's checks measured in the span before: what let it go on, or turned it round."
    )
    checks: tuple[CheckEvidence, ...] = Field(description="What the operation's checks measured in this span.")


class DeploymentDetail(Body):
    """Everything known of a deployment."""

    deployment: DeploymentAnswer
    labels: dict[str, str]
    spec: DeploymentSpec
    retired: bool
    updated_at: datetime
    observed_at: datetime | None
    copies: tuple[CopyAnswer, ...]
    differences: tuple[DifferenceAnswer, ...] = Field(default=(), description="What somebody else changed.")
    revisions: tuple[RevisionAnswer, ...]
    operation: OperationAnswer | None


class UpstreamAnswer(Body):
    """Where a version is asked whose copies have no addresses."""

    version: str
    url: str = Field(description="The service; requests are sent to `/invocations` below it.")
    headers: dict[str, str] = Field(description="What tells the service which version shall answer.")


class TrafficAnswer(Body):
    """Where a deployment's requests go."""

    deployment: str
    traffic: dict[str, int] = Field(description="Version → share of the acknowledged route, in percent.")
    url: str | None = Field(description="Where requests to this deployment are sent.")
    endpoints: tuple[CopyAnswer, ...] = Field(description="The ready and draining copies.")
    upstreams: tuple[UpstreamAnswer, ...] = Field(description="Of the versions whose copies have no addresses.")


class EventAnswer(BaseModel):
    """One event. A check's `check`, `value`, `enforced` and other evidence are further keys beside these."""

    model_config = ConfigDict(extra="allow", frozen=True)

    sequence: int
    at: datetime
    deployment: str
    type: EventType
    revision: int | None
    batch: int | None
    actor: str | None
    message: str
    operation: str | None

    @classmethod
    def of(cls, event: StoredEvent) -> "EventAnswer":
        """The event with its evidence laid beside its own fields, which evidence never replaces."""
        own = {name: getattr(event, name) for name in cls.model_fields}
        return cls.model_validate({**event.evidence, **own})


class ChangeAnswer(Body):
    """What came of a change."""

    changed: bool
    message: str
    revision: int | None = None
    operation: str | None = None


class Applied(Body):
    """What came of one applied document."""

    kind: Literal["Target", "ModelVersion", "Deployment", "Freeze"]
    name: str = Field(description="Its name; of a model version, `MODEL/VERSION`.")
    result: Literal["created", "changed", "unchanged"]
    message: str
    revision: int | None = None
    operation: str | None = None


class ApplyAnswer(Body):
    """What came of each document, in the order they were sent."""

    items: tuple[Applied, ...]
    dry_run: bool


class KeyAnswer(ApiKey):
    """An API key without the key."""

    model_config = CAMEL


class MadeKeyAnswer(KeyAnswer):
    """A new API key. The key itself is in this answer and nowhere else."""

    key: str = Field(description="What `Authorization: Bearer …` takes.")


class PlanAnswer(Plan):
    """What applying would do to one deployment."""

    model_config = CAMEL


class PlansAnswer(Body):
    """A plan for each deployment among the documents, in the order they were sent."""

    items: tuple[PlanAnswer, ...]


JsonSchema = dict[str, Any]
