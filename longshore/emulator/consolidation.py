"""Managed instance scaling with the strategy CONSOLIDATION: copies are moved together, so that instances fall idle.

Source: `ProductionVariantManagedInstanceScalingScaleInPolicy`: after a cooldown since the last operation, at most
`MaximumStepSize` instances at a time. A copy is made anew where there is room before the old one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshore.emulator.placement import place
from longshore.emulator.state import Copy, CopyState, Fleet, Instance

if TYPE_CHECKING:
    from longshore.emulator.world import World

COOLDOWN_MINUTES = 20
MAXIMUM_STEP = 1
"""Both are the shape's defaults."""


class Consolidation:
    """Moves copies; giving idle instances back is managed scaling's own. Called under the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world

    def settle(self, fleet: Fleet) -> bool:
        """Begin a move that is due, or end one that is done; True if anything was done."""
        policy = (fleet.settings.get("ManagedInstanceScaling") or {}).get("ScaleInPolicy") or {}
        if policy.get("Strategy") != "CONSOLIDATION":
            return False
        if fleet.moves:
            return self._go_on(fleet)
        if any(copy.state is not CopyState.READY for copy in fleet.copies) or len(fleet.ready) < len(fleet.instances):
            fleet.quiet_since = None
            return False
        cooldown = 60.0 * float(policy.get("CooldownInMinutes", COOLDOWN_MINUTES))
        if fleet.quiet_since is None:
            fleet.quiet_since = self._world.now()
            self._world.clock.call_later(cooldown, self._world.touch)
        if self._world.now() - fleet.quiet_since < cooldown:
            return False
        fleet.quiet_since = None
        return self._begin(fleet, int(policy.get("MaximumStepSize", MAXIMUM_STEP)))

    def stop(self, fleet: Fleet) -> None:
        """Give a move up: something else is to be done with these copies."""
        for _, new in fleet.moves:
            self._world.fleets.end_copy(fleet, new)
        fleet.moves, fleet.quiet_since = [], None

    def _begin(self, fleet: Fleet, step: int) -> bool:
        least = fleet.managed[0] if fleet.managed else len(fleet.instances)
        occupied = [instance for instance in fleet.ready if fleet.on(instance)]
        room = min(step, len(fleet.instances) - least, len(occupied) - 1)
        leaving: list[Instance] = []
        for instance in sorted(occupied, key=lambda each: len(fleet.on(each))):
            if len(leaving) < room and self._moved_off(fleet, instance, [*leaving, instance]):
                leaving.append(instance)
        return bool(leaving)

    def _moved_off(self, fleet: Fleet, instance: Instance, leaving: list[Instance]) -> bool:
        """Make every copy of an instance anew on others that have copies, if all of them find room there."""
        others = [other for other in fleet.ready if other not in leaving and fleet.on(other)]
        new: list[tuple[Copy, Copy]] = []
        for old in fleet.on(instance):
            twin = Copy(old.endpoint, old.variant, old.component, old.blueprint, self._world.now())
            held = [copy for copy in fleet.copies if copy.instance is not None]
            found = place(twin, others, [*held, *(copy for _, copy in new)])
            if found is None:
                return False
            twin.instance, twin.accelerators = found
            new.append((old, twin))
        for _, twin in new:
            fleet.copies.append(twin)
            self._world.fleets.load(twin)
        fleet.moves += new
        return True

    def _go_on(self, fleet: Fleet) -> bool:
        if any(new.state is CopyState.FAILED for _, new in fleet.moves):
            self.stop(fleet)
            return True
        if not all(new.state is CopyState.READY for _, new in fleet.moves):
            return False
        for old, _ in fleet.moves:
            self._world.fleets.end_copy(fleet, old)
        fleet.moves = []
        return True
