"""What is there at 0s: the target, every version, and the given deployments, live and healthy."""

from collections.abc import Iterable

from longshore.backends.port import CopiesLevel
from longshore.messages import operation_id
from longshore.planning.fence import Fence
from longshore.planning.route import Route
from longshore.planning.words import OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Artifact, ModelVersionSpec, Server
from longshore.spec.rehearsal import TARGET, Apply, Behaviour, Given, RehearsalSpec
from longshore.spec.target import TargetSpec
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, Record, RevisionRow
from longshore.store.store import Store
from worker.rehearsal.clock import START
from worker.rehearsal.world import World

ACTOR = "rehearsal"
FIRST = Fence(operation=1, step=1)
"""Of the onboarding that a given deployment is taken to have had."""


class DoesNotFitError(Exception):
    """What is given does not fit on the hosts."""


async def seed(spec: RehearsalSpec, world: World, store: Store) -> None:
    """Make everything that is there at 0s.

    Raises:
        DoesNotFitError: the given deployments need more than the hosts have.
    """
    await store.targets.put(TARGET, TargetSpec(backend="simulated", hosts=spec.hosts), ACTOR)
    for model in _models(spec):
        for version in _versions(spec):
            await store.models.put(model, version, version_spec(model, version, world.behaviour(version)), ACTOR)
    for name, given in spec.given.items():
        await _make_live(name, given, world)
        for record in _records(name, given):
            await store.record(record)
            world.rest.recorded(record)
    world.tally.wanted = {name: given.copies for name, given in spec.given.items()}
    world.tally.look()
    await world.save()


def version_spec(model: str, version: str, behaviour: Behaviour) -> ModelVersionSpec:
    """A version that is registered as it behaves at first; its artifact and server are never looked at."""
    return ModelVersionSpec(
        artifact=Artifact(uri=f"simulated://{model}/{version}", digest=f"sha256:{0:064}"),
        server=Server(command=("simulated",)),
        resources=behaviour.resources,
        side_by_side=behaviour.side_by_side,
    )


def _models(spec: RehearsalSpec) -> Iterable[str]:
    applied = (event.model for event in spec.timeline if isinstance(event, Apply) and event.model)
    return sorted({*(given.model for given in spec.given.values()), *applied})


def _versions(spec: RehearsalSpec) -> Iterable[str]:
    applied = (event.version for event in spec.timeline if isinstance(event, Apply) and event.version)
    return sorted({*spec.versions, *(given.version for given in spec.given.values()), *applied})


async def _make_live(name: str, given: Given, world: World) -> None:
    behaviour = world.behaviour(given.version)
    level = CopiesLevel(
        deployment=name,
        model=given.model,
        version=given.version,
        copies=given.copies,
        spec=version_spec(given.model, given.version, behaviour),
        fence=FIRST,
    )
    world.fleet.bring(level)
    theirs = [copy for copy in world.fleet.copies if copy.level.deployment == name]
    if len(theirs) < given.copies:
        raise DoesNotFitError(
            f"given {name}: {len(theirs)} of {given.copies} copies of version {given.version} fit on the hosts: "
            "give more accelerators or fewer copies"
        )
    for copy in theirs:
        copy.ready_at = START
    weights = {given.version: 100}
    route = Route(deployment=name, model=given.model, weights=weights, idempotent=given.idempotent)
    await world.traffic.publish(route, FIRST)


def _records(name: str, given: Given) -> tuple[Record, Record]:
    """What a finished onboarding would have left in the store."""
    operation = OperationRow(
        id=operation_id(name, OperationKind.ONBOARD, FIRST.operation),
        deployment=name,
        number=FIRST.operation,
        kind=OperationKind.ONBOARD,
        model=given.model,
        target=TARGET,
        to_revision=1,
        to_version=given.version,
        strategy="rolling",
        phase=Phase.SUCCEEDED,
        actor=ACTOR,
        started_at=START,
        ended_at=START,
        step=FIRST.step,
    )
    ledger = LedgerChange(at=START, deployment=name, model=given.model, shares={given.version: 100}, cause="given")
    spec = DeploymentSpec.model_validate(given.model_dump())
    deployment = DeploymentRow(
        name=name,
        target=TARGET,
        model=given.model,
        spec=spec,
        revision=1,
        version=given.version,
        operation=operation.id,
        sequence=1,
        updated_at=START,
    )
    revision = RevisionRow(
        deployment=name,
        number=1,
        version=given.version,
        spec=spec,
        phase=Phase.SUCCEEDED,
        actor=ACTOR,
        at=START,
    )
    return (
        Record(source=operation.id, step=FIRST.step, operation=operation, ledger=ledger),
        Record(source=f"deployment/{name}", step=1, deployment=deployment, revisions=(revision,)),
    )
