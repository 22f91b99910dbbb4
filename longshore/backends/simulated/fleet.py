"""A fleet of arithmetic: hosts, copies that take their start-up time, and nothing random."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from longshore.backends.port import Backend, BackendError, CopiesLevel, HttpAnswer
from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

Clock = Callable[[], datetime]


class Behaviour(Value):
    """How the copies of a version behave; left out, they are healthy at once."""

    startup: float = 0.0
    """Seconds from start to ready."""
    never_ready: bool = False
    crashes: bool = False
    """Exits at start until it is given up."""
    answers: bool = True
    """Whether requests straight to a copy are answered with 200."""


@dataclass
class _SimulatedCopy:
    """One copy: what was decided about it; its state follows from the clock."""

    id: str
    level: CopiesLevel
    host: str
    accelerators: tuple[int, ...]
    started_at: datetime
    draining: bool = False
    lost: bool = False


@dataclass
class SimulatedFleet:
    """A simulated target: `SimulatedFleet(name, hosts, clock).backend()` is its `Backend`.

    | call | what it does |
    |---|---|
    | `behave(version, Behaviour(...))` | how copies of a version behave from now on |
    | `lose(copy_id)` | a running copy is gone; the next level starts another |
    | `throttle(every)` | every nth call is refused as too many |
    """

    name: str
    hosts: tuple[Host, ...]
    clock: Clock
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    copies: list[_SimulatedCopy] = field(default_factory=list)
    fences: dict[str, Fence] = field(default_factory=dict)
    levels: dict[tuple[str, str], CopiesLevel] = field(default_factory=dict)
    most_accelerators: int = 0
    """The most accelerators that copies ever held together."""
    calls: int = 0
    refused_every: int = 0
    sequence: int = 0
    started: int = 0

    def backend(self) -> Backend:
        """The fleet behind the port."""
        return _SimulatedBackend(self)

    def behave(self, version: str, behaviour: Behaviour) -> None:
        """From now on the copies of a version behave so."""
        self.behaviours[version] = behaviour

    def lose(self, copy_id: str) -> None:
        """A running copy is gone; it is started again by its level, as any orchestrator would."""
        for copy in self.copies:
            if copy.id == copy_id:
                copy.started_at = self.clock()
                copy.lost = True

    def throttle(self, every: int) -> None:
        """Refuse every nth call."""
        self.refused_every = every

    def state_of(self, copy: _SimulatedCopy) -> CopyState:
        """Where a copy is, by the clock."""
        behaviour = self.behaviours.get(copy.level.version, Behaviour())
        if copy.draining:
            return CopyState.DRAINING
        if behaviour.crashes:
            return CopyState.FAILED
        up = self.clock() >= copy.started_at + timedelta(seconds=behaviour.startup)
        if behaviour.never_ready or not up:
            return CopyState.UNREADY if copy.lost else CopyState.STARTING
        return CopyState.READY

    def free(self, host: Host) -> tuple[int, ...]:
        """Accelerators of a host that no copy holds."""
        held = {index for copy in self.copies if copy.host == host.name for index in copy.accelerators}
        return tuple(index for index in range(host.accelerators) if index not in held)

    def bring(self, level: CopiesLevel) -> None:
        """Bring one version to its level."""
        highest = self.fences.get(level.deployment)
        if highest is not None and level.fence < highest:
            raise FenceRefusedError(f"{level.deployment}: step {level.fence} is older than {highest}")
        self.fences[level.deployment] = level.fence
        theirs = [
            copy
            for copy in self.copies
            if (copy.level.deployment, copy.level.version) == (level.deployment, level.version)
        ]
        for copy in sorted(theirs, key=lambda copy: (copy.draining, int(copy.id.rsplit("-", 1)[1])))[: level.copies]:
            copy.draining = False
        kept = [copy for copy in theirs if not copy.draining][: level.copies]
        for copy in theirs:
            if copy not in kept:
                copy.draining = True
                if level.surplus == "end":
                    self.copies.remove(copy)
        for _ in range(level.copies - len(kept)):
            self._start(level)

    def _start(self, level: CopiesLevel) -> None:
        need = level.spec.resources.accelerators
        fitting = [
            host
            for host in sorted(self.hosts, key=lambda host: (len(self.free(host)), host.name))
            if len(self.free(host)) >= need
            and host.accelerator_memory_gib >= level.spec.resources.accelerator_memory_gib
        ]
        if not fitting:
            raise BackendError("InsufficientAccelerators", f"{self.name} has no host with {need} free", retryable=True)
        host = fitting[0]
        self.started += 1
        copy = _SimulatedCopy(
            id=f"{level.deployment}-{level.version}-{self.started}",
            level=level,
            host=host.name,
            accelerators=self.free(host)[:need],
            started_at=self.clock(),
        )
        self.copies.append(copy)
        held = sum(len(other.accelerators) for other in self.copies)
        self.most_accelerators = max(self.most_accelerators, held)

    def observe(self, deployment: str | None) -> Observation:
        """Read the fleet, or one deployment's part."""
        self.sequence += 1
        return Observation(
            target=self.name,
            sequence=self.sequence,
            at=self.clock(),
            hosts=tuple(
                ObservedHost(
                    name=host.name,
                    accelerators=host.accelerators,
                    accelerator_memory_gib=host.accelerator_memory_gib,
                )
                for host in self.hosts
            ),
            copies=tuple(
                Copy(
                    id=copy.id,
                    deployment=copy.level.deployment,
                    model=copy.level.model,
                    version=copy.level.version,
                    host=copy.host,
                    accelerators=copy.accelerators,
                    address=f"{copy.host}.simulated:{copy.id.rsplit('-', 1)[1]}",
                    state=self.state_of(copy),
                    reason="ExitedAtStart" if self.state_of(copy) is CopyState.FAILED else None,
                    message="exit status 1" if self.state_of(copy) is CopyState.FAILED else None,
                    started_at=copy.started_at,
                )
                for copy in self.copies
                if deployment in {None, copy.level.deployment}
            ),
            deployment=deployment,
        )

    def called(self) -> None:
        """Count a call, and refuse it when it is its turn."""
        self.calls += 1
        if self.refused_every and self.calls % self.refused_every == 0:
            raise BackendError("Throttled", f"{self.name}: too many calls", retryable=True)


class _SimulatedBackend:
    """A `SimulatedFleet` behind the port."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        self._fleet.hosts = hosts

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        self._fleet.called()

    async def ensure(self, level: CopiesLevel) -> Observation:
        self._fleet.called()
        self._fleet.bring(level)
        return self._fleet.observe(level.deployment)

    async def observe(self, deployment: str | None = None) -> Observation:
        self._fleet.called()
        return self._fleet.observe(deployment)

    async def send(
        self,
        copy: Copy,
        method: str,
        path: str,
        body: Any | None,
        timeout: float,
    ) -> HttpAnswer:
        well = self._fleet.behaviours.get(copy.version, Behaviour()).answers
        return HttpAnswer(status=200 if well else 500, body=b"{}")

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        return [f"{copy_id} is simulated"][:tail]
