"""What was observed: hosts, copies, and the counters of the traffic plane."""

from datetime import datetime
from enum import StrEnum

from longshore.spec.base import Value


class CopyState(StrEnum):
    """Where a copy is in its life. Copies in any of these states hold their accelerators."""

    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    """Was ready, now fails its probe or has exited and waits to be started again."""
    DRAINING = "draining"
    """Gets no new requests; ends when told to."""
    ENDING = "ending"
    """Was told to end."""
    FAILED = "failed"
    """Exited three times before it was ever ready; it is not started again."""


class Copy(Value):
    """One copy as observed."""

    id: str
    deployment: str
    model: str
    version: str
    host: str
    accelerators: tuple[int, ...] = ()
    """Indices on the host."""
    address: str | None = None
    """`host:port` where it serves, once known."""
    state: CopyState
    restarts: int = 0
    reason: str | None = None
    """CamelCase, when the copy is not ready: `ExitedAtStart`, `ProbeFailed`, …"""
    message: str | None = None
    """One line for a person, when the copy is not ready."""
    started_at: datetime | None = None
    ready_at: datetime | None = None
    """When its present time of serving began; another than before tells of a loss that nobody saw."""


class ObservedHost(Value):
    """One host as observed."""

    name: str
    accelerators: int
    accelerator_memory_gib: float = 0
    up: bool = True


class Observation(Value):
    """What a target holds: everything, or one deployment's copies, in one reading."""

    target: str
    sequence: int
    """Grows with every reading of this target, across restarts; an older reading never replaces a newer one."""
    at: datetime
    hosts: tuple[ObservedHost, ...]
    copies: tuple[Copy, ...]
    deployment: str | None = None
    """The deployment the reading is limited to; None when it is of the whole target."""
    steady_until: datetime | None = None
    """Before then nothing of it changes but by our own doing. None, as on every real target: nobody knows."""


class Sample(Value):
    """Cumulative counters of one version at one gateway, as read at one instant."""

    gateway: str
    version: str
    at: datetime
    epoch: str
    """Changes when the gateway restarts or the counters begin anew; windows never span two epochs."""
    requests: int
    """Requests answered or failed, retried ones counted each time."""
    errors: int
    """5xx answers, resets and failed connections, those that a retry rescued among them."""
    latency: tuple[tuple[float, int], ...] = ()
    """(upper bound in milliseconds, cumulative count) of the upstream time histogram, ascending."""
