"""Activities of the store: what happened, room on targets, and where a deployment stands."""

from datetime import datetime

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import SayingInput, StepInput
from longshore.planning.operation import OperationOrder, OperationResult, VersionFacts
from longshore.planning.revisions import DeploymentState, Revision, Waiting
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.store.records import DeploymentRecord, DeploymentRow, LedgerChange, OperationRow, Record, RevisionRow
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
        moves = order is not None and order.kind in MOVES
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
        record = await self._store.deployments.deployment_record(name)
        if record is None:
            return DeploymentState(name=name)
        return await self._state(record)

    async def _state(self, record: DeploymentRecord) -> DeploymentState:
        row, last = record.deployment, record.operation
        revisions = tuple([await self._revision(revision) for revision in record.revisions])
        unfinished = _unfinished(last, revisions) if last and not last.phase.ended else None
        shown = last is not None and last.kind is not OperationKind.RELEASE
        return DeploymentState(
            name=row.name,
            labels=row.labels,
            spec=row.spec,
            revisions=revisions,
            stable=row.revision,
            operation=unfinished,
            waiting=None if row.retired else _waiting(revisions, unfinished),
            warm=row.warm,
            last_operation=last.id if last and shown else row.operation,
            operations=last.number if last else 0,
            sequence=row.sequence,
            retired=row.retired,
            off_scale=last is not None and last.kind is OperationKind.SCALE and last.phase is Phase.FAILED,
        )

    async def _revision(self, row: RevisionRow) -> Revision:
        registered = await self._store.models.get(row.spec.model, row.version)
        if registered is None:
            unknown = f"version {row.version} of {row.spec.model}"
            raise LookupError(f"{unknown} is in revision {row.number} of {row.deployment} but not registered")
        spec = registered.spec
        facts = VersionFacts(
            version=row.version,
            resources=spec.resources,
            side_by_side=spec.side_by_side,
            smoke=spec.server.smoke is not None,
        )
        return Revision(
            number=row.number,
            facts=facts,
            spec=row.spec,
            phase=row.phase,
            held=row.held,
            actor=row.actor,
            reason=row.reason,
        )


def _operation_row(step: StepInput) -> OperationRow:
    order = step.order
    moves = order.kind in MOVES
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
        strategy="rolling" if moves else None,
        phase=step.phase,
        reason=step.reason,
        message=step.message,
        actor=order.actor,
        started_at=step.started_at,
        ended_at=step.ended_at,
        step=step.step,
        progress=step.progress.model_dump(mode="json", by_alias=True),
    )


def _unfinished(row: OperationRow, revisions: tuple[Revision, ...]) -> OperationOrder:
    """The order of an operation that never said how it ended; enough to end it and settle its revision."""
    revision = next((known for known in revisions if known.number == row.to_revision), revisions[-1])
    return OperationOrder(
        id=row.id,
        deployment=row.deployment,
        number=row.number,
        kind=row.kind,
        target=row.target,
        model=row.model,
        actor=row.actor,
        revision=revision.number,
        spec=revision.spec,
        new=revision.facts,
        old_revision=row.from_revision,
    )


def _waiting(revisions: tuple[Revision, ...], unfinished: OperationOrder | None) -> Waiting | None:
    """The newest revision, if it was accepted and never began."""
    newest = max(revisions, key=lambda known: known.number, default=None)
    if newest is None or newest.phase is not Phase.PENDING or (unfinished and unfinished.revision == newest.number):
        return None
    return Waiting(facts=newest.facts, spec=newest.spec, actor=newest.actor, revision=newest.number)


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
