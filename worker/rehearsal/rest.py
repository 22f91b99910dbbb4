"""When a rehearsal is at rest (DESIGN, section 8): nothing will happen any more unless somebody asks or breaks it.

Every rollout ended, is paused for a person or blocked for room; copies are as desired; no copy is on its way.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from longshore.backends.simulated.fleet import SimulatedFleet
from longshore.planning.observed import CopyState
from longshore.planning.shortage import INSUFFICIENT
from longshore.planning.words import OperationKind, Phase
from longshore.store.records import DeploymentRow, OperationRow, Record


@dataclass
class _Told:
    """What a deployment and its operation last said."""

    row: DeploymentRow | None = None
    operation: OperationRow | None = None
    settled: bool = False
    """Whether the deployment has said what came of its last operation."""


@dataclass
class Rest:
    """What was said, as far as it decides whether all is at rest."""

    fleet: SimulatedFleet
    told: dict[str, _Told] = field(default_factory=dict)
    room: int = 0
    """Grows whenever room may have appeared."""
    refused: dict[str, int] = field(default_factory=dict)
    """Operation → `room` when it was last told that there is none."""

    def recorded(self, record: Record) -> None:
        """An operation or a deployment said something."""
        # Giving up warm copies is not what people are shown of a deployment, and it is at rest when those are gone.
        if (operation := record.operation) is not None and operation.kind is not OperationKind.RELEASE:
            told = self.told.setdefault(operation.deployment, _Told())
            told.operation, told.settled = operation, False
        if (row := record.deployment) is not None:
            told = self.told.setdefault(row.name, _Told())
            told.row = row
            last = told.operation
            told.settled = last is not None and last.id == row.operation and last.phase.ended

    def answered(self, operation: str, granted: bool) -> None:  # noqa: FBT001 - it came over the link
        """An operation asked for room."""
        self.refused.pop(operation, None)
        if not granted:
            self.refused[operation] = self.room

    def released(self, _operation: str) -> None:
        """An operation gave back what it held."""
        self.room += 1

    def reached(self) -> bool:
        """Whether all is at rest."""
        return self.fleet.next_change() is None and all(self._rests(name) for name in self.told)

    def _rests(self, name: str) -> bool:
        told = self.told[name]
        operation = told.operation
        if operation is None:
            return False
        if operation.phase.ended:
            return told.settled and (operation.phase is Phase.FAILED or self._as_desired(told.row))
        if operation.phase is Phase.PAUSED:
            return True
        return operation.reason == INSUFFICIENT and self.refused.get(operation.id) == self.room

    def _as_desired(self, row: DeploymentRow | None) -> bool:
        """Whether the copies are those of the stable revision, and no others; warm ones are due to be given up."""
        if row is None or row.warm is not None:
            return False
        wanted = Counter({row.version: row.spec.copies}) if row.version and not row.retired else Counter[str | None]()
        theirs = [copy for copy in self.fleet.copies if copy.level.deployment == row.name]
        ready = all(self.fleet.state_of(copy) is CopyState.READY for copy in theirs)
        return ready and Counter(copy.level.version for copy in theirs) == +wanted


def instant_of(record: Record) -> datetime | None:
    """When a record was made, as far as it says so."""
    said = [event.at for event in record.events]
    if record.deployment is not None:
        said.append(record.deployment.updated_at)
    if record.operation is not None and record.operation.ended_at is not None:
        said.append(record.operation.ended_at)
    if record.ledger is not None:
        said.append(record.ledger.at)
    return max(said, default=None)
