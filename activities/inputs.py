"""What activities take and give. Fields are only ever added: a pinned workflow may call a newer worker."""

from datetime import datetime

from longshore.planning.checks import Measurement
from longshore.planning.deployment.revisions import DeploymentState
from longshore.planning.fence import Fence
from longshore.planning.native import NativePolicy
from longshore.planning.observed import Observation
from longshore.planning.operation import Frozen, OperationOrder, OperationResult, Shares
from longshore.planning.steady import Foresight
from longshore.planning.words import Event, Phase, Progress
from longshore.spec.base import Value
from longshore.spec.deployment import Check
from longshore.spec.scaling import Scaling


class VersionInput(Value):
    """A version on a target."""

    target: str
    model: str
    version: str


class EnsureInput(Value):
    """A level of one version; see `CopiesLevel`."""

    target: str
    deployment: str
    model: str
    version: str
    copies: int
    surplus: str
    placement: dict[str, int] = {}
    fence: Fence
    take: bool = False
    lasting: bool = False


class AcceptInput(Value):
    """Something to take over as it is; see `Adoption`."""

    target: str
    deployment: str
    model: str
    version: str
    copies: int
    component: str
    before: str | None = None
    fence: Fence


class SteerInput(Value):
    """What the target's autoscaler shall do; see `AutoscalerLevel`."""

    target: str
    deployment: str
    version: str | None = None
    scaling: Scaling | None = None
    suspended: bool = False
    fence: Fence


class DelegateInput(Value):
    """An update that the target's platform shall carry out; see `Handover`."""

    target: str
    deployment: str
    model: str
    version: str
    before: str
    copies: int | None
    policy: NativePolicy
    fence: Fence


class FollowInput(Value):
    """A deployment whose last update is looked at."""

    target: str
    deployment: str
    fence: Fence


class ObserveInput(Value):
    """A deployment on a target."""

    target: str
    deployment: str


class SmokeInput(Value):
    """A version whose ready copies are asked their smoke request."""

    target: str
    deployment: str
    model: str
    version: str


class SmokeOutput(Value):
    """What went wrong, empty when nothing did."""

    problem: str = ""


class MeasureInput(Value):
    """The checks to measure in one tick."""

    target: str
    deployment: str
    model: str
    operation: str
    batch: int
    new: str
    old: str | None = None
    checks: tuple[Check, ...]
    """Those due now."""
    watched: tuple[Check, ...] = ()
    """All of the rollout, for whose later windows readings are kept."""
    not_before: datetime
    bake_ended: bool
    until: datetime | None = None
    """When the bake ends, as far as anybody knows."""


class MeasureOutput(Value):
    """The measurements, and the copies as they were then."""

    measurements: tuple[Measurement, ...]
    observation: Observation
    foresight: Foresight | None = None
    """What later measurements would say; None, as on every real target: nobody knows."""


class PublishInput(Value):
    """A route by weight."""

    deployment: str
    model: str
    weights: dict[str, int]
    standby: tuple[str, ...] = ()
    idempotent: bool = False
    fence: Fence


class WithdrawInput(Value):
    """A route to remove."""

    deployment: str
    fence: Fence


class RouteInput(Value):
    """A deployment whose route is read."""

    deployment: str


class RouteOutput(Value):
    """The weights that it has; none without a route."""

    weights: dict[str, int]


class DrainedInput(Value):
    """Addresses of copies that drain, and versions that do as a whole."""

    deployment: str
    addresses: tuple[str, ...]
    versions: tuple[str, ...] = ()


class FreezeInput(Value):
    """A deployment that a freeze may hold."""

    target: str
    deployment: str


class FreezeOutput(Value):
    """The freeze that holds it now; None when there is none."""

    frozen: Frozen | None = None


class LostOperation(Value):
    """An operation that a deployment finds when it begins anew."""

    id: str


class LostOutput(Value):
    """How it ended; None while it still runs."""

    result: OperationResult | None = None


class StepInput(Value):
    """What one step of an operation has to say; recorded once, however often it is tried."""

    order: OperationOrder
    step: int
    phase: Phase
    reason: str | None = None
    message: str | None = None
    events: tuple[Event, ...] = ()
    shares: Shares | None = None
    progress: Progress = Progress()
    started_at: datetime
    ended_at: datetime | None = None


class SayingInput(Value):
    """What a deployment has to say of itself; `state.sequence` orders the sayings."""

    state: DeploymentState
    at: datetime
    ended: OperationOrder | None = None
    """An operation that ended, by its own word or without one."""
    result: OperationResult | None = None
    """How."""
    events: tuple[Event, ...] = ()
    """Of revisions that waited and never started."""
