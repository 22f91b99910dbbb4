"""A fleet of arithmetic: hosts, copies that take their start-up time, and nothing random.

It behaves like a level-triggered orchestrator: it remembers the last level asked of every version, and starts what a
level lacks wherever there is room, when it is asked, when a copy was lost and when room appears.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from longshore.backends.inventory import Adoption
from longshore.backends.port import AutoscalerLevel, Backend, BackendError, CopiesLevel
from longshore.backends.simulated.backend import SimulatedBackend
from longshore.backends.simulated.native import SimulatedPlatform
from longshore.backends.simulated.outside import Change, Outside
from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.refusals import INSUFFICIENT_CAPACITY
from longshore.planning.room import choose_accelerators
from longshore.spec.base import Value
from longshore.spec.model_version import Resources
from longshore.spec.target import Host

Clock = Callable[[], datetime]


class Behaviour(Value):
    """How the copies of a version behave; left out, they are healthy at once."""

    startup: float = 0.0
    """Seconds from start to ready, rounded up to whole ones."""
    never_ready: bool = False
    """No copy becomes ready; those that are stay so."""
    crashes: bool = False
    """Exits at start until it is given up."""
    answers: bool = True
    """Whether requests straight to a copy are answered with 200."""
    resources: Resources | None = None
    """What a copy takes; None is what its level says."""


@dataclass
class SimulatedCopy:
    """One copy: what was decided about it; its state follows from the clock."""

    id: str
    level: CopiesLevel
    host: str
    accelerators: tuple[int, ...]
    started_at: datetime
    draining: bool = False
    lost: bool = False
    """It was ready and went down; it starts anew in its place."""
    ready_at: datetime | None = None
    """Set once it was seen ready: what its version does later no longer changes that."""
    replaces: str | None = None
    """Id of the lost copy in whose stead it was started."""
    refused: bool = False
    """It waits on a host that is not to be had."""

    @property
    def subject(self) -> tuple[str, str]:
        """(deployment, version)."""
        return self.level.deployment, self.level.version


@dataclass
class SimulatedFleet:
    """A simulated target: `SimulatedFleet(name, hosts, clock).backend()` is its `Backend`.

    | call | what it does |
    |---|---|
    | `behave(version, Behaviour(...))` | how copies of a version behave from now on |
    | `lose(copy_id)` | a running copy is down, and starts again in its place |
    | `fail_host(name)` `restore_host(name)` | its copies are gone at once; others start where room is |
    | `refuse_capacity(name)` `restore_capacity(name)` | a host is one that the target starts for copies, and cannot |
    | `autoscale(deployment, copies)` | its autoscaler chooses so many copies, within its bounds |
    | `meddle(deployment, version, copies=6)` | somebody else changes a version: see `Change` |
    | `throttle(every)` | every nth call is refused as too many; 0 refuses none |
    | `next_change()` | when a copy that starts will be ready |
    """

    name: str
    hosts: tuple[Host, ...]
    clock: Clock
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    copies: list[SimulatedCopy] = field(default_factory=list)
    fences: dict[str, Fence] = field(default_factory=dict)
    levels: dict[tuple[str, str], CopiesLevel] = field(default_factory=dict)
    """The last level asked of each (deployment, version)."""
    autoscalers: dict[str, AutoscalerLevel] = field(default_factory=dict)
    """What the autoscaler of each deployment was last told."""
    owed: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Ids of lost copies in whose stead none was started yet."""
    down: set[str] = field(default_factory=set)
    """Hosts that are down."""
    withheld: set[str] = field(default_factory=set)
    """Hosts on which nothing starts: the target would start them, and finds none to be had."""
    found_out: set[str] = field(default_factory=set)
    """Those of them that a copy wanted since: from then on the target says so."""
    most_accelerators: int = 0
    """The most accelerators that copies ever held together."""
    outside: Outside = field(default_factory=Outside)
    """What other people did to it."""
    platform: SimulatedPlatform = field(default_factory=SimulatedPlatform)
    """Carries out the updates that are handed over to it."""
    undisturbed_until: Clock | None = None
    """Before which instant nothing is done to the fleet from outside; None: nobody knows."""
    calls: int = 0
    refused_every: int = 0
    sequence: int = 0
    started: int = 0

    def backend(self) -> Backend:
        """The fleet behind the port."""
        return SimulatedBackend(self)

    # -- what happens to it ----------------------------------------------------------------------------------------

    def behave(self, version: str, behaviour: Behaviour) -> None:
        """From now on the copies of a version behave so."""
        self.behaviours[version] = behaviour

    def lose(self, copy_id: str) -> None:
        """A running copy is down; it is started again in its place."""
        for copy in self.copies:
            if copy.id == copy_id:
                copy.started_at, copy.ready_at, copy.lost = self.clock(), None, True

    def fail_host(self, name: str) -> tuple[SimulatedCopy, ...]:
        """A host is down: its copies are gone at once. Says which were lost; the others start where room is."""
        self.down.add(name)
        gone = tuple(copy for copy in self.copies if copy.host == name)
        lost = tuple(copy for copy in gone if not copy.draining)
        self.copies = [copy for copy in self.copies if copy not in gone]
        for copy in lost:
            self.owed.setdefault(copy.subject, []).append(copy.id)
        self._fill()
        return lost

    def restore_host(self, name: str) -> None:
        """A host is back, empty."""
        self.down.discard(name)
        self._fill()

    def refuse_capacity(self, name: str) -> None:
        """Nothing starts on a host any more; that shows once a copy is to start there."""
        self.withheld.add(name)

    def restore_capacity(self, name: str) -> None:
        """A host is to be had again: copies that wait for it start now."""
        self.withheld.discard(name)
        self.found_out.discard(name)
        for copy in self.copies:
            if copy.refused and copy.host == name:
                copy.refused, copy.started_at = False, self.clock()
        self._fill()

    def meddle(self, deployment: str, version: str, **change: Any) -> None:
        """Somebody else changes a version of a deployment; see `Change`."""
        subject = deployment, version
        self.outside.changes[subject] = Change(**change)
        theirs = sorted((copy for copy in self.copies if copy.subject == subject), key=self._worth)
        for copy in theirs[self.outside.copies(subject, self.levels[subject].copies) :]:
            self.copies.remove(copy)
        self._fill()

    def throttle(self, every: int) -> None:
        """Refuse every nth call, counted from now on; 0 refuses none any more."""
        self.refused_every, self.calls = every, 0

    def called(self) -> None:
        """Count a call.

        Raises:
            BackendError: it is its turn to be refused.
        """
        self.calls += 1
        if self.refused_every and self.calls % self.refused_every == 0:
            raise BackendError("Throttled", f"{self.name}: too many calls", retryable=True)

    def autoscale(self, deployment: str, copies: int) -> None:
        """The autoscaler chooses so many copies, within its bounds; it does nothing while it holds still."""
        told = self.autoscalers.get(deployment)
        if told is None or told.version is None or told.scaling is None or told.suspended:
            return
        level = self.levels[deployment, told.version]
        chosen = {"copies": told.scaling.within(copies), "surplus": "end", "placement": {}}
        self.bring(level.model_copy(update={**chosen, "fence": self.fences[deployment]}))

    # -- how it stands ---------------------------------------------------------------------------------------------

    def behaviour(self, version: str) -> Behaviour:
        """How the copies of a version behave now."""
        return self.behaviours.get(version, Behaviour())

    def state_of(self, copy: SimulatedCopy) -> CopyState:
        """Where a copy is, by the clock."""
        behaviour = self.behaviour(copy.level.version)
        if copy.draining:
            return CopyState.DRAINING
        if copy.refused:
            return CopyState.STARTING
        if copy.ready_at is None and behaviour.crashes:
            return CopyState.FAILED
        if copy.ready_at is None and not behaviour.never_ready and self.clock() >= self._due(copy):
            copy.ready_at = self._due(copy)
        if copy.ready_at is None:
            return CopyState.UNREADY if copy.lost else CopyState.STARTING
        return CopyState.READY

    def next_change(self, deployment: str | None = None) -> datetime | None:
        """When the next copy that starts, of this deployment or of any, will be ready; None when none will be."""
        return min(
            (
                self._due(copy)
                for copy in self.copies
                if deployment in {None, copy.level.deployment}
                and not copy.refused
                and self.state_of(copy) in {CopyState.STARTING, CopyState.UNREADY}
                and not self.behaviour(copy.level.version).never_ready
            ),
            default=None,
        )

    def steady_until(self, deployment: str | None) -> datetime | None:
        """Before which instant a reading stays true, but for levels asked meanwhile; None: nobody knows.

        Copies that found no room may start whenever another deployment gives up its own; and when calls are refused
        by their count, every call counts.
        """
        if self.undisturbed_until is None or self.refused_every or self._lacking(deployment):
            return None
        change, undisturbed = self.next_change(deployment), self.undisturbed_until()
        return undisturbed if change is None else min(change, undisturbed)

    def _lacking(self, deployment: str | None) -> bool:
        """Whether a level is not reached."""
        have = Counter(copy.subject for copy in self.copies if not copy.draining)
        return any(
            have[subject] < self.outside.copies(subject, level.copies)
            for subject, level in self.levels.items()
            if deployment in {None, subject[0]}
        )

    def ready(self, deployment: str) -> Counter[str]:
        """Version → ready copies of a deployment."""
        return Counter(
            copy.level.version
            for copy in self.copies
            if copy.level.deployment == deployment and self.state_of(copy) is CopyState.READY
        )

    def free(self, host: Host) -> tuple[int, ...]:
        """Accelerators of a host that no copy holds."""
        held = {index for copy in self.copies if copy.host == host.name for index in copy.accelerators}
        return tuple(index for index in range(host.accelerators) if index not in held)

    def observe(self, deployment: str | None) -> Observation:
        """Read the fleet, or one deployment's part."""
        self.platform.settle(self)
        self.sequence += 1
        hosts = tuple(
            ObservedHost(
                name=host.name,
                accelerators=host.accelerators,
                accelerator_memory_gib=host.accelerator_memory_gib,
                up=host.name not in self.down and not self._is_missing(host.name),
                obtainable=self._is_missing(host.name),
            )
            for host in self.hosts
        )
        copies = tuple(self._seen(copy) for copy in self.copies if deployment in {None, copy.level.deployment})
        return Observation(
            target=self.name,
            sequence=self.sequence,
            at=self.clock(),
            hosts=hosts,
            copies=copies,
            deployment=deployment,
            differences=self.outside.differences(self.levels, deployment),
            steady_until=self.steady_until(deployment),
        )

    def _is_missing(self, host: str) -> bool:
        """Whether the target says that it cannot get a host. One that has copies is there, and full for all we know."""
        there = any(copy.host == host and not copy.refused for copy in self.copies)
        return host in self.found_out and not there

    # -- levels ----------------------------------------------------------------------------------------------------

    def bring(self, level: CopiesLevel) -> None:
        """Bring one version to its level, as far as there is room; the rest starts once there is.

        Raises:
            FenceRefusedError: a later step has already written.
        """
        self.pass_fence(level.deployment, level.fence)
        subject = level.deployment, level.version
        self.levels[subject] = level
        if self.outside.keeps(level):
            return
        theirs = sorted((copy for copy in self.copies if copy.subject == subject), key=self._worth)
        for rank, copy in enumerate(theirs):
            copy.draining = rank >= level.copies
            if copy.draining and level.surplus == "end":
                self.copies.remove(copy)
        self._fill()

    def accept(self, adoption: Adoption) -> None:
        """Take something over as it is; see `Inventory`.

        Raises:
            FenceRefusedError: a later step has already written.
            BackendError: it is not what was looked at any more.
        """
        self.pass_fence(adoption.deployment, adoption.fence)
        before, now = (adoption.deployment, adoption.before), (adoption.deployment, adoption.version)
        stranger = self.outside.accept(adoption, self.levels)
        for copy in self.copies:
            if copy.subject == before:
                copy.level = self.levels[now]
        self._fill()
        for copy in self.copies:
            if stranger is not None and copy.subject == now:
                copy.ready_at = self.clock()  # it served all along

    def steer(self, level: AutoscalerLevel) -> None:
        """Tell the autoscaler of a deployment what it shall do; it chooses when `autoscale` says so.

        Raises:
            FenceRefusedError: a later step has already written.
        """
        self.pass_fence(level.deployment, level.fence)
        self.autoscalers[level.deployment] = level

    def pass_fence(self, deployment: str, fence: Fence) -> None:
        """Let a step write, unless a later one did.

        Raises:
            FenceRefusedError: a later step has already written.
        """
        highest = self.fences.get(deployment)
        if highest is not None and fence < highest:
            raise FenceRefusedError(f"{deployment}: step {fence} is older than {highest}")
        self.fences[deployment] = fence

    def _worth(self, copy: SimulatedCopy) -> tuple[bool, bool, bool, int]:
        """Which copies stay (see `CopiesLevel`)."""
        drains = copy.draining
        unready = not drains and self.state_of(copy) is not CopyState.READY
        return drains, copy.refused, unready, int(copy.id.rsplit("-", 1)[1])

    def _fill(self) -> None:
        """Start what the levels lack, where there is room, in the order in which the levels were first asked."""
        for subject, level in self.levels.items():
            have = sum(copy.subject == subject and not copy.draining for copy in self.copies)
            wanted, owed = self.outside.copies(subject, level.copies), self.owed.get(subject, [])
            del owed[max(0, wanted - have) :]
            for _ in range(wanted - have):
                if not self._start(level, owed[0] if owed else None):
                    break
                del owed[:1]
        held = sum(len(copy.accelerators) for copy in self.copies if not copy.refused)
        self.most_accelerators = max(self.most_accelerators, held)

    def _start(self, level: CopiesLevel, replaces: str | None) -> bool:
        """Start a copy where its level places it, else on the host that it fills best. Says whether there was room."""
        resources = self.behaviour(level.version).resources or level.spec.resources
        placed = Counter(copy.host for copy in self.copies if copy.subject == (level.deployment, level.version))
        fitting = [
            (
                host.name in self.found_out,
                placed[host.name] >= level.placement.get(host.name, 0),
                len(self.free(host)),
                host.name,
                chosen,
            )
            for host, chosen in self._fits(resources)
        ]
        if not fitting:
            return False
        _, _, _, host, accelerators = min(fitting)
        self.started += 1
        self.found_out |= {host} & self.withheld
        self.copies.append(
            SimulatedCopy(
                id=f"{level.deployment}-{level.version}-{self.started}",
                level=level,
                host=host,
                accelerators=accelerators,
                started_at=self.clock(),
                replaces=replaces,
                refused=host in self.withheld,
            )
        )
        return True

    def _fits(self, resources: Resources) -> Iterator[tuple[Host, tuple[int, ...]]]:
        for host in self.hosts:
            memory = dict.fromkeys(self.free(host), host.accelerator_memory_gib)
            chosen = choose_accelerators(memory, resources.accelerators, resources.accelerator_memory_gib)
            if chosen is not None and host.name not in self.down:
                yield host, chosen

    def _due(self, copy: SimulatedCopy) -> datetime:
        return copy.started_at + timedelta(seconds=math.ceil(self.behaviour(copy.level.version).startup))

    def _seen(self, copy: SimulatedCopy) -> Copy:
        state = self.state_of(copy)
        reason, message = None, None
        if state is CopyState.FAILED:
            reason, message = "ExitedAtStart", "exit status 1"
        elif copy.refused and state is CopyState.STARTING:
            reason, message = INSUFFICIENT_CAPACITY, f"host {copy.host} is not to be had now"
        return Copy(
            id=copy.id,
            deployment=copy.level.deployment,
            model=copy.level.model,
            version=copy.level.version,
            host=copy.host,
            accelerators=() if copy.refused else copy.accelerators,
            address=f"{copy.host}.simulated:{copy.id.rsplit('-', 1)[1]}",
            state=state,
            reason=reason,
            message=message,
            started_at=copy.started_at,
            ready_at=copy.ready_at,
        )
