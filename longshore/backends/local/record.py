"""A copy as the agent remembers it, and how its life goes on after an exit or a probe. Pure."""

from datetime import datetime, timedelta
from typing import Final

from longshore.backends.local.limits import BACKOFF_FIRST, BACKOFF_MOST, EXITS_TO_FAILED, HEALTHY_AFTER
from longshore.backends.port import CopiesLevel
from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState
from longshore.spec.base import Value

LOOPBACK = "127.0.0.1"


class Slot(Value):
    """The accelerators of one copy."""

    host: str
    accelerators: tuple[int, ...] = ()
    """Indices on the host."""
    devices: tuple[str, ...] = ()
    """What no other copy on this machine may hold, whatever its target calls it."""
    cuda_visible_devices: str = ""


class CopyRecord(Value):
    """One copy: written before its process is started, removed after the process is gone.

    So a record without a process is a copy to be started, and a process is never without a record.
    """

    id: str
    model: str
    version: str
    slot: Slot
    port: int
    cpus: tuple[int, ...] = ()
    """CPUs it is held to; empty is all."""
    pid: int | None = None
    born: float | None = None
    """Creation time of the process, in seconds since the epoch: a pid alone may be another's by now."""
    draining: bool = False
    ending: bool = False
    terminated_at: datetime | None = None
    """When SIGTERM was sent."""
    failed: bool = False
    ready: bool = False
    exits: int = 0
    """Exits in a row."""
    restarts: int = 0
    not_before: datetime | None = None
    """When it may be started again."""
    created_at: datetime
    started_at: datetime | None = None
    ready_at: datetime | None = None
    """When it was first ready; None if never."""
    ready_since: datetime | None = None
    reason: str | None = None
    message: str | None = None

    @property
    def state(self) -> CopyState:
        """What others see; the order is the order of precedence."""
        if self.ending:
            return CopyState.ENDING
        if self.failed:
            return CopyState.FAILED
        if self.draining:
            return CopyState.DRAINING
        if self.ready:
            return CopyState.READY
        return CopyState.STARTING if self.ready_at is None else CopyState.UNREADY

    def observed(self, deployment: str) -> Copy:
        """The copy as it crosses the seam."""
        return Copy(
            id=self.id,
            deployment=deployment,
            model=self.model,
            version=self.version,
            host=self.slot.host,
            accelerators=self.slot.accelerators,
            address=f"{LOOPBACK}:{self.port}",
            state=self.state,
            restarts=self.restarts,
            reason=None if self.ready else self.reason,
            message=None if self.ready else self.message,
            started_at=self.started_at,
            ready_at=self.ready_since or self.ready_at,
        )


class DeploymentState(Value):
    """What the agent remembers of one deployment on one target: one file."""

    target: str
    deployment: str
    fence: Fence | None = None
    """The highest seen. It outlives the copies, so that a late retry finds it."""
    levels: dict[str, CopiesLevel] = {}
    """Version → the level last asked for."""
    copies: tuple[CopyRecord, ...] = ()

    def of_version(self, version: str) -> tuple[CopyRecord, ...]:
        """The copies of one version."""
        return tuple(copy for copy in self.copies if copy.version == version)

    def with_copy(self, copy: CopyRecord) -> "DeploymentState":
        """The same with one copy added, or put in the place of the one with its id."""
        others = tuple(other if other.id != copy.id else copy for other in self.copies)
        return self.model_copy(update={"copies": others if copy in others else (*others, copy)})

    def without_copy(self, copy_id: str) -> "DeploymentState":
        """The same with one copy less, and without the level of a version that was to end and has."""
        copies = tuple(copy for copy in self.copies if copy.id != copy_id)
        held = {copy.version for copy in copies}
        levels = {
            version: level
            for version, level in self.levels.items()
            if version in held or level.copies > 0 or level.surplus == "drain"
        }
        return self.model_copy(update={"copies": copies, "levels": levels})


_NO_PROCESS: Final = {"pid": None, "born": None, "terminated_at": None, "ready": False, "ready_since": None}


def after_spawn(copy: CopyRecord, pid: int, born: float, now: datetime) -> CopyRecord:
    """The copy now has a process."""
    return copy.model_copy(update={"pid": pid, "born": born, "started_at": now, "not_before": None})


def after_exit(copy: CopyRecord, reason: str, message: str, now: datetime) -> CopyRecord | None:
    """The copy's process is gone, or could not be started. None: the copy is gone with it."""
    if copy.ending or copy.draining:
        return None
    forgiven = copy.ready_since is not None and now - copy.ready_since >= timedelta(seconds=HEALTHY_AFTER)
    exits = 1 if forgiven else copy.exits + 1
    failed = copy.ready_at is None and exits >= EXITS_TO_FAILED
    return copy.model_copy(
        update={
            **_NO_PROCESS,
            "exits": exits,
            "restarts": copy.restarts + (0 if failed else 1),
            "failed": failed,
            "not_before": None if failed else now + timedelta(seconds=backoff(exits)),
            "reason": reason,
            "message": message,
        }
    )


def after_rest(copy: CopyRecord) -> CopyRecord:
    """The copy's process was ended because the whole machine rests: no fault of the copy's."""
    return copy.model_copy(
        update={**_NO_PROCESS, "reason": "Stopped", "message": "stopped with Longshore; it starts again"}
    )


def after_ready(copy: CopyRecord, now: datetime) -> CopyRecord:
    """A probe found the copy ready."""
    return copy.model_copy(
        update={
            "ready": True,
            "ready_at": copy.ready_at or now,
            "ready_since": now,
            "reason": None,
            "message": None,
        }
    )


def after_unready(copy: CopyRecord, message: str) -> CopyRecord:
    """Probes found a copy that was ready to be so no more."""
    return copy.model_copy(update={"ready": False, "ready_since": None, "reason": "ProbeFailed", "message": message})


def backoff(exits: int) -> float:
    """Seconds to wait after so many exits in a row: doubling, bounded."""
    return float(min(BACKOFF_FIRST * 2 ** min(exits - 1, 16), BACKOFF_MOST))
