"""One gateway brought from what it was told to what it shall be told, whatever it refuses on the way."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from longshore.planning.route import RefusedRoute
from longshore.traffic.conversation import Conversation, RefusedError
from longshore.traffic.resources import Resources
from longshore.traffic.routes import route_configuration
from longshore.traffic.sequence import Kind, Step, Told, steps, told
from longshore.traffic.world import World

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Refused:
    """What a gateway refused of one deployment, remembered so that it is not asked again and again."""

    resources: Resources | None
    route: RefusedRoute


class Gateway:
    """What one connected gateway runs.

    A refusal concerns one deployment and must not hold up the others: the gateway is brought back to its last good
    state and then given the changed deployments one by one. The one it refuses stays at its last good state until
    that deployment changes again.
    """

    def __init__(self, node: str, listener: Any, conversation: Conversation) -> None:
        self._log = logger.bind(gateway=node)
        self._listener = listener
        self._conversation = conversation
        self._told = Told()
        self._good: Mapping[str, Resources] = {}
        self._refused: dict[str, _Refused] = {}

    async def bring_to(self, world: World) -> tuple[RefusedRoute, ...]:
        """Bring the gateway to a world, and say what it does not run of it.

        Raises:
            RefusedError: it refused what concerns no deployment: its listener, or what it had run before.
            SilentGatewayError: it did not answer.
        """
        goal = dict(world.deployments)
        for name, refused in list(self._refused.items()):
            if goal.get(name) != refused.resources:
                del self._refused[name]
            elif name in self._good:
                goal[name] = self._good[name]
            else:
                del goal[name]
        await self._try(world, goal)
        return (*world.refused.values(), *(refused.route for refused in self._refused.values()))

    async def _try(self, world: World, goal: Mapping[str, Resources]) -> None:
        changed = [name for name in sorted({*goal, *self._good}) if goal.get(name) != self._good.get(name)]
        try:
            await self._walk(world.revision, goal)
        except RefusedError as error:
            if not changed:
                raise
            await self._walk(world.revision, self._good)
            if len(changed) > 1:
                for name in changed:
                    await self._try(world, _with(self._good, name, goal.get(name)))
                return
            self._refuse(world, changed[0], goal.get(changed[0]), error.message)
        else:
            self._good = goal

    def _refuse(self, world: World, name: str, refused: Resources | None, message: str) -> None:
        self._log.error("gateway refused a deployment's route", deployment=name, reason=message)
        revision = world.route_revisions.get(name, world.revision)
        self._refused[name] = _Refused(refused, RefusedRoute(deployment=name, revision=revision, message=message))

    async def _walk(self, revision: int, goal: Mapping[str, Resources]) -> None:
        for step in steps(self._told, told(goal, self._listener)):
            try:
                await self._take(revision, step)
            except RefusedError:
                await self._take_back(revision, step)
                raise
            self._told = step.told

    async def _take_back(self, revision: int, step: Step) -> None:
        """A refused update of several resources may be in force in part: say again what was before."""
        before = frozenset(name for name in step.changed if name in self._told.endpoints)
        if step.kind is Kind.CLUSTERS or before:
            await self._take(revision, Step(step.kind, self._told, before))

    async def _take(self, revision: int, step: Step) -> None:
        """Send what a step is about, and wait until it is acked."""
        after = step.told
        messages: list[Any]
        names: frozenset[str] = frozenset()
        match step.kind:
            case Kind.CLUSTERS:
                await self._take_clusters(revision, step)
                return
            case Kind.ENDPOINTS:
                names = step.changed
                messages = [after.endpoints[name] for name in sorted(names)]
            case Kind.LISTENERS:
                messages = [after.listener]
            case Kind.ROUTES:
                configuration = route_configuration(after.routes or {})
                names = frozenset({configuration.name})
                messages = [configuration]
        await self._conversation.send(step.kind, revision, messages, names)

    async def _take_clusters(self, revision: int, step: Step) -> None:
        """A gateway acks a new cluster only once it has its endpoints, so these are sent before that ack."""
        after = step.told
        send = self._conversation.send
        clusters = [send(Kind.CLUSTERS, revision, (after.clusters or {}).values(), frozenset())]
        if step.changed:
            endpoints = [after.endpoints[name] for name in sorted(step.changed)]
            clusters.append(send(Kind.ENDPOINTS, revision, endpoints, step.changed))
        tasks = [asyncio.create_task(each) for each in clusters]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()


def _with(deployments: Mapping[str, Resources], name: str, one: Resources | None) -> dict[str, Resources]:
    """The deployments with one of them replaced, or without it."""
    rest = {other: each for other, each in deployments.items() if other != name}
    return rest if one is None else {**rest, name: one}
