"""What an operation promises: how few copies are ready, and how many there are in any state."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from played import Fleet

from longshore.planning.operation import OperationOrder, State
from longshore.planning.rollout.legs import ladder
from longshore.planning.rollout.state import RolloutState
from longshore.planning.rollout.turn import course_of
from longshore.planning.words import OperationKind
from longshore.spec.deployment import DeploymentSpec

MOVES: Final = {OperationKind.ROLLOUT, OperationKind.ROLLBACK}
PROMISES_NONE: Final = {OperationKind.ONBOARD, OperationKind.RETIRE}


@dataclass
class Promise:
    """Of the operation under way; what is revised widens it, for what was before still holds its copies."""

    floor: int = 0
    """Fewest ready copies, of all versions."""
    ceiling: int = 0
    """Most copies, in any state."""
    leaving: int = 0
    """Copies that were on their way out when it began."""
    warm: int = 0
    """Copies kept warm, which a scale leaves alone."""

    @classmethod
    def of(cls, order: OperationOrder, fleet: Fleet, now: datetime) -> "Promise":
        """What an operation promises that begins now: nothing that is not there."""
        ready = 0 if order.kind in PROMISES_NONE else sum(fleet.ready(version, now) for version in fleet.behaviours)
        leaving = sum(bool(copy.draining_since or copy.gone_at) for copy in fleet.copies)
        warm = fleet.count().get(order.warm.version, 0) if order.warm and order.kind is OperationKind.SCALE else 0
        return cls(ready, len(fleet.copies), leaving, warm)

    def renew(self, began: OperationOrder, order: OperationOrder, state: State) -> None:
        """Take in what is desired now: `order` as it was last revised."""
        spec, before = order.spec, began.copies_before
        missing = spec.rollout.unavailable_copies(spec.copies) if order.kind in MOVES else 0
        self.floor = max(0, min(self.floor, min(spec.copies, before) - missing))
        most = max(spec.copies, before) + self.warm
        if isinstance(state, RolloutState) and order.kind in MOVES:
            # Another policy takes effect from the next batch on; until then it is the one before.
            now = spec.model_copy(update={"rollout": (state.spec or spec).rollout})
            most = max(_peak(began, state, by) for by in (spec, now))
        self.ceiling = max(self.ceiling, most + self.leaving)

    def broken(self, fleet: Fleet, route: dict[str, int], now: datetime, *, lossy: bool) -> Iterator[str]:
        """How it is not kept now; a loss is nobody's fault."""
        if len(fleet.copies) > self.ceiling:
            yield f"{fleet.count()} are more than {self.ceiling}"
        if lossy:
            return
        ready = {version: fleet.ready(version, now) for version in fleet.behaviours}
        if sum(ready.values()) < self.floor:
            yield f"{ready} ready, {self.floor} promised"
        for version, weight in route.items():
            if weight and self.floor and not ready[version]:
                yield f"{weight}% to version {version} without a ready copy"


def _peak(order: OperationOrder, state: RolloutState, spec: DeploymentSpec) -> int:
    """Most copies of a rollout to these copies by this policy."""
    old = max(spec.copies, order.copies_before)
    if state.strategy == "blueGreen":
        return 2 * old
    course = course_of(order, state)._replace(policy=spec.rollout, copies=spec.copies)
    new = most = 0
    for rung in ladder(course, old):
        new += rung.add
        most = max(most, old + new)
        old -= rung.remove
    return most
