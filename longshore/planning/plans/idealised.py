"""A target on which nothing goes wrong: what a plan is played on.

It places copies as the backends do, and grants room as the store does. A copy is ready after its start-up time, ends
when it is told to, and nobody else comes or goes.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from longshore.planning.granting import serve
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.operation import Ensure
from longshore.planning.plans.costing import Fleet, fleet, settled
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom, choose_accelerators
from longshore.spec.model_version import Resources

NOWHERE: Final = "(no host)"
"""The host that stands for room which is not there; no host has this name."""
_NUMBER = re.compile(r"\d+$")


@dataclass
class IdealCopy:
    """A copy of the deployment that is planned for."""

    seen: Copy
    ready_at: datetime
    """When it is ready, if it is not, and not broken."""
    draining: bool = False

    def state(self, now: datetime) -> CopyState:
        """Where it is in its life."""
        if self.draining:
            return CopyState.DRAINING
        waits = self.seen.state in {CopyState.STARTING, CopyState.UNREADY}
        return CopyState.READY if waits and now >= self.ready_at else self.seen.state


class _Level(NamedTuple):
    copies: int
    placement: Mapping[str, int]


@dataclass
class IdealTarget:
    """One deployment's copies on a target that it shares with others, which stand still.

    | call | what it does |
    |---|---|
    | `ensure(action)` | brings a version to a level, as a backend does |
    | `reserve(request)` | asks for room, as the store answers it |
    | `make_room(request)` | lets fit what does not, on a host that is not there |
    | `give_up_warm(deployments)` | ends the warm copies of others |
    | `stand(version, copies)` | begins from there instead of from what was observed |
    | `observe()` `next_change()` | what an operation would see now, and when it next changes by itself |
    """

    room: TargetRoom
    """As last observed; its copies of the deployment are where the play begins."""
    deployment: str
    model: str
    needs: Mapping[str, Resources]
    """Version → what one copy takes."""
    startup: timedelta
    """Of copies that are started."""
    now: datetime
    copies: list[IdealCopy] = field(default_factory=list)
    others: tuple[Copy, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    hosts: tuple[ObservedHost, ...] = ()
    started: int = 0
    _levels: dict[str, _Level] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hosts, self.reservations = self.room.hosts, self.room.reservations
        self.others = tuple(copy for copy in self.room.copies if copy.deployment != self.deployment)
        ours = (copy for copy in self.room.copies if copy.deployment == self.deployment)
        for copy in sorted(ours, key=_age):
            if copy.state is CopyState.ENDING:
                continue
            began = copy.started_at if copy.state is CopyState.STARTING and copy.started_at else self.now
            draining = copy.state is CopyState.DRAINING
            self.copies.append(IdealCopy(copy, ready_at=began + self.startup, draining=draining))
        for version, count in Counter(copy.seen.version for copy in self.copies if not copy.draining).items():
            self._levels[version] = _Level(count, {})

    # -- how it stands ---------------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Accelerators that the deployment's copies hold, in any state."""
        return sum(len(copy.seen.accelerators) for copy in self.copies)

    @property
    def ready(self) -> int:
        """Ready copies of the deployment, of all versions."""
        return sum(copy.state(self.now) is CopyState.READY for copy in self.copies)

    def count(self, version: str) -> int:
        """Copies of a version, in any state."""
        return sum(copy.seen.version == version for copy in self.copies)

    @property
    def fleet(self) -> Fleet:
        """The rented instances that run for the copies of all deployments."""
        if not any(host.instance_type for host in self.hosts):
            return Fleet()
        return fleet(self.hosts, self.busy) + self._beyond()

    @property
    def busy(self) -> set[str]:
        """Hosts with copies, of any deployment."""
        return {copy.host for copy in self.others} | {copy.seen.host for copy in self.copies}

    def settled(self, least: int | None) -> Fleet:
        """The rented instances that are left in the end, of which `least` stay without copies."""
        return settled(self.hosts, self.busy, least) + self._beyond()

    def _beyond(self) -> Fleet:
        """Instances for copies that find no host, of the kind of which there are the most."""
        kinds = Counter(host.instance_type for host in self.hosts if host.instance_type)
        held = sum(len(copy.seen.accelerators) for copy in self.copies if copy.seen.host == NOWHERE)
        if not held or not kinds:
            return Fleet()
        kind = kinds.most_common(1)[0][0]
        each = max(host.accelerators for host in self.hosts if host.instance_type == kind)
        return Fleet({kind: -(-held // max(1, each))})

    def placement(self, version: str) -> dict[str, int]:
        """Host → copies of a version, on hosts that are there."""
        placed = Counter(copy.seen.host for copy in self.copies if copy.seen.version == version)
        return {host: placed[host] for host in sorted(placed) if host != NOWHERE}

    def next_change(self) -> datetime | None:
        """When the next copy becomes ready; None when none will."""
        waiting = (copy.ready_at for copy in self.copies if copy.state(self.now) in _WAITING)
        return min((at for at in waiting if at > self.now), default=None)

    def observe(self) -> Observation:
        """What the operation sees."""
        return Observation(
            target=self.room.target,
            sequence=0,
            at=self.now,
            hosts=self.hosts,
            copies=tuple(self._as_seen(copy) for copy in self.copies),
            deployment=self.deployment,
        )

    def _as_seen(self, copy: IdealCopy) -> Copy:
        state = copy.state(self.now)
        if state is copy.seen.state:
            return copy.seen
        ready_at = copy.ready_at if state is CopyState.READY else copy.seen.ready_at
        return copy.seen.model_copy(update={"state": state, "ready_at": ready_at})

    # -- what is asked of it ---------------------------------------------------------------------------------------

    def ensure(self, action: Ensure) -> None:
        """Bring one version to its level, as far as there is room; the rest starts once there is."""
        self._levels[action.version] = _Level(action.copies, action.placement)
        theirs = [copy for copy in self.copies if copy.seen.version == action.version]
        ranked = sorted(enumerate(theirs), key=lambda one: (*self._worth(one[1]), one[0]))
        for rank, (_, copy) in enumerate(ranked):
            copy.draining = rank >= action.copies
            if copy.draining and action.surplus == "end":
                self.copies.remove(copy)
        self._fill()

    def _worth(self, copy: IdealCopy) -> tuple[bool, bool]:
        """Those that drain go first, then those that are not ready, then the newest."""
        return copy.draining, copy.state(self.now) is not CopyState.READY

    def reserve(self, request: ReservationRequest) -> Grant:
        """Ask for room; whoever asked earlier and waits is answered first."""
        own = next((one for one in self.reservations if one.operation == request.operation), None)
        others = tuple(one for one in self.reservations if one is not own)
        ticket = own.ticket if own else max((one.ticket for one in others), default=0) + 1
        asking = Reservation(
            deployment=request.deployment,
            operation=request.operation,
            ticket=ticket,
            request=request,
            held=own.held if own else {},
        )
        present = (*self.others, *(self._as_seen(copy) for copy in self.copies))
        served = serve(replace(self.room, hosts=self.hosts, copies=present, reservations=(*others, asking)))
        self.reservations = served.reservations
        answered = next(one.answer for one in self.reservations if one.operation == request.operation)
        if answered is None:
            raise AssertionError("whoever waits was answered")
        return answered

    def make_room(self, request: ReservationRequest) -> None:
        """Let this request fit from now on, on a host that is not there; nobody waits before it any more."""
        need = request.resources
        room = (request.settled + request.batch) * max(1, need.accelerators)
        nowhere = next((host for host in self.hosts if host.name == NOWHERE), None)
        more = ObservedHost(
            name=NOWHERE,
            accelerators=room + (nowhere.accelerators if nowhere else 0),
            accelerator_memory_gib=max(need.accelerator_memory_gib, nowhere.accelerator_memory_gib if nowhere else 0),
        )
        self.hosts = (*(host for host in self.hosts if host.name != NOWHERE), more)
        passed = Grant(granted=True)
        self.reservations = tuple(
            one.model_copy(update={"answer": passed}) if one.waits and one.operation != request.operation else one
            for one in self.reservations
        )

    def give_up_warm(self, deployments: Collection[str]) -> None:
        """Others give up the copies that they keep warm."""
        self.others = tuple(
            copy
            for copy in self.others
            if copy.deployment not in deployments or self.room.warm.get(copy.deployment) != copy.version
        )

    def stand(self, version: str | None, copies: int) -> None:
        """Let this version alone stand, with so many copies, all ready: whatever was under way has made way."""
        self.copies = [copy for copy in self.copies if copy.seen.version == version]
        self.reservations = tuple(one for one in self.reservations if one.deployment != self.deployment)
        self._levels.clear()
        if version is not None:
            self.ensure(Ensure(version=version, copies=copies, surplus="end", step=0))
        for copy in self.copies:
            copy.ready_at = self.now

    # -- starting --------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Start what the levels lack, where there is room, in the order in which they were first asked."""
        for version, level in self._levels.items():
            have = sum(copy.seen.version == version and not copy.draining for copy in self.copies)
            for _ in range(level.copies - have):
                if not self._start(version, level.placement):
                    break

    def _start(self, version: str, wanted: Mapping[str, int]) -> bool:
        """Start a copy where its level places it, else on the host that it fills best. Says whether there was room."""
        placed = Counter(copy.seen.host for copy in self.copies if copy.seen.version == version)
        fitting = [
            (placed[host.name] >= wanted.get(host.name, 0), free, host.name, chosen)
            for host, free, chosen in self._fits(self.needs[version])
        ]
        if not fitting:
            return False
        _, _, host, accelerators = min(fitting)
        self.started += 1
        name = f"{self.deployment}-{version}-planned-{self.started}"
        copy = Copy(
            id=name,
            deployment=self.deployment,
            model=self.model,
            version=version,
            host=host,
            accelerators=accelerators,
            address=name,
            state=CopyState.STARTING,
            started_at=self.now,
        )
        self.copies.append(IdealCopy(copy, ready_at=self.now + self.startup))
        return True

    def _fits(self, need: Resources) -> Iterator[tuple[ObservedHost, int, tuple[int, ...]]]:
        """Hosts with room for one more copy: how many of their accelerators are free, and which it would get."""
        taken: dict[str, set[int]] = {}
        for copy in (*self.others, *(copy.seen for copy in self.copies)):
            taken.setdefault(copy.host, set()).update(copy.accelerators)
        for host in self.hosts:
            held = taken.get(host.name, set())
            free = {index: host.accelerator_memory_gib for index in range(host.accelerators) if index not in held}
            chosen = choose_accelerators(free, need.accelerators, need.accelerator_memory_gib)
            if chosen is not None and host.up:
                yield host, len(free), chosen


_WAITING: Final = {CopyState.STARTING, CopyState.UNREADY}


def _age(copy: Copy) -> tuple[float, int, str]:
    """Oldest first; of those started together by the number that ends their names."""
    number = _NUMBER.search(copy.id)
    return copy.started_at.timestamp() if copy.started_at else 0.0, int(number[0]) if number else 0, copy.id
