"""What a rehearsal counts as it goes: accelerators, versions, ready copies and requests."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from longshore.backends.simulated.fleet import SimulatedFleet
from longshore.traffic.simulated import SimulatedTraffic


@dataclass
class Tally:
    """The highest and lowest that were ever seen; `look` after every change."""

    fleet: SimulatedFleet
    wanted: dict[str, int] = field(default_factory=dict)
    """Copies that a deployment must have had ready before its ready copies count."""
    peak_accelerators: int = 0
    peak_versions: int = 0
    lowest_ready: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Take in how the fleet stands."""
        held = 0
        versions: dict[str, set[str]] = defaultdict(set)
        for copy in self.fleet.copies:
            held += 0 if copy.refused else len(copy.accelerators)
            versions[copy.level.deployment].add(copy.level.version)
        self.peak_accelerators = max(self.peak_accelerators, held)
        self.peak_versions = max(self.peak_versions, *map(len, versions.values()), 0)
        for name, wanted in self.wanted.items():
            ready = self.fleet.ready(name).total()
            if name in self.lowest_ready:
                self.lowest_ready[name] = min(self.lowest_ready[name], ready)
            elif ready >= wanted:
                self.lowest_ready[name] = ready


@dataclass(frozen=True)
class Requests:
    """Requests over all deployments: whole ones, each deployment's rounded down."""

    total: int
    failed: int
    unroutable: int


def requests(traffic: SimulatedTraffic) -> Requests:
    """Sum up what was counted."""
    totals: dict[str, Fraction] = defaultdict(Fraction)
    unroutable: dict[str, Fraction] = defaultdict(Fraction)
    failed = 0
    for (deployment, _), counted in traffic.counted.items():
        totals[deployment] += counted.requests
        unroutable[deployment] += counted.unroutable
        failed += math.floor(counted.errors)
    return Requests(
        total=sum(map(math.floor, totals.values())), failed=failed, unroutable=sum(map(math.floor, unroutable.values()))
    )
