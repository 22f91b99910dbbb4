"""Planning documents: what applying them would do, with nothing written and nothing started."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from longshore.api.answers import PlanAnswer, PlansAnswer
from longshore.api.applying import facts_of, judged, refused
from longshore.api.dependencies import Dependencies
from longshore.api.instances import to_be_made
from longshore.api.judging import Given, Stored
from longshore.api.requests import ApplyBody
from longshore.messages import ApplyRequest, Refusal
from longshore.planning.freezes import holding
from longshore.planning.observed import ObservedHost
from longshore.planning.plans.costing import Rented
from longshore.planning.plans.forecast import Forecast, Present, forecast
from longshore.planning.room import TargetRoom
from longshore.spec.documents import Deployment, Freeze, ModelVersion, Target
from longshore.spec.freeze import FreezeSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec
from longshore.store.errors import NotFoundError, NotObservedError
from longshore.store.remembered import remembered

KEY = "plan"
"""Stands for an idempotency key where nothing is asked."""

Versions = Mapping[tuple[str, str], ModelVersionSpec]


class _Told(NamedTuple):
    """The room of a target as far as it is known."""

    room: TargetRoom
    unknown: str | None = None
    """Why it is not."""


class _Known(NamedTuple):
    """What a plan is made from, the documents counting as applied."""

    versions: Versions
    freezes: Mapping[str, FreezeSpec]
    told: _Told
    rented: Rented | None = None


async def plan(deps: Dependencies, body: ApplyBody, actor: str) -> PlansAnswer:
    """Say what applying documents would do to each deployment among them, as if the others were there already.

    Deployments of one target are planned together: a later one finds the room that the earlier ones hold meanwhile.

    Raises:
        ProblemError: 422 or 409, as applying them would; 409 with the other plans when a deployment would be refused.
    """
    given, stored, _ = await judged(deps, body)
    versions, freezes = _versions(given, stored), await _freezes(deps, given)
    rooms: dict[str, _Told] = {}
    plans: list[PlanAnswer] = []
    refusals: list[tuple[Given, Refusal]] = []
    for one in given:
        if not isinstance(one.document, Deployment):
            continue
        target = one.document.spec.target
        if target not in rooms:
            rooms[target] = await _room(deps, target, _target(given, target), stored.targets.get(target))
        spec = _target(given, target) or stored.targets.get(target)
        known = _Known(versions, freezes, rooms[target], _rented(deps, spec))
        told = await _forecast(deps, one.document, known, actor)
        if isinstance(told, Refusal):
            refusals.append((one, told))
            continue
        plans.append(PlanAnswer.model_validate(told.plan.model_dump()))
        rooms[target] = rooms[target]._replace(room=told.under_way(rooms[target].room))
    if refusals:
        raise refused(refusals, plans)
    return PlansAnswer(items=tuple(plans))


async def _forecast(deps: Dependencies, document: Deployment, known: _Known, actor: str) -> Forecast | Refusal:
    name, spec, now = document.metadata.name, document.spec, deps.now()
    frozen = holding(known.freezes, name, document.metadata.labels, spec.target, now)
    request = ApplyRequest(
        actor=actor,
        key=KEY,
        name=name,
        labels=document.metadata.labels,
        spec=spec,
        facts=facts_of(spec.version, known.versions[spec.model, spec.version]),
    )
    present = Present(
        room=known.told.room,
        needs={version: its.resources for (model, version), its in known.versions.items() if model == spec.model},
        startups=_startups(await deps.store.startups.of(spec.target, spec.model), spec.version),
        now=now,
        frozen=frozen.message if frozen else None,
        short=known.told.unknown,
        rented=known.rented,
    )
    state = await remembered(deps.store, name)
    return await asyncio.to_thread(forecast, state, request, present)  # a long rollout takes a second to play


def _startups(seen: Mapping[str, float], version: str) -> Mapping[str, float]:
    """Start-up times; a version that never started there is expected to take as long as the model's slowest did."""
    return {version: max(seen.values()), **seen} if seen else {}


def _rented(deps: Dependencies, spec: TargetSpec | None) -> Rented | None:
    """What the instances of a target cost, where it has any."""
    if spec is None or spec.sagemaker is None:
        return None
    instances = spec.sagemaker.instances
    return Rented(spec.sagemaker.region, deps.prices, least=instances.min if instances else None)


async def _room(deps: Dependencies, name: str, given: TargetSpec | None, stored: TargetSpec | None) -> _Told:
    """What a target holds, with the hosts that its document declares."""
    try:
        room = await deps.store.reservations.room(name)
    except (NotFoundError, NotObservedError):
        if hosts := to_be_made(given or stored):
            return _Told(TargetRoom(name, hosts, ()))
        room = TargetRoom(name, (), ())
        if given is None or not given.hosts:
            return _Told(room, f"nothing is known of the room on {name} until a worker beside it has read it")
    if given is not None and given.hosts:
        down = {host.name for host in room.hosts if not host.up}
        declared = (
            ObservedHost(
                name=host.name,
                accelerators=host.accelerators,
                accelerator_memory_gib=host.accelerator_memory_gib,
                up=host.name not in down,
            )
            for host in given.hosts
        )
        room = replace(room, hosts=tuple(declared))
    return _Told(room)


async def _freezes(deps: Dependencies, given: Iterable[Given]) -> Mapping[str, FreezeSpec]:
    """Stored freezes, and those that the documents would add."""
    new = {one.name: one.document.spec for one in given if isinstance(one.document, Freeze)}
    return {row.name: row.spec for row in await deps.store.freezes.list()} | new


def _target(given: Iterable[Given], name: str) -> TargetSpec | None:
    return next((one.document.spec for one in given if isinstance(one.document, Target) and one.name == name), None)


def _versions(given: Iterable[Given], stored: Stored) -> Versions:
    """Registered versions, and those that the documents would register."""
    new = (one.document for one in given if isinstance(one.document, ModelVersion))
    return {**stored.versions, **{(one.metadata.model, one.metadata.version): one.spec for one in new}}
