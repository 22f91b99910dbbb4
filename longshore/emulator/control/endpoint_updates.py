"""What happens to an endpoint over time: created, updated fleet by fleet under guardrails, rolled back, deleted.

Sources: SageMaker Developer Guide, "Deployment guardrails for updating models in production" (blue/green with all at
once, canary and linear traffic shifting; rolling deployments; auto-rollback), and the shapes `DeploymentConfig` and
`ProductionVariantStatus`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from longshore.emulator.control.account import Account
from longshore.emulator.control.policies import Guard, Rolling
from longshore.emulator.control.watching import Trouble, Watch
from longshore.emulator.faults import named
from longshore.emulator.fleets import NO_CAPACITY
from longshore.emulator.scripts import Script, Wait
from longshore.emulator.state import Copy, CopyState, Endpoint, Fleet


class Deployment(NamedTuple):
    """A move to another configuration."""

    config: str
    fleets: dict[str, Fleet]
    """By variant: the new ones, with the counts and weights that they shall have."""
    shares: list[float]
    """Blue/green: the new fleet's share of the traffic, step by step."""
    wait: float
    """The bake after each step or batch."""
    termination_wait: float
    rolling: Mapping[str, Rolling]
    """By variant; empty for blue/green."""
    guard: Guard
    policy: Mapping[str, Any] | None


class EndpointStories:
    """One story an endpoint at a time; its status tells which."""

    def __init__(self, account: Account) -> None:
        self._world = account.world
        self._fleets = account.world.fleets

    def begin(self, endpoint: Endpoint, status: str, script: Script) -> None:
        """Put an endpoint into a status and let its story run."""
        endpoint.status, endpoint.modified = status, self._world.now()
        for fleet in endpoint.all_fleets():
            self._fleets.managed.stop_moving(fleet)
        self._world.scripts.start(f"endpoint/{endpoint.name}", script)
        self._world.touch()

    def create(self, endpoint: Endpoint) -> Script:
        """`Creating` until its instances, and its models on them, are there; else `Failed`."""
        fleets = list(endpoint.fleets.values())
        for fleet in fleets:
            fleet.status = ("Creating", self._world.now())
        yield from self._world.stuck(endpoint.name)
        watch = Watch(self._world, Guard(""))
        trouble = yield from self._provisioned(watch, fleets)
        if trouble:
            for fleet in fleets:
                self._fleets.close(fleet)
        self._ends(endpoint, "Failed" if trouble else "InService", trouble)

    def blue_green(self, endpoint: Endpoint, deployment: Deployment) -> Script:
        """A whole second fleet, the traffic in steps, the old fleet away; or all of it back."""
        self._stand_beside(endpoint, deployment)
        new = list(deployment.fleets.values())
        watch = Watch(self._world, deployment.guard)
        trouble = (yield from self._provisioned(watch, new)) or (yield from self._hosting(watch, endpoint))
        for share in [] if trouble else deployment.shares:
            self._shift(endpoint, share)
            self._show(new, "Baking")
            trouble = yield from watch.bake(deployment.wait)
            if trouble:
                break
        if trouble or named(self._world.faults.now.silent_rollback, endpoint.name):
            yield from self._return(endpoint, None)
            return
        yield Wait(seconds=deployment.termination_wait)
        self._take(endpoint, deployment)

    def rolling(self, endpoint: Endpoint, deployment: Deployment) -> Script:
        """Batch by batch: new instances, their share of the traffic, the bake, as many old ones away."""
        self._stand_beside(endpoint, deployment)
        targets = {name: fleet.desired for name, fleet in deployment.fleets.items()}
        before = {name: fleet.desired for name, fleet in endpoint.fleets.items()}
        for fleet in deployment.fleets.values():
            fleet.desired = 0
        watch = Watch(self._world, deployment.guard)
        while any(fleet.desired < targets[name] for name, fleet in deployment.fleets.items()):
            for name, fleet in deployment.fleets.items():
                fleet.desired = min(targets[name], fleet.desired + deployment.rolling[name].batch)
            trouble = yield from self._provisioned(watch, list(deployment.fleets.values()))
            if not trouble:
                self._share_by_count(endpoint, targets)
                self._show(list(deployment.fleets.values()), "Baking")
                trouble = yield from watch.bake(deployment.wait)
            if trouble:
                yield from self._return(endpoint, {n: (before[n], r) for n, r in deployment.rolling.items()})
                return
            for name, fleet in endpoint.fleets.items():
                left = targets.get(name, 0) - deployment.fleets[name].desired if name in deployment.fleets else 0
                fleet.desired = min(fleet.desired, max(0, left))
        if named(self._world.faults.now.silent_rollback, endpoint.name):
            yield from self._return(endpoint, {n: (before[n], r) for n, r in deployment.rolling.items()})
            return
        self._take(endpoint, deployment)

    def reweigh(self, endpoint: Endpoint, counts: Mapping[str, int]) -> Script:
        """Other weights, and other counts of instances; without capacity for them `RollingBack`, then as before."""
        before = {name: fleet.desired for name, fleet in endpoint.fleets.items()}
        for name, fleet in endpoint.fleets.items():
            fleet.desired = counts.get(name, fleet.desired)
            fleet.status = ("Updating", self._world.now())
        watch = Watch(self._world, Guard(""))
        yield Wait(seconds=self._world.durations.weights)
        trouble = yield from self._provisioned(watch, list(endpoint.fleets.values()))
        if trouble:
            endpoint.status = "RollingBack"
            for name, fleet in endpoint.fleets.items():
                fleet.desired, fleet.desired_weight = before[name], fleet.weight
            yield Wait(seconds=self._world.durations.weights)
        for fleet in endpoint.fleets.values():
            fleet.weight = fleet.desired_weight
        self._ends(endpoint, "InService")

    def delete(self, endpoint: Endpoint) -> Script:
        """`Deleting` until its instances are gone."""
        for fleet in endpoint.all_fleets():
            self._fleets.close(fleet)
        yield Wait(seconds=self._world.durations.instance_end)
        self._world.endpoints.pop(endpoint.name, None)
        self._world.tags.pop(endpoint.arn, None)

    def _stand_beside(self, endpoint: Endpoint, deployment: Deployment) -> None:
        now = self._world.now()
        endpoint.pending, endpoint.deployment = (deployment.config, now), deployment.policy
        endpoint.incoming = deployment.fleets
        for fleet in deployment.fleets.values():
            fleet.share, fleet.status = 0.0, ("Creating", now)

    def _shift(self, endpoint: Endpoint, share: float) -> None:
        for fleet in endpoint.fleets.values():
            fleet.share = 1.0 - share
        for fleet in endpoint.incoming.values():
            fleet.share = share

    def _share_by_count(self, endpoint: Endpoint, targets: Mapping[str, int]) -> None:
        for name, fleet in endpoint.incoming.items():
            fleet.share = fleet.desired / max(1, targets[name])
            if name in endpoint.fleets:
                endpoint.fleets[name].share = 1.0 - fleet.share

    def _show(self, fleets: list[Fleet], status: str) -> None:
        for fleet in fleets:
            fleet.status = (status, self._world.now())

    def _provisioned(self, watch: Watch, fleets: list[Fleet]) -> Trouble:
        """Wait until fleets have their instances, and where they host a model, it serves on each."""
        began = self._world.now()

        def there() -> bool:
            return all(_complete(fleet) for fleet in fleets) or self._short(fleets, began) or _any_failed(fleets)

        trouble = yield from watch.holds(there)
        if trouble:
            return trouble
        if failed := next((copy for fleet in fleets for copy in fleet.copies if _failed(copy)), None):
            return failed.failure
        return None if all(_complete(fleet) for fleet in fleets) else NO_CAPACITY

    def _short(self, fleets: list[Fleet], began: float) -> bool:
        default = self._world.durations.provision_timeout
        return any(
            fleet.short_since is not None
            and self._world.now() - max(began, fleet.short_since)
            >= float(fleet.settings.get("VariantInstanceProvisionTimeoutInSeconds", default))
            for fleet in fleets
        )

    def _hosting(self, watch: Watch, endpoint: Endpoint) -> Trouble:
        """Where components are hosted, make their copies anew on the new instances, beside the old ones.

        A copy whose component is deleted meanwhile is not waited for.
        """
        new: list[Copy] = []
        for name, old in endpoint.fleets.items():
            if old.blueprint is None and (fleet := endpoint.incoming.get(name)) is not None:
                for copy in [copy for copy in old.copies if copy.state is not CopyState.ENDING]:
                    new += self._fleets.add_copies(fleet, copy.blueprint, copy.component, 1)
        done = (CopyState.READY, CopyState.ENDING)
        return (yield from watch.holds(lambda: all(copy.state in done for copy in new), new))

    def _return(self, endpoint: Endpoint, regrow: Mapping[str, tuple[int, Rolling]] | None) -> Script:
        """Back to the old fleet: its missing instances in rollback batches, the traffic, then the new fleet away.

        The end is `InService` with the old configuration: nothing says that there was a rollback.
        """
        endpoint.status = "RollingBack"
        if named(self._world.faults.now.rollback_fails, endpoint.name):
            yield Wait(seconds=self._world.durations.weights)
            self._ends(endpoint, "UpdateRollbackFailed", "The automatic rollback failed.")
            return
        for name, (count, rolling) in (regrow or {}).items():
            fleet = endpoint.fleets.get(name)
            while fleet is not None and fleet.desired < count:
                fleet.desired = min(count, fleet.desired + rolling.rollback_batch)
                trouble = yield from self._provisioned(Watch(self._world, Guard("")), [fleet])
                if trouble:
                    self._ends(endpoint, "UpdateRollbackFailed", trouble)
                    return
        self._shift(endpoint, 0.0)
        yield Wait(seconds=self._world.durations.weights)
        for fleet in endpoint.incoming.values():
            self._fleets.close(fleet)
        endpoint.incoming = {}
        self._ends(endpoint, "InService")

    def _take(self, endpoint: Endpoint, deployment: Deployment) -> None:
        for fleet in [*endpoint.fleets.values(), *endpoint.left]:
            self._fleets.close(fleet)
        endpoint.fleets, endpoint.incoming, endpoint.left = deployment.fleets, {}, []
        endpoint.config = deployment.config
        for fleet in endpoint.fleets.values():
            fleet.share = 1.0
        self._ends(endpoint, "InService")

    def _ends(self, endpoint: Endpoint, status: str, failure: str | None = None) -> None:
        endpoint.status, endpoint.modified = status, self._world.now()
        endpoint.failure, endpoint.pending = failure, None
        for fleet in endpoint.all_fleets():
            fleet.status = None


def _complete(fleet: Fleet) -> bool:
    """Whether a fleet has its instances, and a classic one its model on each of them."""
    instances = len(fleet.ready) >= fleet.desired
    if fleet.blueprint is None:
        return instances
    return instances and sum(copy.state is CopyState.READY for copy in fleet.copies) >= fleet.desired


def _failed(copy: Copy) -> bool:
    return copy.component is None and copy.state is CopyState.FAILED


def _any_failed(fleets: list[Fleet]) -> bool:
    return any(_failed(copy) for fleet in fleets for copy in fleet.copies)
