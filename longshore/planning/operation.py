"""What every operation is made of: facts in, a decision out.

An operation is a state machine driven by a pure function `advance(order, state, facts) → Decision`. A decision
holds either actions to carry out now, or the instant until which there is nothing to do, or the end. The workflow
carries the actions out by activities, puts what they observed into the facts, and asks again.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from longshore.planning.checks import Measurement
from longshore.planning.native import NativePolicy, NativeStatus
from longshore.planning.observed import Copy, CopyState, Difference, Observation
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.words import Event, OperationKind, Phase, Progress
from longshore.spec.base import Value
from longshore.spec.deployment import Check, DeploymentSpec
from longshore.spec.model_version import Resources
from longshore.spec.scaling import Scaling


class VersionFacts(Value):
    """What decisions need of a model version; activities look the rest up in the store."""

    version: str
    resources: Resources
    side_by_side: bool = True
    smoke: bool = False


class Warm(Value):
    """Copies of the version that served before, kept ready without traffic for an instant undo (rule 6)."""

    version: str
    revision: int
    until: datetime
    """They are given up then, or earlier when an operation needs their room."""


Doubt = Literal["return", "again"]


class Adopts(Value):
    """What an adoption takes over: something that serves on the target, as it is there."""

    component: str
    """The platform's name of it, which it keeps."""
    before: str | None = None
    """The version that it has stood for; None: it was not this Longshore's."""


class OperationOrder(Value):
    """What a deployment gives an operation to do. A saved state comes along when it continues as new."""

    id: str
    """`digits/rollout-2`."""
    deployment: str
    number: int
    kind: OperationKind
    target: str
    model: str
    actor: str
    revision: int | None
    spec: DeploymentSpec
    new: VersionFacts
    """The version that shall serve in the end."""
    old: VersionFacts | None = None
    old_revision: int | None = None
    old_copies: int | None = None
    """Copies that were desired before it; what a way back restores. None: as many as now."""
    warm: Warm | None = None
    """What is kept warm as it begins."""
    take: bool = False
    """What somebody else had changed before it began is undone: a person said so."""
    adopts: Adopts | None = None
    doubt: Doubt | None = None
    """An operation before it left two versions serving: go back to the old one, and with `again` begin anew then."""
    versions: tuple[str, ...] = ()
    """retire: every version that may have copies."""
    autoscaled: bool = False
    """Whether the target's autoscaler may choose the copies as it begins."""
    old_scaling: Scaling | None = None
    """The policy by which it does, as far as that is known."""
    state: dict[str, Any] | None = None
    """The operation's state when it continues as new."""

    @property
    def copies_before(self) -> int:
        """Copies that a way back restores."""
        return self.spec.copies if self.old_copies is None else self.old_copies


class OperationResult(Value):
    """How an operation ended."""

    phase: Phase
    reason: str | None = None
    message: str | None = None
    copies: int | None = None
    """Copies desired from now on, where it came to another number than it was ordered."""
    warm: Warm | None = None
    """What is kept warm after it."""
    unsteered: bool = False
    """Whether the target's autoscaler could not be told whose copies it chooses from now on, and how."""


# -- actions: each is one activity ---------------------------------------------------------------------------------


class Verify(Value):
    """Check the new version's artifact and command on the target."""

    kind: Literal["verify"] = "verify"


class Reserve(Value):
    """Ask for room."""

    kind: Literal["reserve"] = "reserve"
    request: ReservationRequest


class Ensure(Value):
    """Bring one version to a level."""

    kind: Literal["ensure"] = "ensure"
    version: str
    copies: int
    surplus: Literal["drain", "end"]
    placement: dict[str, int] = {}
    step: int
    take: bool = False
    """Undo what somebody else changed of it."""
    lasting: bool = False
    """What is made for it will serve later versions, too, under the same name."""


class Accept(Value):
    """Let what somebody else made or changed be what is desired, and change nothing of it."""

    kind: Literal["accept"] = "accept"
    version: str
    copies: int
    adopts: Adopts
    step: int


class AskFreeze(Value):
    """Ask whether a freeze holds this rollout now."""

    kind: Literal["freeze"] = "freeze"


class ReadRoute(Value):
    """Read the weights that the deployment's route has."""

    kind: Literal["route"] = "route"


class GiveUpWarm(Value):
    """Ask other deployments to give up their warm copies, whose room is needed."""

    kind: Literal["giveUpWarm"] = "giveUpWarm"
    deployments: tuple[str, ...]


class Observe(Value):
    """Read the deployment's copies."""

    kind: Literal["observe"] = "observe"


class Smoke(Value):
    """Ask every ready copy of a version its smoke request."""

    kind: Literal["smoke"] = "smoke"
    version: str


class Publish(Value):
    """Publish a route and wait a little for its acknowledgement."""

    kind: Literal["publish"] = "publish"
    weights: dict[str, int]
    standby: tuple[str, ...] = ()
    idempotent: bool = False
    step: int


class Withdraw(Value):
    """Remove the route and wait a little for the acknowledgement."""

    kind: Literal["withdraw"] = "withdraw"
    step: int


class Drained(Value):
    """Ask whether the draining copies have finished their requests."""

    kind: Literal["drained"] = "drained"
    addresses: tuple[str, ...]
    versions: tuple[str, ...] = ()
    """Those whose copies have no addresses, and drain all of them."""


class Measure(Value):
    """Measure these checks, and read the copies."""

    kind: Literal["measure"] = "measure"
    checks: tuple[Check, ...]
    watched: tuple[Check, ...] = ()
    """All that are measured sooner or later, for whose windows readings are kept."""
    batch: int
    not_before: datetime
    bake_ended: bool
    until: datetime | None = None
    """When the bake ends, as far as that is known: checks are not asked again afterwards."""


class Delegate(Value):
    """Hand the update to a version to the platform's own mechanism."""

    kind: Literal["delegate"] = "delegate"
    version: str
    before: str
    """The version that it is of now."""
    copies: int | None
    """None leaves them as they are, for an autoscaler chooses them."""
    policy: NativePolicy
    step: int


class Follow(Value):
    """Look how an update stands that was handed to the platform."""

    kind: Literal["follow"] = "follow"
    step: int
    """Of the handing over: what is noted of it is fenced as that was."""


class Steer(Value):
    """Tell the target's autoscaler which version's copies it chooses, and how; no other version keeps a policy."""

    kind: Literal["steer"] = "steer"
    version: str | None = None
    """None: it chooses none any more."""
    scaling: Scaling | None = None
    suspended: bool = False
    """It keeps the policy, but leaves the copies alone."""
    step: int


Action = Annotated[
    Verify
    | Accept
    | Reserve
    | Ensure
    | Observe
    | Smoke
    | Publish
    | Withdraw
    | Drained
    | Measure
    | AskFreeze
    | ReadRoute
    | GiveUpWarm
    | Delegate
    | Follow
    | Steer,
    Field(discriminator="kind"),
]


# -- facts: what the last actions observed -------------------------------------------------------------------------


class Trouble(Value):
    """An action that did not succeed, in the words of the room it was asked of."""

    action: str
    reason: str
    message: str
    retryable: bool
    """Whether doing the same later can help."""


class Acked(Value):
    """What became of a published or withdrawn route."""

    acked: bool
    at: datetime
    rejected: str | None = None
    gateways: int = 0


class DrainReport(Value):
    """What was read of the draining copies."""

    acked: bool
    """Whether every gateway knows that they drain."""
    in_flight: int
    """Requests still at them, over all gateways."""


class Frozen(Value):
    """A freeze that holds a rollout."""

    name: str
    until: datetime
    message: str
    """In one line: which freeze, why, and until when."""


Verb = Literal["pause", "resume", "promote", "abort", "retire", "approve", "override", "revise", "supersede"]


class Command(Value):
    """A verb that reached the operation."""

    sequence: int
    verb: Verb
    actor: str
    full: bool = False
    roles: tuple[str, ...] = ()
    """approve: those that the actor has."""
    reason: str | None = None
    """override: why the freeze does not hold this rollout."""
    spec: DeploymentSpec | None = None
    """revise: the same version with other copies or another policy."""


class Facts(Value):
    """All that a decision may look at besides the order and the state; what is not kept is of the last actions."""

    now: datetime
    answered: bool = False
    """Whether the actions of the last decision were just carried out."""
    observation: Observation | None = None
    """The newest reading of this deployment's copies; it stays until there is a newer one."""
    fresh: bool = False
    """Whether the observation was read by those actions."""
    grant: Grant | None = None
    acked: Acked | None = None
    drain: DrainReport | None = None
    measurements: tuple[Measurement, ...] | None = None
    smoke: str | None = None
    """What went wrong in the smoke test; empty when it passed."""
    verified: bool = False
    thawed: bool = False
    """Whether it was asked, and no freeze holds this rollout."""
    frozen: Frozen | None = None
    route: dict[str, int] | None = None
    """The weights that the route has, when that was asked."""
    native: NativeStatus | None = None
    """How an update that the platform carries out stands, when that was asked."""
    trouble: Trouble | None = None
    commands: tuple[Command, ...] = ()

    def copies(self, version: str) -> tuple[Copy, ...]:
        """The copies of a version, in any state."""
        return tuple(copy for copy in (self.observation.copies if self.observation else ()) if copy.version == version)

    def count(self, version: str, *states: CopyState) -> int:
        """How many copies of a version are in one of the states; in any, when none is named."""
        return sum(not states or copy.state in states for copy in self.copies(version))

    def ready(self, version: str) -> int:
        """Ready copies of a version."""
        return self.count(version, CopyState.READY)

    def serving(self, version: str) -> int:
        """Copies of a version that serve, or are on their way to."""
        return sum(copy.state not in {CopyState.DRAINING, CopyState.ENDING} for copy in self.copies(version))

    def draining(self, version: str) -> tuple[Copy, ...]:
        """Copies of a version that get no new requests but still live."""
        return tuple(copy for copy in self.copies(version) if copy.state is CopyState.DRAINING)

    def changed(self, *versions: str) -> tuple[Difference, ...]:
        """What somebody else changed of these versions."""
        seen = self.observation.differences if self.observation else ()
        return tuple(one for one in seen if one.version in versions)

    @property
    def accelerators(self) -> int:
        """Accelerators that the deployment's copies hold, in any state."""
        return sum(len(copy.accelerators) for copy in (self.observation.copies if self.observation else ()))


class Acknowledged(Value):
    """What became of a command."""

    sequence: int
    accepted: bool
    message: str
    reason: str | None = None


class Draining(Value):
    """Copies of a version being brought down to a level."""

    version: str
    level: int
    ending: bool = False
    until: datetime
    """They are ended by then, whether their requests are done or not."""


class Farewell(Value):
    """How an operation ends once the target's autoscaler was told of it, which is the last thing that it does."""

    result: OperationResult
    events: tuple[Event, ...]
    """Told with the end."""
    progress: Progress
    steer: Steer
    until: datetime
    """It ends then at the latest."""


class Hindrance(Value):
    """What holds an operation up for the moment: told in place of its reason until an action succeeds again."""

    reason: str | None
    message: str | None


class State(Value):
    """What any operation remembers from one decision to the next."""

    phase: Phase = Phase.PENDING
    reason: str | None = None
    message: str | None = None
    step: int = 0
    """Grows with every write on the outside; the second half of the fence."""
    started: bool = False
    weights: dict[str, int] = {}
    """Weights last acked; empty while there is no route."""
    published: dict[str, int] = {}
    """Weights last asked for; they are live once they equal `weights`."""
    standby: tuple[str, ...] = ()
    """Versions without weight whose clusters were last asked for."""
    peak_accelerators: int = 0
    levels: dict[str, int] = {}
    """Version → copies last asked for; of one that was there before, as many as its revision says."""
    draining: Draining | None = None
    asked: bool = False
    """Whether the present stage's action was carried out; begins anew with every stage."""
    hindrance: Hindrance | None = None
    held: bool = False
    """Whether the target's autoscaler was told to leave the copies alone, or may have been."""
    farewell: Farewell | None = None
    taken: tuple[Difference, ...] = ()
    """What somebody else changed and a person wants undone, until it is gone: levels overwrite it."""
    looked: bool = False
    """Whether it was looked whether somebody else had changed anything before."""
    right_by: datetime | None = None
    """That must be undone by then."""
    pending: tuple[Action, ...] = ()
    """The actions of the last decision, to be asked again when one could not be carried out."""
    shut: dict[str, datetime] = {}
    """Host that is up and yet refused a copy → until when nothing new is placed there."""
    refusal: str | None = None
    """The target's words when it last refused room that it had promised; None since some was granted."""


class Shares(Value):
    """From `at` on the versions hold these shares of the traffic."""

    at: datetime
    weights: dict[str, int]
    cause: str


class Decision(Value):
    """What to do now: carry out `actions` and ask again; or end with `result`; or wait.

    Waiting ends at `wait_until`, or with a command where that is None.
    """

    state: dict[str, Any]
    actions: tuple[Action, ...] = ()
    wait_until: datetime | None = None
    result: OperationResult | None = None
    phase: Phase
    reason: str | None = None
    message: str | None = None
    events: tuple[Event, ...] = ()
    shares: Shares | None = None
    """New shares of traffic for the ledger, when they changed."""
    progress: Progress = Progress()
    acknowledged: tuple[Acknowledged, ...] = ()
