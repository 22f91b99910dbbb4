"""Room on a target: what is asked for, what is held, and what a host's accelerators suffice for (DESIGN, rule 3)."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from longshore.planning.observed import Copy, CopyState, ObservedHost
from longshore.spec.base import Value
from longshore.spec.model_version import Resources

SERVING: Final = frozenset(CopyState) - {CopyState.DRAINING, CopyState.ENDING}
"""States of copies that serve, or are meant to."""


class ReservationRequest(Value):
    """Room asked for on a target, for copies of one version beside what the deployment holds now.

    `batch` copies are wanted; `dip` of them may take the place of old copies that are drained first.
    """

    target: str
    deployment: str
    model: str
    version: str
    operation: str
    resources: Resources
    batch: int
    dip: int = 0
    """Most old copies that may be drained first."""
    old_version: str | None = None
    settled: int = 0
    """Copies of `version` that already hold their room, from earlier batches."""
    whole: bool = False
    """Grant the whole batch or nothing: an onboarding starts with all its copies."""
    without: tuple[str, ...] = ()
    """Hosts that are up and yet refused a copy of it lately: nothing new is placed there, and nothing held."""


class Grant(Value):
    """The answer: `surge + dip` copies may be started, or none and why."""

    granted: bool
    surge: int = 0
    dip: int = 0
    placement: dict[str, int] = {}
    """Host → copies of the version in all, earlier batches included, as far as the surge goes."""
    reason: str | None = None
    short: int = 0
    """Accelerators that are short."""
    warm: tuple[str, ...] = ()
    """Deployments whose warm copies are in the way: without them it would fit."""
    message: str | None = None


class Reservation(Value):
    """What an operation asked for on a target, and what it holds there until it releases it."""

    deployment: str
    operation: str
    ticket: int
    """The order of first asking, on this target."""
    request: ReservationRequest
    """What it asked for last."""
    answer: Grant | None = None
    """What it was told last; a refused one waits."""
    held: dict[str, int] = {}
    """Host → accelerators that the deployment holds there, whether its copies are there already, or no longer."""

    @property
    def waits(self) -> bool:
        """Whether it has no room yet for what it asked."""
        return not (self.answer and self.answer.granted)


@dataclass(frozen=True)
class TargetRoom:
    """All that decides whether something fits on a target."""

    target: str
    hosts: tuple[ObservedHost, ...]
    copies: tuple[Copy, ...]
    """Of every deployment, in any state."""
    reservations: tuple[Reservation, ...] = ()
    warm: Mapping[str, str] = field(default_factory=dict)
    """Deployment → version whose copies are kept warm there, and given up when somebody needs the room."""

    def without_warm(self, deployments: Iterable[str]) -> "TargetRoom":
        """The target if these deployments had given up their warm copies."""
        gone = {(name, self.warm[name]) for name in deployments}
        left = tuple(copy for copy in self.copies if (copy.deployment, copy.version) not in gone)
        return replace(self, copies=left, warm={})

    @cached_property
    def used(self) -> Counter[tuple[str, str]]:
        """(deployment, host) → accelerators that copies hold, in whatever state they are."""
        used = Counter[tuple[str, str]]()
        for copy in self.copies:
            used[copy.deployment, copy.host] += len(copy.accelerators)
        return used

    @cached_property
    def reserved(self) -> Counter[tuple[str, str]]:
        """(deployment, host) → accelerators reserved, those that its copies use among them.

        A host that was not to be had is nobody's: whoever counted on it asks again.
        """
        refused = {host.name for host in self.hosts if host.obtainable and not host.up}
        reserved = Counter[tuple[str, str]]()
        for one in self.reservations:
            for host, accelerators in one.held.items():
                if host not in refused:
                    reserved[one.deployment, host] = max(reserved[one.deployment, host], accelerators)
        return reserved

    @cached_property
    def held(self) -> Counter[str]:
        """Host → accelerators that somebody holds: of each deployment the larger of used and reserved."""
        held = Counter[str]()
        for (_, host), accelerators in (self.used | self.reserved).items():
            held[host] += accelerators
        return held

    def serving(self, deployment: str, version: str | None) -> tuple[Copy, ...]:
        """The copies of a version that serve or are meant to, wherever they are."""
        return tuple(
            copy
            for copy in self.copies
            if (copy.deployment, copy.version) == (deployment, version) and copy.state in SERVING
        )


def suits(host: ObservedHost, resources: Resources) -> bool:
    """Whether a host is up and its accelerators are of the kind that a copy needs, free or not."""
    return host.up and (not resources.accelerators or host.accelerator_memory_gib >= resources.accelerator_memory_gib)


def largest_fit(hosts: Iterable[ObservedHost], resources: Resources) -> int:
    """Most copies that the hosts that are up could hold if nothing else were there."""
    suited = [host for host in hosts if suits(host, resources)]
    if not resources.accelerators:
        return sys.maxsize if suited else 0
    return sum(host.accelerators // resources.accelerators for host in suited)


def choose_accelerators(free: Mapping[int, float], count: int, memory_gib: float) -> tuple[int, ...] | None:
    """Which accelerators of one host a copy gets: those with the least memory that suffices, then the lowest indices.

    Args:
        free: index → memory in GiB of the accelerators that nobody holds.
        count: how many the copy needs.
        memory_gib: least memory of each, in GiB.

    Returns:
        Indices, ascending; None when there are too few.
    """
    suited = sorted((memory, index) for index, memory in free.items() if memory >= memory_gib)
    return tuple(sorted(index for _, index in suited[:count])) if len(suited) >= count else None
