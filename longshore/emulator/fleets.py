"""Instances and copies brought to their levels: launched, placed, loaded, ended. Everything here is safe to repeat."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from longshore.emulator.faults import named
from longshore.emulator.instances import room_of
from longshore.emulator.managed import ManagedScaling, useful_pools
from longshore.emulator.placement import place
from longshore.emulator.state import Blueprint, Copy, CopyState, Fleet, Instance, InstanceState

if TYPE_CHECKING:
    from longshore.emulator.world import World

NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. "
    "Please retry using a different ML instance type or after some time."
)


class Fleets:
    """Keeps every fleet at its level. All methods are called under the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.managed = ManagedScaling(world)

    def settle(self) -> bool:
        """Do what can be done now; True if anything was."""
        changed = False
        for endpoint in self._world.endpoints.values():
            for fleet in endpoint.all_fleets():
                changed = self._settle(fleet) or changed
        return changed

    def add_copies(self, fleet: Fleet, blueprint: Blueprint, component: str | None, count: int) -> list[Copy]:
        """Ask for more copies; they wait for room."""
        new = [
            Copy(fleet.endpoint, fleet.variant, component, blueprint, self._world.now()) for _ in range(max(0, count))
        ]
        fleet.copies.extend(new)
        return new

    def end_copy(self, fleet: Fleet, copy: Copy) -> None:
        """Take a copy out of service, let it drain, and free its room."""
        if copy.state is CopyState.PENDING:
            fleet.copies.remove(copy)
        elif copy.state is not CopyState.ENDING:
            if copy.state is not CopyState.LOADING:
                self._world.plane.end(copy)
            copy.state = CopyState.ENDING
            self._world.clock.call_later(self._world.durations.copy_drain, lambda: self._gone(fleet, copy))

    def close(self, fleet: Fleet) -> None:
        """End all its copies and give back its instances, as if at once."""
        fleet.sealed = True
        fleet.desired = 0
        for copy in fleet.copies:
            if copy.state in (CopyState.STARTING, CopyState.READY, CopyState.FAILED):
                self._world.plane.end(copy)
        fleet.copies.clear()
        fleet.instances.clear()

    def lose(self, instance_id: str) -> bool:
        """Take an instance away as a failure of its host does; it is replaced. False if there is none of that id."""
        for endpoint in self._world.endpoints.values():
            for fleet in endpoint.all_fleets():
                for instance in fleet.instances:
                    if instance.id == instance_id:
                        self.managed.stop_moving(fleet)
                        self._give_back(fleet, instance)
                        return True
        return False

    def instances(self) -> list[dict[str, str]]:
        """All instances: their ids, types, states, and whose they are."""
        return [
            {
                "id": each.id,
                "type": each.type,
                "state": each.state,
                "endpoint": fleet.endpoint,
                "variant": fleet.variant,
            }
            for endpoint in self._world.endpoints.values()
            for fleet in endpoint.all_fleets()
            for each in fleet.instances
        ]

    def _gone(self, fleet: Fleet, copy: Copy) -> None:
        with self._world.lock:
            if copy in fleet.copies:
                fleet.copies.remove(copy)
                self._world.touch()

    def _settle(self, fleet: Fleet) -> bool:
        def size() -> tuple[int, int, int, int]:
            return len(fleet.instances), len(fleet.copies), len(fleet.waiting), fleet.desired

        before = size()
        self._one_model_an_instance(fleet)
        self._place(fleet)
        moved = self.managed.settle(fleet)
        self._level(fleet)
        return moved or before != size()

    def _one_model_an_instance(self, fleet: Fleet) -> None:
        if fleet.blueprint is not None and not fleet.sealed:
            self.add_copies(fleet, fleet.blueprint, None, len(fleet.ready) - len(fleet.copies))

    def _place(self, fleet: Fleet) -> None:
        for copy in fleet.waiting:
            found = place(copy, fleet.ready, [other for other in fleet.copies if other.instance is not None])
            if found is not None:
                copy.instance, copy.accelerators = found
                self.load(copy)

    def load(self, copy: Copy) -> None:
        """Bring image and model to the instance that a copy was given, and start it."""
        instance, times = copy.instance, self._world.durations
        if instance is None:
            raise ValueError(f"{copy.id} has no instance to be loaded on")
        copy.state = CopyState.LOADING
        instance.idle_since = None
        artifacts = (copy.container.image, copy.container.model_url)
        seconds = times.copy_cached_load if artifacts in instance.cache else times.copy_load
        instance.cache.add(artifacts)
        slow = [factor for name, factor in self._world.faults.now.slow.items() if named([name], *_names(copy))]
        self._world.clock.call_later(seconds * max(slow, default=1.0), partial(self._loaded, copy, copy.id))

    def _loaded(self, copy: Copy, copy_id: str) -> None:
        with self._world.lock:
            if copy.id != copy_id or copy.state is not CopyState.LOADING:
                return
            copy.state = CopyState.STARTING
            reason = "did not pass the ping health check. Please check CloudWatch logs for this endpoint."
            self._world.clock.call_later(
                copy.blueprint.start_seconds,
                partial(
                    self._never_ready,
                    copy,
                    copy_id,
                    f"The primary container for production variant {copy.variant} {reason}",
                ),
            )
            if not named(self._world.faults.now.unhealthy, *_names(copy)):
                self._world.plane.start(copy)
            self._world.touch()

    def _never_ready(self, copy: Copy, copy_id: str, reason: str) -> None:
        # Only its first start has this deadline: a copy that was ready once and is started again stays what it is.
        with self._world.lock:
            if copy.state is CopyState.STARTING and not copy.was_ready:
                self._world.copy_failed(copy_id, reason)

    def _level(self, fleet: Fleet) -> None:
        while len(fleet.instances) < fleet.desired and self._launch(fleet):
            pass
        if len(fleet.instances) >= fleet.desired:
            fleet.short_since = None
        surplus = len(fleet.instances) - fleet.desired
        if surplus > 0:
            for instance in sorted(fleet.instances, key=lambda each: (_is_ready(each), len(fleet.on(each))))[:surplus]:
                self._give_back(fleet, instance)
        fleet.started = fleet.started or len(fleet.ready) >= fleet.desired

    def _launch(self, fleet: Fleet) -> bool:
        """Ask for one instance, in the order of the pools; if none is to be had (False), it is asked for again."""
        capacity = self._world.faults.now.capacity
        for kind in useful_pools(fleet):
            if kind not in capacity or self.count(kind) < capacity[kind]:
                instance = Instance(kind, room_of(kind))
                fleet.instances.append(instance)
                done = partial(self._launched, fleet, instance)
                self._world.clock.call_later(self._world.durations.instance_launch, done)
                return True
        fleet.short_since = self._world.now() if fleet.short_since is None else fleet.short_since
        if fleet.retry is None:
            fleet.retry = self._world.clock.call_later(
                self._world.durations.capacity_retry, lambda: self._ask_again(fleet)
            )
        return False

    def _ask_again(self, fleet: Fleet) -> None:
        with self._world.lock:
            fleet.retry = None
            self._world.touch()

    def count(self, kind: str) -> int:
        """How many instances of a type there are, in all fleets."""
        fleets = [fleet for endpoint in self._world.endpoints.values() for fleet in endpoint.all_fleets()]
        return sum(instance.type == kind for fleet in fleets for instance in fleet.instances)

    def _launched(self, fleet: Fleet, instance: Instance) -> None:
        with self._world.lock:
            if instance in fleet.instances:
                instance.state = InstanceState.READY
                self._world.touch()

    def _give_back(self, fleet: Fleet, instance: Instance) -> None:
        """Take an instance away; copies of components that were on it wait for room elsewhere."""
        fleet.instances.remove(instance)
        for copy in fleet.on(instance):
            if copy.state in (CopyState.STARTING, CopyState.READY, CopyState.FAILED):
                self._world.plane.end(copy)
            if copy.component is None or copy.state is CopyState.ENDING:
                fleet.copies.remove(copy)
            else:
                copy.requeue(self._world.now())


def _is_ready(instance: Instance) -> bool:
    return instance.state is InstanceState.READY


def _names(copy: Copy) -> tuple[str | None, ...]:
    """By what a fault may mean a copy."""
    return (copy.component, copy.container.image, copy.container.model_name, copy.endpoint)
