"""What a rollout remembers between two decisions, and the stages it goes through."""

from datetime import datetime
from enum import StrEnum

from longshore.planning.checks import CheckCounters, Measurement
from longshore.planning.operation import State
from longshore.planning.words import BatchProgress, Phase
from longshore.spec.base import Value


class Stage(StrEnum):
    """Where a rollout is."""

    VERIFY = "verify"
    RESERVE = "reserve"
    DIP = "dip"
    START = "start"
    SMOKE = "smoke"
    GOLDEN = "golden"
    SHIFT = "shift"
    BAKE = "bake"
    DRAIN = "drain"
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
    INCONCLUSIVE = "CheckInconclusive"
    ERROR = "CheckError"


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


class RolloutState(State):
    """A rollout, an undo or an onboarding under way."""

    stage: Stage = Stage.VERIFY
    batch: int = 0
    """Of the batch under way or last done, from 1."""
    settled: int = 0
    """Copies of the new version from finished batches."""
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
    old_well: int | None = None
    """Old copies that were ready when first seen: only those can be lost, not what was broken before."""
    blocked: bool = False
    bake: Bake | None = None
    measured: dict[str, Measurement] = {}
    """The last measurement of each check, for people to read between two bakes and after the last."""
    pause: Pause | None = None
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
