"""Managed instance scaling: as many instances as copies need, within bounds, and none that stand idle.

Source: `ProductionVariantManagedInstanceScaling`; idle instances are released (IDLE_RELEASE), and copies are moved
together only where the scale-in strategy says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshore.emulator.consolidation import Consolidation
from longshore.emulator.instances import TYPES
from longshore.emulator.placement import Free, fits, fits_an_empty, free_on, take
from longshore.emulator.state import Blueprint, Fleet, Instance, InstanceState

if TYPE_CHECKING:
    from longshore.emulator.world import World


class ManagedScaling:
    """Sets how many instances a fleet shall have, and gives idle ones back. Called under the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._consolidation = Consolidation(world)

    def settle(self, fleet: Fleet) -> bool:
        """Do what is due; True if copies began or ended a move."""
        bounds = fleet.managed
        if bounds is None or fleet.sealed:
            return False
        least, most = bounds
        if fleet.started:
            fleet.desired = max(least, min(most, len(fleet.instances) + self._missing(fleet)))
        for instance in fleet.ready:
            if fleet.on(instance):
                instance.idle_since = None
            elif instance.idle_since is None:
                instance.idle_since = self._world.now()
                self._world.clock.call_later(self._world.durations.idle_release, self._world.touch)
            elif not fleet.waiting and fleet.desired > least and self._idle_enough(instance):
                fleet.desired -= 1
                fleet.instances.remove(instance)
        return self._consolidation.settle(fleet)

    def stop_moving(self, fleet: Fleet) -> None:
        """Give up what consolidation is about, before something else is done with a fleet's copies."""
        self._consolidation.stop(fleet)

    def _idle_enough(self, instance: Instance) -> bool:
        since = instance.idle_since
        return since is not None and self._world.now() - since >= self._world.durations.idle_release

    @staticmethod
    def _missing(fleet: Fleet) -> int:
        """How many more instances the waiting copies need, beside those that are being launched."""
        coming = [instance for instance in fleet.instances if instance.state is InstanceState.LAUNCHING]
        bins = [(instance.type, free_on(instance.room, ())) for instance in coming]
        for copy in fleet.waiting:
            _pack(fleet, copy.blueprint, bins)
        return len(bins) - len(coming)


def useful_pools(fleet: Fleet) -> list[str]:
    """The instance types to ask for, best first: those that a waiting copy could go on, if any waits for one."""
    fitting = [
        kind for kind in fleet.pools if any(fits_an_empty(copy.blueprint, kind, TYPES[kind]) for copy in fleet.waiting)
    ]
    return fitting or fleet.pools


def _pack(fleet: Fleet, blueprint: Blueprint, bins: list[tuple[str, Free]]) -> None:
    """Put a copy into the first instance to come that has room for it, or into one more."""
    for index, (kind, free) in enumerate(bins):
        made = blueprint.on(kind)
        if made is not None and fits(made[0], free):
            bins[index] = (kind, take(made[0], free))
            return
    for kind in fleet.pools:
        made = blueprint.on(kind)
        if made is not None and fits_an_empty(blueprint, kind, TYPES[kind]):
            bins.append((kind, take(made[0], free_on(TYPES[kind], ()))))
            return
