"""What the stories of updates have in common: to wait for copies, and to bake under alarms."""

from collections.abc import Callable, Generator, Sequence

from longshore.emulator.control.policies import Guard
from longshore.emulator.scripts import Wait
from longshore.emulator.state import Copy, CopyState
from longshore.emulator.world import World

LOOK_AT_ALARMS = 5.0
"""Emulated seconds between two looks at a deployment's alarms."""
TIMED_OUT = "The deployment exceeded its maximum execution timeout."

Trouble = Generator[Wait, bool, str | None]
"""A part of a story that ends with what went wrong, if anything did."""


class Watch:
    """One deployment's deadline and alarms."""

    def __init__(self, world: World, guard: Guard) -> None:
        self._world = world
        self._guard = guard
        self._began = world.now()

    def ready(self, copies: Sequence[Copy]) -> Trouble:
        """Wait until copies serve; wrong is one that never will, or has no room for too long, an alarm, the timeout."""
        return (yield from self._until(lambda: all(copy.state is CopyState.READY for copy in copies), copies, None))

    def holds(self, condition: Callable[[], bool], copies: Sequence[Copy] = ()) -> Trouble:
        """Wait until a condition holds, with the same eye on copies, alarms and timeout."""
        return (yield from self._until(condition, copies, None))

    def bake(self, seconds: float) -> Trouble:
        """Let time pass under the alarms."""
        return (yield from self._until(lambda: False, (), seconds))

    def _until(self, condition: Callable[[], bool], copies: Sequence[Copy], seconds: float | None) -> Trouble:
        end = None if seconds is None else self._world.now() + seconds
        found: list[str] = []

        def over() -> bool:
            if trouble := self._trouble(copies):
                found.append(trouble)
            return bool(found) or condition()

        yield Wait(over, None if end is None else max(0.0, end - self._world.now()), LOOK_AT_ALARMS)
        return found[0] if found else None

    def _trouble(self, copies: Sequence[Copy]) -> str | None:
        if failed := next((copy for copy in copies if copy.state is CopyState.FAILED), None):
            return failed.failure or "A copy failed."
        if stalled(self._world, copies):
            return "There is not enough capacity on the endpoint's instances for the new copies."
        for name in self._guard.alarms:
            if self._world.alarm_state(self._guard.region, name) == "ALARM":
                return f"The alarm {name} went off."
        timeout = self._guard.timeout
        if timeout is not None and self._world.now() >= self._began + timeout:
            return TIMED_OUT
        return None


def stalled(world: World, copies: Sequence[Copy]) -> bool:
    """Whether a copy waits for room longer than instances are asked for."""
    for copy in copies:
        if copy.state is CopyState.PENDING:
            fleets = world.fleets_of(copy.endpoint, copy.variant)
            given = [fleet.settings.get("VariantInstanceProvisionTimeoutInSeconds") for fleet in fleets]
            timeout = max(
                (float(each) for each in given if each is not None), default=world.durations.provision_timeout
            )
            if world.now() - copy.created >= timeout:
                return True
    return False
