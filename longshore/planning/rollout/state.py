"""What a rollout remembers between two decisions, and the stages it goes through."""

from datetime import datetime
from enum import StrEnum

from longshore.planning.checks import CheckCounters, Measurement
from longshore.planning.freezing import Freezable
from longshore.planning.rollout.legs import Leg
from longshore.planning.rollout.strategy import Taken
from longshore.planning.words import BatchProgress, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec, RolloutPolicy


class Stage(StrEnum):
    """Where a rollout is."""

    DOUBT = "doubt"
    GATE = "gate"
    VERIFY = "verify"
    GIVE_UP_WARM = "give-up-warm"
    RESERVE = "reserve"
    HOLD = "hold"
    DIP = "dip"
    START = "start"
    TAKE_BACK = "take-back"
    LET_GO = "let-go"
    SMOKE = "smoke"
    GOLDEN = "golden"
    SHIFT = "shift"
    BAKE = "bake"
    DRAIN = "drain"
    STAND = "stand"
    RESCALE = "rescale"
    FINISH = "finish"
    CONFIRM = "confirm"
    # the way back
    RETURN = "return"
    TRIM = "trim"
    RESTORE_ROOM = "restore-room"
    RESTORE = "restore"
    CLEAR = "clear"
    UNROUTE = "unroute"
    # ends
    END = "end"
    RETIRED = "retired"


class PauseReason(StrEnum):
    """Why a rollout stands still (DESIGN, rule 8)."""

    BY_USER = "PausedByUser"
    STEP = "PauseStep"
    APPROVAL = "ApprovalNeeded"
    INCONCLUSIVE = "CheckInconclusive"
    ERROR = "CheckError"
    OUTSIDE = "ChangedOutside"


class Pause(Value):
    """A pause: nothing new begins, bake and deadline stop, checks go on."""

    reason: PauseReason
    since: datetime


class Bake(Value):
    """The wait after a batch has its traffic, and what was measured in it."""

    since: datetime
    """No window begins earlier."""
    ends: datetime
    due: dict[str, datetime] = {}
    """When each check is measured next: always the last due plus its interval, never now plus it."""
    counters: dict[str, CheckCounters] = {}
    latest: dict[str, Measurement] = {}
    last_call: bool = False
    """Whether the measurement at the end of the bake was asked for."""
    served: dict[str, datetime | None] = {}
    """The new version's copies as the bake began: since when each serves."""
    recover_by: datetime | None = None
    """Set while a copy is lost: it must be replaced by then, and the bake begins again."""
    promoted: bool = False
    """A person ended this bake: no check is asked any more, but every copy must be ready."""


class Rescale(Value):
    """Other copies were asked for on the way: both versions come to these levels at once (rule 9)."""

    new: int
    old: int
    back: Stage
    """Where the rollout then goes on."""
    actor: str
    weights: dict[str, int]
    """The shares that go with the levels; empty while the new version has no traffic."""
    reserving: str | None = None
    """The version for which room was asked last."""
    grown: bool = False
    """Whether every copy that was to come is there."""


class WayBack(Value):
    """Why the rollout turned round, and what its end will be called."""

    phase: Phase
    reason: str
    message: str
    peak: int
    """Most copies, of both versions, that the way back may hold: the rollout's own peak."""
    weight: int = 0
    """The new version's weight after the present step back."""
    kept: int = 0
    """Copies of the new version that stay in the present step back."""
    again: bool = False
    """Whether the rollout begins anew once it is back."""


class RolloutState(Freezable):
    """A rollout, an undo or an onboarding under way."""

    stage: Stage = Stage.GATE
    strategy: Taken = "rolling"
    why: str = ""
    """Why this strategy."""
    spec: DeploymentSpec | None = None
    """What is desired now, when it was revised on the way."""
    policy_next: RolloutPolicy | None = None
    """A policy that takes effect with the next batch (rule 10)."""
    let_go: bool = False
    """Whether the autoscaler was held before, and then told to go on until there is room."""
    instant: bool = False
    """It returns to a version that was kept warm: readiness is all that is asked (rule 6)."""
    batch: int = 0
    """Of the batch under way or last done, from 1."""
    steps_done: int = 0
    """Of a canary."""
    settled: int = 0
    """Copies of the new version from finished batches."""
    level: int = 0
    """Copies of the old version that stay beside those."""
    leg: Leg | None = None
    """What the batch under way is a part of, or the whole of."""
    weight: int = 0
    """The new version's share once the batch under way has its traffic."""
    surge: int = 0
    dip: int = 0
    placement: dict[str, int] = {}
    """Host → copies of the new version, this batch included."""
    widest: int = 0
    """Largest surge of any batch so far."""
    ready_by: datetime | None = None
    """The batch's deadline; moved by pauses, and restarted once when a host is lost."""
    host_lost: bool = False
    """Whether the batch's deadline was restarted."""
    kept: int = 0
    """Copies of the version that was starting which stay when those that were refused their room are taken back."""
    old_well: int | None = None
    """Old copies that were ready when first seen: only those can be lost, not what was broken before."""
    warm_asked: bool = False
    """Whether others were asked for the room of their warm copies."""
    stands_until: datetime | None = None
    """When the present timed pause of a canary is over."""
    rescale: Rescale | None = None
    restores: int | None = None
    """Copies that a way back restores since other copies were asked for; None: as many as there were before."""
    bake: Bake | None = None
    vigil: Bake | None = None
    """The checks between two bakes: in pauses all of them, else those of the whole rollout."""
    measured: dict[str, Measurement] = {}
    """The last measurement of each check, for people to read between two bakes and after the last."""
    pause: Pause | None = None
    puts_right: bool = False
    """Whether the levels are to be said once more, to undo what somebody else changed."""
    skip: bool = False
    """promote --full: no further bake or check."""
    way_back: WayBack | None = None
    restored: int = 0
    """Old copies that shall be ready before the way back goes on."""
    ladder: tuple[BatchProgress, ...] = ()

    @property
    def size(self) -> int:
        """Copies of the batch under way."""
        return self.surge + self.dip
