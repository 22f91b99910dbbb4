"""Routes and copies as Envoy resources. Pure: the same snapshot gives the same resources.

Routes depend on the published routes alone and endpoints on the copies alone, so a lost copy never touches a route
and a shift never touches an endpoint; a cluster never changes (see `clusters`), so its counters last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from google.protobuf import json_format
from pydantic import TypeAdapter, ValidationError

from longshore.planning.observed import Copy, CopyState, Upstream
from longshore.planning.route import Route
from longshore.spec.quantities import Name, Version
from longshore.traffic.addresses import is_ip, socket_address, split_address
from longshore.traffic.clusters import cluster_of_copies, cluster_of_service
from longshore.traffic.errors import InvalidRouteError
from longshore.traffic.routes import cluster_name, routes
from longshore.traffic.upstreams import check_upstream

_NAME: Final = TypeAdapter(Name)
_VERSION: Final = TypeAdapter(Version)


@dataclass(frozen=True)
class Resources:
    """What gateways are told of one deployment."""

    clusters: Mapping[str, Any] = field(default_factory=dict)
    """Name → `Cluster`, one a version."""
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    """Name → `ClusterLoadAssignment`, one a cluster of copies; that of a service has its address in itself."""
    routes: tuple[Any, ...] = ()
    """`envoy.config.route.v3.Route`, in order."""


def check_route(route: Route) -> None:
    """Refuse a route that would freeze the gateways or lose requests.

    Raises:
        InvalidRouteError: with one line that names the deployment.
    """
    try:
        _NAME.validate_python(route.deployment)
        for version in (*route.weights, *route.standby):
            _VERSION.validate_python(version)
    except ValidationError as error:
        raise InvalidRouteError(f"route of {route.deployment!r}: {error.errors()[0]['msg']}") from None
    if any(weight <= 0 for weight in route.weights.values()):
        raise InvalidRouteError(f"route of {route.deployment}: a version of weight 0 is left out, none is below it")
    if route.weights and sum(route.weights.values()) != 100:
        raise InvalidRouteError(
            f"route of {route.deployment}: weights add up to {sum(route.weights.values())}, not to 100"
        )


def resources(route: Route, copies: Iterable[Copy], upstreams: Iterable[Upstream] = ()) -> Resources:
    """What gateways are told of a deployment, given the copies and upstreams that are its own.

    Raises:
        InvalidRouteError: the route, an upstream, or the address of a copy that serves, is not one for gateways.
    """
    check_route(route)
    versions = sorted({*route.weights, *route.standby})
    serving = [copy for copy in copies if copy.address and copy.state in {CopyState.READY, CopyState.DRAINING}]
    behind = {one.version: one for one in upstreams if one.version in versions}
    for upstream in behind.values():
        check_upstream(upstream)
    _check_shared(route, behind)
    names = {version: cluster_name(route.deployment, version) for version in versions}
    return Resources(
        clusters={
            name: cluster_of_service(name, behind[version]) if version in behind else cluster_of_copies(name)
            for version, name in names.items()
        },
        endpoints={
            name: _endpoints(name, [copy for copy in serving if copy.version == version])
            for version, name in names.items()
            if version not in behind
        },
        routes=routes(route, versions, behind),
    )


def _check_shared(route: Route, behind: Mapping[str, Upstream]) -> None:
    """Requests shared by weight have one path, whoever gets them."""
    paths = {behind[version].path if version in behind else None for version in route.weights}
    if len(paths) > 1:
        said = ", ".join(str(path or "the request's own") for path in sorted(paths, key=str))
        raise InvalidRouteError(
            f"route of {route.deployment}: its versions cannot share requests, each is asked at another path: {said}"
        )


def _endpoints(name: str, copies: list[Copy]) -> Any:
    """The copies of a version that serve or finish their requests; in a fixed order, so that equal is equal."""
    hosts = [
        {
            "endpoint": {"address": _endpoint_address(copy)},
            "health_status": "HEALTHY" if copy.state is CopyState.READY else "DRAINING",
        }
        for copy in sorted(copies, key=lambda copy: (copy.address or "", copy.id))
    ]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}] if hosts else []}
    return json_format.ParseDict(assignment, ClusterLoadAssignment())


def _endpoint_address(copy: Copy) -> dict[str, Any]:
    try:
        host, _ = split_address(copy.address or "")
    except ValueError as error:
        raise InvalidRouteError(f"copy {copy.id} of {copy.deployment}: {error}") from None
    if not is_ip(host):
        raise InvalidRouteError(f"copy {copy.id} of {copy.deployment}: {copy.address} is not an IP address")
    return socket_address(copy.address or "")
