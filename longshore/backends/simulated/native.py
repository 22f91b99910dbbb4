"""A simulated platform that updates copies by itself, as SageMaker does: nobody sees how far it is.

The old copies serve until its end; the room that its batches take meanwhile is not simulated.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from longshore.backends.port import CopiesLevel, Handover
from longshore.planning.native import NativeStatus
from longshore.planning.observed import CopyState

if TYPE_CHECKING:
    from longshore.backends.simulated.fleet import SimulatedFleet


@dataclass
class Update:
    """One that was begun."""

    asked: Handover
    ends_at: datetime
    goes_back: bool
    words: str | None = None
    over: bool = False


@dataclass
class SimulatedPlatform:
    """Updates by deployment. `rolls_back["2"] = None` lets every update to version 2 go back without a word."""

    rolls_back: dict[str, str | None] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
    begun: int = 0
    """Updates that were begun in all."""

    def begin(self, fleet: "SimulatedFleet", asked: Handover) -> None:
        """Begin an update, unless this operation began it before."""
        last = self.updates.get(asked.deployment)
        if last is not None and last.asked.fence == asked.fence:
            return
        behaviour, copies = fleet.behaviour(asked.version), self._copies(fleet, asked.deployment, asked.before)
        size = asked.policy.batch.count(copies)
        seconds = math.ceil(max(1, copies) / size) * (math.ceil(behaviour.startup) + asked.policy.wait_s)
        starts = not behaviour.never_ready and not behaviour.crashes
        words = self.rolls_back.get(asked.version) if starts else f"copies of version {asked.version} do not start"
        self.begun += 1
        self.updates[asked.deployment] = Update(
            asked,
            ends_at=fleet.clock() + timedelta(seconds=seconds if starts else asked.policy.limit_s),
            goes_back=not starts or asked.version in self.rolls_back,
            words=words,
        )

    def settle(self, fleet: "SimulatedFleet") -> None:
        """Let those come to their end whose time is over."""
        for update in self.updates.values():
            if not update.over and fleet.clock() >= update.ends_at:
                update.over = True
                if not update.goes_back:
                    self._turn_over(fleet, update)

    def status(self, fleet: "SimulatedFleet", deployment: str) -> NativeStatus:
        """How the last update stands; without one, how the deployment does."""
        self.settle(fleet)
        update = self.updates.get(deployment)
        under_way = update is not None and not update.over
        ours = [(version, level.copies) for (name, version), level in fleet.levels.items() if name == deployment]
        served = {version: copies for version, copies in ours if copies}
        version = next(iter(served)) if len(served) == 1 and not under_way else None
        return NativeStatus(
            resource=f"{deployment}-resource",
            under_way=under_way,
            version=version,
            copies=served.get(version or "", 0),
            ready=fleet.ready(deployment)[version or ""],
            words=update.words if update is not None and update.over else None,
        )

    def _copies(self, fleet: "SimulatedFleet", deployment: str, version: str) -> int:
        level = fleet.levels.get((deployment, version))
        return level.copies if level else 0

    def _turn_over(self, fleet: "SimulatedFleet", update: Update) -> None:
        """The copies are of the new version from now on; then there are as many as were asked for."""
        asked = update.asked
        before = fleet.levels.pop((asked.deployment, asked.before), None)
        standing = before.copies if before else 0
        copies = standing if asked.copies is None else asked.copies
        level = CopiesLevel(
            deployment=asked.deployment,
            model=asked.model,
            version=asked.version,
            copies=copies,
            spec=asked.spec,
            fence=fleet.fences[asked.deployment],
        )
        for copy in fleet.copies:
            if copy.subject == (asked.deployment, asked.before) and fleet.state_of(copy) is CopyState.READY:
                copy.level, copy.ready_at = level, update.ends_at
        fleet.bring(level)
