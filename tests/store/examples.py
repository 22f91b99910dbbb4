"""Small values to store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.planning.observed import Copy, CopyState, Difference, Observation, ObservedHost
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, RevisionRow

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def spec(**changes: Any) -> DeploymentSpec:
    values: dict[str, Any] = {"target": "fleet", "model": "m", "version": "1", "copies": 2}
    return DeploymentSpec.model_validate(values | changes)


def event(type: EventType = EventType.ROLLOUT_STARTED, deployment: str = "d", **more: Any) -> Event:
    return Event(at=NOON, deployment=deployment, type=type, **more)


def operation(number: int = 1, step: int = 1, phase: Phase = Phase.PROGRESSING, **more: Any) -> OperationRow:
    values: dict[str, Any] = {
        "id": f"{more.get('deployment', 'd')}/rollout-{number}",
        "deployment": "d",
        "number": number,
        "kind": OperationKind.ROLLOUT,
        "model": "m",
        "target": "fleet",
        "phase": phase,
        "actor": "ada",
        "started_at": NOON,
        "ended_at": after(60) if phase.ended else None,
        "step": step,
    }
    return OperationRow(**(values | more))


def deployment(sequence: int = 1, name: str = "d", **more: Any) -> DeploymentRow:
    values: dict[str, Any] = {
        "name": name,
        "target": "fleet",
        "model": "m",
        "spec": spec(),
        "sequence": sequence,
        "updated_at": NOON,
    }
    return DeploymentRow(**(values | more))


def revision(number: int = 1, **more: Any) -> RevisionRow:
    values: dict[str, Any] = {
        "deployment": "d",
        "number": number,
        "version": str(number),
        "spec": spec(version=str(number)),
        "actor": "ada",
        "at": NOON,
    }
    return RevisionRow(**(values | more))


def shares(seconds: float, deployment: str = "d", **weights: int) -> LedgerChange:
    """`shares(5, v1=75, v2=25)`: five seconds after noon, version v1 gets 75%."""
    return LedgerChange(at=after(seconds), deployment=deployment, model="m", shares=weights, cause="because")


def copy(id: str, deployment: str = "d", state: CopyState = CopyState.READY, **more: Any) -> Copy:
    values: dict[str, Any] = {
        "model": "m",
        "version": "1",
        "host": "a",
        "accelerators": (0,),
        "address": f"{id}:80",
        "started_at": NOON,
    }
    return Copy(id=id, deployment=deployment, state=state, **(values | more))


def difference(deployment: str = "d", what: str = "CopyCount", wanted: str = "2", found: str = "3") -> Difference:
    return Difference(deployment=deployment, version="1", what=what, wanted=wanted, found=found)


def observation(
    sequence: int,
    *copies: Copy,
    deployment: str | None = None,
    accelerators: int = 8,
    differences: tuple[Difference, ...] = (),
) -> Observation:
    """One reading of the target `fleet`, which has one host `a`."""
    return Observation(
        target="fleet",
        sequence=sequence,
        at=after(sequence),
        hosts=(ObservedHost(name="a", accelerators=accelerators, accelerator_memory_gib=40),),
        copies=copies,
        deployment=deployment,
        differences=differences,
    )
