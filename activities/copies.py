"""Activities beside a target: bring copies to a level, read them, ask them."""

import asyncio
from http import HTTPStatus

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import (
    EnsureInput,
    MeasureInput,
    MeasureOutput,
    ObserveInput,
    SmokeInput,
    SmokeOutput,
    VersionInput,
)
from activities.measuring import Meter
from longshore.backends.golden import matches
from longshore.backends.port import Backend, BackendError, CopiesLevel
from longshore.planning.observed import Copy, CopyState, Observation
from longshore.spec.model_version import ModelVersionSpec, Request
from longshore.store.store import Store

SMOKE_TIMEOUT = 30.0
"""Seconds for the answer to a smoke request: the first one may load weights."""


class CopyActivities:
    """Levels and readings of one target's copies. What is read is saved before it is answered."""

    def __init__(self, backend: Backend, store: Store, meter: Meter) -> None:
        self._backend = backend
        self._store = store
        self._meter = meter
        self._specs: dict[tuple[str, str], ModelVersionSpec] = {}
        """Versions read so far: a registered one never changes."""

    @activity.defn(name="verify_artifact")
    @as_failures
    async def verify(self, asked: VersionInput) -> None:
        """Check that the artifact is there, is the one that was pinned, and that its server can be started."""
        spec = await self._spec(asked.model, asked.version)
        await self._backend.verify(asked.model, asked.version, spec)

    @activity.defn(name="ensure_copies")
    @as_failures
    async def ensure(self, asked: EnsureInput) -> Observation:
        """Bring one version to a level."""
        level = CopiesLevel(
            deployment=asked.deployment,
            model=asked.model,
            version=asked.version,
            copies=asked.copies,
            surplus="drain" if asked.surplus == "drain" else "end",
            placement=asked.placement,
            spec=await self._spec(asked.model, asked.version),
            fence=asked.fence,
            take=asked.take,
            lasting=asked.lasting,
        )
        return await self._saved(await self._backend.ensure(level))

    @activity.defn(name="observe_copies")
    @as_failures
    async def observe(self, asked: ObserveInput) -> Observation:
        """Read a deployment's copies."""
        return await self._saved(await self._backend.observe(asked.deployment))

    @activity.defn(name="smoke_test")
    @as_failures
    async def smoke(self, asked: SmokeInput) -> SmokeOutput:
        """Ask every ready copy of a version its smoke request, outside the traffic plane."""
        request = (await self._spec(asked.model, asked.version)).server.smoke
        if request is None:
            return SmokeOutput()
        observation = await self._backend.observe(asked.deployment)
        copies = _ready(observation, asked.version)
        problems = await asyncio.gather(*(self._smoke_one(copy, request) for copy in copies))
        return SmokeOutput(problem=next((problem for problem in problems if problem), ""))

    async def _smoke_one(self, copy: Copy, request: Request) -> str:
        """What is wrong with one copy's answer; empty when nothing is."""
        try:
            answer = await self._backend.send(copy, request.method, request.path, request.body, SMOKE_TIMEOUT)
        except BackendError as error:
            return f"smoke test of copy {copy.id}: {error.message}"
        if answer.status != HTTPStatus.OK:
            return f"smoke test of copy {copy.id}: {request.path} answered {answer.status}"
        if request.expect is not None and not matches(request.expect, answer):
            return f"smoke test of copy {copy.id}: {request.path} answered something else"
        return ""

    @activity.defn(name="measure_checks")
    @as_failures
    async def measure(self, asked: MeasureInput) -> MeasureOutput:
        """Measure all checks of one tick, then read the copies: one that died meanwhile spoiled what was measured."""
        observation = await self._saved(await self._backend.observe(asked.deployment))
        measurements = await self._meter.measure(asked, self._backend, _ready(observation, asked.new))
        observation = await self._saved(await self._backend.observe(asked.deployment))
        foresight = await self._meter.foresee(asked, measurements, observation)
        return MeasureOutput(measurements=measurements, observation=observation, foresight=foresight)

    async def _spec(self, model: str, version: str) -> ModelVersionSpec:
        known = self._specs.get((model, version))
        if known is not None:
            return known
        found = await self._store.models.get(model, version)
        if found is None:
            raise BackendError("VersionUnknown", f"version {version} of {model} is not registered", retryable=False)
        self._specs[model, version] = found.spec
        return found.spec

    async def _saved(self, observation: Observation) -> Observation:
        if observation.trouble is not None:
            return observation  # the observer saves readings of the whole target, and tells what is wrong with it
        await self._store.fleet.save_observation(observation)
        return observation


def _ready(observation: Observation, version: str) -> tuple[Copy, ...]:
    return tuple(copy for copy in observation.copies if copy.version == version and copy.state is CopyState.READY)
