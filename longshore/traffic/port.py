"""The seam to the traffic plane: routes by weight, what was acked, and what was measured per version."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from longshore.planning.fence import Fence
from longshore.planning.observed import Sample
from longshore.planning.route import Gateway, RefusedRoute, Route, RouteSnapshot
from longshore.spec.base import Value

__all__ = ["Route", "RouteStatus", "RouteStore", "TrafficError", "TrafficPlane", "Watch"]


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

    async def weights(self, deployment: str) -> dict[str, int]:
        """Version → share in percent of a deployment's route as last published; empty without a route."""

    async def revision(self) -> int:
        """The newest revision: it holds every change of routes and endpoints so far."""

    async def status(self, revision: int, wait: float) -> RouteStatus:
        """Whether a revision was acked by every gateway, waiting at most `wait` seconds for it."""

    async def active_requests(self, addresses: tuple[str, ...]) -> dict[str, int]:
        """Requests in flight at each address, summed over the gateways; 0 for one that no gateway knows."""

    async def requests_at(self, deployment: str, versions: tuple[str, ...]) -> dict[str, int]:
        """Requests in flight at each version, summed over the gateways: of copies that have no addresses."""

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """Read the counters of a deployment's versions at every gateway.

        Raises:
            TrafficError: a gateway could not be read; a partial answer is never given.
        """


class Watch(Protocol):
    """Waits for notices of the store."""

    async def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a notice since the last call; says whether there was one."""


class RouteStore(Protocol):
    """What the traffic plane asks of the store. Errors are the store's own; trying again can help."""

    async def publish_route(self, route: Route, fence: Fence) -> int:
        """See `TrafficPlane.publish`."""

    async def withdraw_route(self, deployment: str, fence: Fence) -> int:
        """See `TrafficPlane.withdraw`."""

    async def weights(self, deployment: str) -> dict[str, int]:
        """See `TrafficPlane.weights`."""

    async def snapshot(self) -> RouteSnapshot:
        """All that gateways are told, as of one revision: nothing newer, nothing missing."""

    async def revision(self) -> int:
        """The newest revision."""

    def watch(self) -> AbstractAsyncContextManager[Watch]:
        """Watch for changes of the snapshot."""

    def watch_acks(self) -> AbstractAsyncContextManager[Watch]:
        """Watch for what gateways said."""

    async def gateway_seen(self, node: str, admin: str | None, connected: bool) -> None:  # noqa: FBT001 the store's own
        """A gateway connected, is still connected, or left. A new one has acked nothing."""

    async def gateway_acked(self, node: str, revision: int, refused: tuple[RefusedRoute, ...] = ()) -> None:
        """A gateway runs this revision, but for what it refused; 0 says that it began anew and runs none."""

    async def gateway_rejected(self, node: str, revision: int, message: str) -> None:
        """A gateway refused this revision as a whole, and goes on with what it ran."""

    async def gateways(self) -> list[Gateway]:
        """Every gateway ever seen."""
