"""What happens to an inference component over time: created, scaled, updated batch by batch, rolled back, deleted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from longshore.emulator.control.account import Account
from longshore.emulator.control.policies import Guard, Rolling
from longshore.emulator.control.specifications import Specification
from longshore.emulator.control.watching import Watch, stalled
from longshore.emulator.faults import named
from longshore.emulator.scripts import Script, Wait
from longshore.emulator.state import Blueprint, Component, Copy, CopyState, Fleet

_LIVE = (CopyState.PENDING, CopyState.LOADING, CopyState.STARTING, CopyState.READY, CopyState.FAILED)


class Update(NamedTuple):
    """A new version of a component."""

    specifications: Sequence[Specification]
    plural: bool
    blueprint: Blueprint
    rolling: Rolling
    guard: Guard
    copies: int | None
    """Another count, put in place once the version is; None leaves it."""
    deployment: Mapping[str, Any] | None


class ComponentStories:
    """One story a component at a time; its status tells which."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._world = account.world

    def begin(self, component: Component, status: str, script: Script) -> None:
        """Put a component into a status and let its story run."""
        component.status, component.modified = status, self._world.now()
        if (fleet := self._fleet_if_any(component)) is not None:
            self._world.fleets.managed.stop_moving(fleet)
        self._world.scripts.start(f"component/{component.name}", script)
        self._world.touch()

    def create(self, component: Component, copies: int) -> Script:
        """`Creating` until every copy serves; then `InService`, or `Failed` if one never will."""
        fleet = self._account.fleet(component)
        new = self._world.fleets.add_copies(fleet, component.blueprint, component.name, copies)
        yield from self._world.stuck(component.name)
        yield Wait(lambda: _all_ready(new) or bool(self._broken(new)), look=60)
        if trouble := self._broken(new):
            self._end(fleet, new)
            self._ends(component, "Failed", trouble)
        else:
            self._ends(component, "InService")

    def create_adapter(self, component: Component) -> Script:
        """An adapter is registered with its base's copies; it takes no room of its own."""
        yield from self._world.stuck(component.name)
        yield Wait(seconds=self._world.durations.adapter_load)
        yield Wait(lambda: (base := self._base(component)) is None or base.status == "InService")
        if self._base(component) is None:
            self._ends(component, "Failed", "The base inference component was deleted.")
        else:
            self._ends(component, "InService")

    def update_adapter(self, component: Component, update: Update) -> Script:
        """Other artifacts for an adapter."""
        yield Wait(seconds=self._world.durations.adapter_load)
        self._take(component, update)
        self._ends(component, "InService")

    def scale(self, component: Component, copies: int) -> Script:
        """`Updating` until there are as many copies as asked for."""
        component.desired = copies
        yield from self._scaled(component)
        self._ends(component, "InService")

    def update(self, component: Component, update: Update) -> Script:
        """Batch by batch: new copies beside the old ones, the bake, then as many old ones away; or all of it back."""
        component.deployment = update.deployment
        fleet, old = self._account.fleet(component), component.blueprint
        watch = Watch(self._world, update.guard)
        total, done = component.desired, 0
        while done < total:
            size = min(update.rolling.batch, total - done)
            new = self._world.fleets.add_copies(fleet, update.blueprint, component.name, size)
            trouble = (yield from watch.ready(new)) or (yield from watch.bake(update.rolling.wait))
            if trouble:
                yield from self._roll_back(component, fleet, update)
                return
            yield from self._ended(fleet, self._live(component, fleet, old)[:size])
            done += size
        if named(self._world.faults.now.silent_rollback, component.name):
            yield from self._roll_back(component, fleet, update)
            return
        self._take(component, update)
        yield from self._scaled(component)
        self._ends(component, "InService")

    def delete(self, component: Component) -> Script:
        """`Deleting` until its copies are gone, also those on an endpoint's new instances while it is being updated."""
        for fleet in self._world.fleets_of(component.endpoint, component.variant):
            self._end(fleet, [copy for copy in fleet.copies if copy.component == component.name])
        yield Wait(lambda: not self._anywhere(component))
        self._world.components.pop(component.name, None)
        self._world.tags.pop(component.arn, None)

    def _roll_back(self, component: Component, fleet: Fleet, update: Update) -> Script:
        """The old version again, in batches of its own; what is described is as if nothing had been asked."""
        old = component.blueprint
        self._end(fleet, [c for c in self._live(component, fleet, update.blueprint) if c.state is not CopyState.READY])
        while (missing := component.desired - len(self._live(component, fleet, old))) > 0:
            size = min(update.rolling.rollback_batch, missing)
            back = self._world.fleets.add_copies(fleet, old, component.name, size)
            yield Wait(lambda back=back: _all_ready(back) or bool(self._broken(back)), look=60)  # type: ignore[misc]
            if trouble := self._broken(back):
                # What serves goes on serving, a mix of both versions; nothing more comes of it.
                self._end(fleet, [copy for copy in back if copy.state is not CopyState.READY])
                self._ends(component, "Failed", trouble)
                return
            yield from self._ended(fleet, self._live(component, fleet, update.blueprint)[:size])
        yield from self._ended(fleet, self._live(component, fleet, update.blueprint))
        self._ends(component, "InService")

    def _scaled(self, component: Component) -> Script:
        """Bring the copies to the desired count; what has no room for too long is given up, and told by the counts."""
        fleet = self._account.fleet(component)
        now = self._live(component, fleet, component.blueprint)
        new = self._world.fleets.add_copies(fleet, component.blueprint, component.name, component.desired - len(now))
        if len(now) > component.desired:
            yield from self._ended(fleet, now[: len(now) - component.desired])
        yield Wait(lambda: _all_ready(new) or bool(self._broken(new)), look=60)
        if trouble := self._broken(new):
            component.failure = trouble
            self._end(fleet, [copy for copy in new if copy.state is not CopyState.READY])

    def _live(self, component: Component, fleet: Fleet, blueprint: Blueprint) -> list[Copy]:
        """A version's copies, those first that are to be missed least."""
        found = [
            copy
            for copy in fleet.copies
            if copy.component == component.name and copy.blueprint is blueprint and copy.state in _LIVE
        ]
        worth = {CopyState.FAILED: 0, CopyState.PENDING: 1, CopyState.LOADING: 2, CopyState.STARTING: 3}

        def value(copy: Copy) -> tuple[int, int, float]:
            neighbours = len(fleet.on(copy.instance)) if copy.instance else 0
            return worth.get(copy.state, 4), neighbours, -copy.created

        return sorted(found, key=value)

    def _end(self, fleet: Fleet, copies: Sequence[Copy]) -> None:
        for copy in copies:
            self._world.fleets.end_copy(fleet, copy)

    def _anywhere(self, component: Component) -> bool:
        """Whether a copy of it is still there, on whichever instances."""
        fleets = self._world.fleets_of(component.endpoint, component.variant)
        return any(copy.component == component.name for fleet in fleets for copy in fleet.copies)

    def _ended(self, fleet: Fleet, copies: Sequence[Copy]) -> Script:
        """End copies and wait until their room is free."""
        going = list(copies)
        self._end(fleet, going)
        yield Wait(lambda: not any(copy in fleet.copies for copy in going))

    def _broken(self, copies: Sequence[Copy]) -> str | None:
        """Why some of the copies will not serve; None as long as they may."""
        failed = next((copy for copy in copies if copy.state is CopyState.FAILED), None)
        if failed is not None:
            return failed.failure or "A copy failed."
        if stalled(self._world, copies):
            return "There is not enough capacity on the endpoint's instances for the copies of the inference component."
        return None

    def _take(self, component: Component, update: Update) -> None:
        component.specifications, component.plural = list(update.specifications), update.plural
        component.blueprint = update.blueprint
        component.deployment = update.deployment
        component.desired = component.desired if update.copies is None else update.copies

    def _ends(self, component: Component, status: str, failure: str | None = None) -> None:
        component.status, component.modified = status, self._world.now()
        component.failure = failure if status == "Failed" else None

    def _base(self, component: Component) -> Component | None:
        return self._world.components.get(component.base or "")

    def _fleet_if_any(self, component: Component) -> Fleet | None:
        endpoint = self._world.endpoints.get(component.endpoint)
        return None if endpoint is None else endpoint.fleets.get(component.variant)


def _all_ready(copies: Sequence[Copy]) -> bool:
    return all(copy.state is CopyState.READY for copy in copies)
