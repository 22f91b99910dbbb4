"""Activities of the store: what happened, room on targets, and where a deployment stands."""

from datetime import datetime

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import SayingInput, StepInput
from longshore.planning.deployment.revisions import DeploymentState, Revision
from longshore.planning.operation import OperationOrder, OperationResult
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.words import Event, EventType, OperationKind
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, Record, RevisionRow
from longshore.store.remembered import remembered
from longshore.store.store import Store

MOVES = {OperationKind.ONBOARD, OperationKind.ROLLOUT, OperationKind.ROLLBACK}
"""Operations that bring a deployment to another revision."""


class RecordActivities:
    """Writes that a retry cannot write twice, and the reading that a deployment begins with."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="record_step")
    async def record_step(self, step: StepInput) -> None:
        """Write one step of an operation: its events, row and shares, in one transaction. Its end frees its room."""
        order, shares = step.order, step.shares
        ledger = shares and LedgerChange(
            at=shares.at, deployment=order.deployment, model=order.model, shares=shares.weights, cause=shares.cause
        )
        row = _operation_row(step)
        await self._store.record(
            Record(source=order.id, step=step.step, events=step.events, operation=row, ledger=ledger or None)
        )
        if step.phase.ended:
            await self._store.reservations.release(order.target, order.id)

    @activity.defn(name="record_deployment")
    async def record_deployment(self, saying: SayingInput) -> None:
        """Write what a deployment says of itself and its revisions."""
        state = saying.state
        if state.spec is None:
            raise ValueError(f"{state.name} has no desired state to record")
        order, stable = state.operation, state.stable_revision
        adopts = order is not None and order.kind is OperationKind.ADOPT and order.revision != state.stable
        moves = adopts or (order is not None and order.kind in MOVES)
        row = DeploymentRow(
            name=state.name,
            target=state.spec.target,
            model=state.spec.model,
            labels=state.labels,
            spec=state.spec,
            revision=stable.number if stable else None,
            version=stable.version if stable else None,
            rollout_to={"revision": order.revision, "version": order.new.version} if order and moves else None,
            warm=state.warm,
            operation=state.last_operation,
            sequence=state.sequence,
            retired=state.retired,
            updated_at=saying.at,
        )
        revisions = tuple(_revision_row(state.name, revision, saying.at) for revision in state.revisions)
        await self._store.record(
            Record(
                source=f"deployment/{state.name}",
                step=state.sequence,
                events=saying.events,
                deployment=row,
                revisions=revisions,
            )
        )
        if saying.ended and saying.result:
            await self._close(saying.ended, saying.result, saying.at)

    async def _close(self, order: OperationOrder, result: OperationResult, at: datetime) -> None:
        """Say the end of an operation that could not say it itself, and give back its room."""
        row = await self._store.deployments.operation(order.id)
        if row is None or row.phase.ended:
            return
        told = {"phase": result.phase, "reason": result.reason, "message": result.message, "ended_at": at}
        closed = row.model_copy(update={**told, "step": row.step + 1})
        event = Event(
            at=at,
            deployment=order.deployment,
            type=EventType.ROLLOUT_FAILED,
            revision=order.revision,
            message=result.message or "ended without a result",
            evidence={"reason": result.reason},
        )
        await self._store.record(Record(source=order.id, step=closed.step, events=(event,), operation=closed))
        await self._store.reservations.release(order.target, order.id)

    @activity.defn(name="reserve_room")
    @as_failures
    async def reserve(self, request: ReservationRequest) -> Grant:
        """Hold room on a target for copies that will start, first come first served."""
        return await self._store.reservations.reserve(request)

    @activity.defn(name="load_deployment")
    async def load(self, name: str) -> DeploymentState:
        """What the store knows of a deployment; an empty state for one it does not."""
        return await remembered(self._store, name)


def _operation_row(step: StepInput) -> OperationRow:
    order = step.order
    return OperationRow(
        id=order.id,
        deployment=order.deployment,
        number=order.number,
        kind=order.kind,
        model=order.model,
        target=order.target,
        from_revision=order.old_revision,
        to_revision=order.revision,
        from_version=order.old.version if order.old else None,
        to_version=order.new.version,
        strategy=step.progress.strategy,
        phase=step.phase,
        reason=step.reason,
        message=step.message,
        actor=order.actor,
        started_at=step.started_at,
        ended_at=step.ended_at,
        step=step.step,
        progress=step.progress.model_dump(mode="json", by_alias=True),
    )


def _revision_row(deployment: str, revision: Revision, at: datetime) -> RevisionRow:
    return RevisionRow(
        deployment=deployment,
        number=revision.number,
        version=revision.version,
        spec=revision.spec,
        phase=revision.phase,
        held=revision.held,
        actor=revision.actor,
        at=at,
        reason=revision.reason,
    )
