"""The seam to the traffic plane: routes by weight, what was acked, and what was measured per version."""

from datetime import datetime
from typing import Protocol

from longshore.planning.fence import Fence
from longshore.planning.observed import Sample
from longshore.planning.route import Route
from longshore.spec.base import Value

__all__ = ["Route", "RouteStatus", "TrafficError", "TrafficPlane"]


class RouteStatus(Value):
    """What is known of a published route."""

    revision: int
    """The revision of the traffic plane that holds the route."""
    acked: bool
    """Whether every gateway runs that revision or a later one."""
    at: datetime
    """When that was read."""
    gateways: int = 0
    """Gateways that must ack: connected ones, and those gone for less than a minute."""
    rejected: str | None = None
    """What a gateway said when it refused this revision or a later one."""


class TrafficError(Exception):
    """The traffic plane could not be read or changed; trying again can help."""


class TrafficPlane(Protocol):
    """What activities ask of the traffic plane. All methods raise `TrafficError`."""

    async def publish(self, route: Route, fence: Fence) -> int:
        """Save a route and say the traffic revision that holds it. The same route again is the same revision.

        Raises:
            FenceRefusedError: the fence is lower than one seen for this deployment.
        """

    async def withdraw(self, deployment: str, fence: Fence) -> int:
        """Remove a deployment's route. Its requests get a 404."""

    async def revision(self) -> int:
        """The newest revision: it holds every change of routes and endpoints so far."""

    async def status(self, revision: int, wait: float) -> RouteStatus:
        """Whether a revision was acked by every gateway, waiting at most `wait` seconds for it."""

    async def active_requests(self, addresses: tuple[str, ...]) -> dict[str, int]:
        """Requests in flight at each address, summed over the gateways; 0 for one that no gateway knows."""

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """Read the counters of a deployment's versions at every gateway.

        Raises:
            TrafficError: a gateway could not be read; a partial answer is never given.
        """
