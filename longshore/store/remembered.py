"""A deployment as the store remembers it: what its workflow begins with, and what plans are made from."""

from longshore.planning.deployment.revisions import DeploymentState, Revision, Waiting
from longshore.planning.deployment.settling import leaves_doubt
from longshore.planning.operation import OperationOrder, VersionFacts
from longshore.planning.words import OperationKind, Phase
from longshore.store.records import DeploymentRecord, OperationRow, RevisionRow
from longshore.store.store import Store


async def remembered(store: Store, name: str) -> DeploymentState:
    """What the store knows of a deployment; an empty state for one it does not.

    Raises:
        LookupError: a version that it serves is not registered.
    """
    record = await store.deployments.deployment_record(name)
    return DeploymentState(name=name) if record is None else await _state(store, record)


async def _state(store: Store, record: DeploymentRecord) -> DeploymentState:
    row, last = record.deployment, record.operation
    revisions = tuple([await _revision(store, revision) for revision in record.revisions])
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
        doubt=_doubt(last),
        autoscaled=not row.retired and any(spec.scaling for spec in (row.spec, *(one.spec for one in revisions))),
        off_scale=last is not None and last.kind is OperationKind.SCALE and last.phase is Phase.FAILED,
    )


def _doubt(last: OperationRow | None) -> int | None:
    """The revision of an operation that ended without saying that one version serves alone."""
    return last.to_revision if last and leaves_doubt(last.kind, last.phase, last.reason) else None


async def _revision(store: Store, row: RevisionRow) -> Revision:
    registered = await store.models.get(row.spec.model, row.version)
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
