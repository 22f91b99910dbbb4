"""Routes: who serves a deployment's requests, and which gateways must have said so.

Here, and not in the traffic plane's room, because the store keeps routes and the traffic plane publishes them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from longshore.planning.observed import Copy, Upstream
from longshore.spec.base import Value

GATEWAY_FORGOTTEN_AFTER = timedelta(seconds=60)
"""A gateway that left is still waited for this long: it may be a restart, and it serves what it last heard."""


class Route(Value):
    """Who serves a deployment's requests. Endpoints are not here: they follow the observed copies.

    Only ready copies of a version are its endpoints; draining ones are marked so until they are gone.
    """

    deployment: str
    model: str
    weights: dict[str, int]
    """Version → share in percent, adding up to 100. Versions of weight 0 are left out."""
    standby: tuple[str, ...] = ()
    """Versions without weight whose cluster is kept: about to get traffic, or finishing their last requests."""
    idempotent: bool = False
    """Whether a request may be sent twice."""


class RouteSnapshot(Value):
    """Everything that gateways are told, as it was at one revision of the traffic plane."""

    revision: int
    """Every routing-relevant change up to this revision is in, and none after it."""
    routes: tuple[Route, ...]
    copies: tuple[Copy, ...]
    """The copies of the routed deployments, in any state."""
    upstreams: tuple[Upstream, ...] = ()
    """Of the routed deployments' versions whose copies have no addresses of their own."""
    route_revisions: dict[str, int] = {}
    """Deployment → revision that brought its route."""


class RefusedRoute(Value):
    """A deployment that a gateway keeps at its last good state, because it refused the next one."""

    deployment: str
    revision: int
    """The revision that brought the deployment's route."""
    message: str
    """What the gateway said."""


class Gateway(Value):
    """One gateway as the discovery server last saw it."""

    node: str
    admin: str | None = None
    """`host:port` of its admin interface."""
    connected: bool
    acked: int = 0
    """The revision it runs."""
    rejected: int | None = None
    """The revision it refused, until it acks that one or a later one."""
    rejection: str | None = None
    """What it said."""
    refused: tuple[RefusedRoute, ...] = ()
    """What it does not run of the revision that it acked: a refused route holds up no other deployment."""
    seen_at: datetime


def required(gateways: Iterable[Gateway], now: datetime) -> list[Gateway]:
    """The gateways that must ack a route: those seen within the last minute.

    A connected one is seen every few seconds. If it is not, then the server that said it was connected has died.
    """
    return [one for one in gateways if now - one.seen_at < GATEWAY_FORGOTTEN_AFTER]


def acked_revision(gateways: Iterable[Gateway], now: datetime) -> int | None:
    """The revision that every required gateway runs; None while there is no gateway at all."""
    return min((one.acked for one in required(gateways, now)), default=None)
