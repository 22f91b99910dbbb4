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


class Upstream(Value):
    """Where a version's requests go when its copies have no addresses of their own, but one service before them all.

    It is the same for as long as the version is there, and the gateway's cluster is made of it alone.
    """

    deployment: str
    version: str
    address: str
    """`host:port`; the host may be a name."""
    tls: bool = True
    host: str
    """The Host header, and the name in the service's certificate."""
    path: str
    """Before `/invocations` and `/invocations-response-stream`: `/endpoints/fleet`."""
    headers: dict[str, str] = {}
    """Added to each request, and signed: which component shall answer."""
    signed_for: str | None = None
    """`service/region` that requests are signed for (AWS Signature Version 4); None leaves them as they are."""
    role: str | None = None
    """ARN of the role to sign as; None: whoever the gateway's own credentials are."""

    @property
    def url(self) -> str:
        """The service, for people."""
        return f"{'https' if self.tls else 'http'}://{self.host}{self.path}"


class Difference(Value):
    """Something on a target that somebody else changed or removed since we made it so."""

    deployment: str
    version: str
    what: str
    """The field in the platform's own words: `Specification.Container.Image`, `CopyCount`; `deleted`."""
    wanted: str
    found: str


class ObservedHost(Value):
    """One host as observed."""

    name: str
    accelerators: int
    accelerator_memory_gib: float = 0
    up: bool = True
    obtainable: bool = False
    """It is not there, but the target starts it when a copy needs its room. `up` as long as that was not refused."""
    instance_type: str | None = None
    """What it is sold as, where it is rented: `ml.g5.12xlarge`."""


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
    upstreams: tuple[Upstream, ...] = ()
    """Of the versions whose copies have no addresses of their own."""
    differences: tuple[Difference, ...] = ()
    """What somebody else changed."""
    trouble: str | None = None
    """What is wrong with the target itself, as that its endpoint is gone, with the cure. Such a reading of one
    deployment says what is known of it all the same, and nothing of the target's hosts."""
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
    """5xx answers, resets and failed connections, those that a retry rescued among them; at AWS also 403, 424, 429."""
    latency: tuple[tuple[float, int], ...] = ()
    """(upper bound in milliseconds, cumulative count) of the upstream time histogram, ascending."""
