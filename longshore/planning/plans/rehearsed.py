"""The plans of a rehearsal: the first apply of each deployment, against what is given. Nothing need be running."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from math import inf
from typing import Final, NamedTuple

from pydantic import ValidationError

from longshore.planning.deployment.revisions import DeploymentState, Revision
from longshore.planning.observed import Copy, CopyState, ObservedHost
from longshore.planning.operation import Ensure, VersionFacts
from longshore.planning.plans.forecast import Forecast, Plan, Present, forecast
from longshore.planning.plans.idealised import IdealTarget
from longshore.planning.requests import ApplyRequest, Refusal
from longshore.planning.room import TargetRoom
from longshore.planning.words import Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.rehearsal import TARGET, Apply, Behaviour, Given, RehearsalSpec

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""0s; any instant would do, for plans tell only how long things take."""
ACTOR: Final = "rehearsal"


class UnplannableError(Exception):
    """A rehearsal whose first apply cannot be planned; says why in one line."""


class _Running(NamedTuple):
    forecast: Forecast
    until: float
    """Seconds from the start of the rehearsal; infinite when it waits for room."""


def plans_of(spec: RehearsalSpec) -> list[Plan]:
    """What the first apply of each deployment would do, in the order of the timeline.

    Those that come later find the room that the earlier ones hold, or have left. Whatever else the timeline does is
    not in the plan.

    Raises:
        UnplannableError: there is no apply, it would be refused, or what is given does not fit.
    """
    room, running, plans = _given_room(spec), list[_Running](), list[Plan]()
    for apply in _first_applies(spec.timeline):
        for one in running:
            room = one.forecast.over(room) if one.until <= apply.at else room
        running = [one for one in running if one.until > apply.at]
        meanwhile = reduce(lambda held, one: one.forecast.under_way(held), running, room)
        told = forecast(_state(apply.deployment, spec), _request(apply, spec), _present(meanwhile, spec))
        if isinstance(told, Refusal):
            raise UnplannableError(f"{apply.deployment}: {told.message}")
        lasts = told.plan.estimated_seconds if told.plan.fits else None
        running.append(_Running(told, inf if lasts is None else apply.at + lasts))
        plans.append(told.plan)
    if not plans:
        raise UnplannableError("there is no apply in its timeline, so there is nothing to plan")
    return plans


def _first_applies(timeline: Iterable[object]) -> Iterator[Apply]:
    seen = set[str]()
    applies = (event for event in timeline if isinstance(event, Apply))
    for apply in sorted(applies, key=lambda event: event.at):
        if apply.deployment not in seen:
            seen.add(apply.deployment)
            yield apply


def _given_room(spec: RehearsalSpec) -> TargetRoom:
    """The hosts with every given copy, ready.

    Raises:
        UnplannableError: they do not fit.
    """
    hosts = tuple(
        ObservedHost(name=host.name, accelerators=host.accelerators, accelerator_memory_gib=host.accelerator_memory_gib)
        for host in spec.hosts
    )
    room = TargetRoom(TARGET, hosts, ())
    for name, given in spec.given.items():
        room = TargetRoom(TARGET, hosts, (*room.copies, *_copies(name, given, room, spec)))
    return room


def _copies(name: str, given: Given, room: TargetRoom, spec: RehearsalSpec) -> tuple[Copy, ...]:
    target = IdealTarget(
        room=room,
        deployment=name,
        model=given.model,
        needs={given.version: _behaviour(given.version, spec).resources},
        startup=timedelta(0),
        now=START,
    )
    target.ensure(Ensure(version=given.version, copies=given.copies, surplus="end", step=1))
    copies = target.observe().copies
    if len(copies) < given.copies:
        raise UnplannableError(
            f"given {name}: {len(copies)} of {given.copies} copies of version {given.version} fit on the hosts: "
            "give more accelerators or fewer copies"
        )
    return tuple(copy.model_copy(update={"state": CopyState.READY, "ready_at": START}) for copy in copies)


def _state(name: str, spec: RehearsalSpec) -> DeploymentState:
    """A given deployment as its onboarding left it; an empty one for any other."""
    given = spec.given.get(name)
    if given is None:
        return DeploymentState(name=name)
    desired = DeploymentSpec.model_validate(given.model_dump())
    revision = Revision(number=1, facts=_facts(given.version, spec), spec=desired, phase=Phase.SUCCEEDED, actor=ACTOR)
    return DeploymentState(name=name, spec=desired, revisions=(revision,), stable=1, operations=1, sequence=1)


def _request(apply: Apply, spec: RehearsalSpec) -> ApplyRequest:
    given = spec.given.get(apply.deployment)
    before = given.model_dump(mode="json", by_alias=True) if given else {}
    try:
        desired = DeploymentSpec.model_validate(apply.on(before))
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UnplannableError(f"{apply.deployment}: {said}") from error
    return ApplyRequest(
        actor=ACTOR,
        key=ACTOR,
        name=apply.deployment,
        labels=apply.labels or {},
        spec=desired,
        facts=_facts(desired.version, spec),
    )


def _present(room: TargetRoom, spec: RehearsalSpec) -> Present:
    versions = {*spec.versions, *(given.version for given in spec.given.values())}
    versions |= {event.version for event in spec.timeline if isinstance(event, Apply) and event.version}
    behaviours = {version: _behaviour(version, spec) for version in versions}
    return Present(
        room=room,
        needs={version: behaviour.resources for version, behaviour in behaviours.items()},
        startups={version: behaviour.startup for version, behaviour in behaviours.items()},
        now=START,
    )


def _facts(version: str, spec: RehearsalSpec) -> VersionFacts:
    behaviour = _behaviour(version, spec)
    return VersionFacts(version=version, resources=behaviour.resources, side_by_side=behaviour.side_by_side)


def _behaviour(version: str, spec: RehearsalSpec) -> Behaviour:
    return spec.versions.get(version, Behaviour())
