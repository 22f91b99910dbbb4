"""The simulated fleet behind the port of backends."""

from typing import TYPE_CHECKING, Any

from longshore.backends.inventory import Adoption, Found
from longshore.backends.port import AutoscalerLevel, CopiesLevel, Handover, HttpAnswer
from longshore.planning.fence import Fence
from longshore.planning.native import NativeStatus
from longshore.planning.observed import Copy, Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

if TYPE_CHECKING:
    from longshore.backends.simulated.fleet import SimulatedFleet


class SimulatedBackend:
    """A `Backend` over a `SimulatedFleet`; every call may be the one that is refused."""

    def __init__(self, fleet: "SimulatedFleet") -> None:
        self._fleet = fleet

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        """See `Backend`."""
        self._fleet.hosts = hosts

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """See `Backend`: nothing simulated is ever missing."""
        self._fleet.called()

    async def ensure(self, level: CopiesLevel) -> Observation:
        """See `Backend`."""
        self._fleet.called()
        self._fleet.bring(level)
        return self._fleet.observe(level.deployment)

    async def observe(self, deployment: str | None = None) -> Observation:
        """See `Backend`."""
        self._fleet.called()
        return self._fleet.observe(deployment)

    async def steer(self, level: AutoscalerLevel) -> None:
        """See `Autoscaling`."""
        self._fleet.called()
        self._fleet.steer(level)

    async def hand_over(self, update: Handover) -> None:
        """See `NativeUpdates`."""
        self._fleet.called()
        self._fleet.pass_fence(update.deployment, update.fence)
        self._fleet.platform.begin(self._fleet, update)

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See `NativeUpdates`."""
        self._fleet.called()
        self._fleet.pass_fence(deployment, fence)
        return self._fleet.platform.status(self._fleet, deployment)

    async def components(self) -> tuple[Found, ...]:
        """See `Inventory`."""
        return self._fleet.outside.found(self._fleet.levels)

    async def examine(self, component: str, base: ModelVersionSpec | None) -> ModelVersionSpec:
        """See `Inventory`: what is simulated says all of itself."""
        return self._fleet.outside.spec(component, self._fleet.levels)

    async def accept(self, adoption: Adoption) -> Observation:
        """See `Inventory`."""
        self._fleet.called()
        self._fleet.accept(adoption)
        return self._fleet.observe(adoption.deployment)

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """See `Backend`."""
        return HttpAnswer(status=200 if self._fleet.behaviour(copy.version).answers else 500, body=b"{}")

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """See `Backend`."""
        return [f"{copy_id} is simulated"][:tail]
