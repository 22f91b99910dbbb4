"""Routes and copies as Envoy resources. Pure: the same snapshot gives the same resources.

Routes depend on the published routes alone and endpoints on the copies alone, so a lost copy never touches a route
and a shift never touches an endpoint; a cluster depends on its name alone, so it never changes and its counters last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment

# ParseDict finds the types of nested messages only once their modules are imported.
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _http  # noqa: F401
from google.protobuf import json_format
from pydantic import TypeAdapter, ValidationError

from longshore.planning.observed import Copy, CopyState
from longshore.planning.route import Route
from longshore.spec.quantities import Name, Version
from longshore.traffic.addresses import is_ip, socket_address, split_address
from longshore.traffic.routes import cluster_name, routes

CONNECT_TIMEOUT_S: Final = 2
UPSTREAM_IDLE_S: Final = 3
"""Unused connections are closed before servers do: uvicorn closes them after 5 s, and a request that meets such a
closing cannot be sent again unless it is idempotent."""
RAISED: Final = 1_000_000
"""Circuit breakers out of the way: the default of 3 concurrent retries lost 173 requests of one killed copy."""
RETRY_BUDGET: Final = {"budget_percent": {"value": 50}, "min_retry_concurrency": 256}
"""A dying copy's requests are all sent again; a version that is down as a whole is not asked without end."""

_NAME: Final = TypeAdapter(Name)
_VERSION: Final = TypeAdapter(Version)


class InvalidRouteError(ValueError):
    """A route that no gateway shall be told: it would be refused, or lose requests."""


@dataclass(frozen=True)
class Resources:
    """What gateways are told of one deployment."""

    clusters: Mapping[str, Any] = field(default_factory=dict)
    """Name → `Cluster`, one a version."""
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    """Name → `ClusterLoadAssignment`, one a cluster."""
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


def resources(route: Route, copies: Iterable[Copy]) -> Resources:
    """What gateways are told of a deployment, given the copies that are its own.

    Raises:
        InvalidRouteError: the route, or the address of a copy that serves, is not one for gateways.
    """
    check_route(route)
    versions = sorted({*route.weights, *route.standby})
    serving = [copy for copy in copies if copy.address and copy.state in {CopyState.READY, CopyState.DRAINING}]
    return Resources(
        clusters={cluster_name(route.deployment, version): _cluster(route.deployment, version) for version in versions},
        endpoints={
            cluster_name(route.deployment, version): _endpoints(
                route.deployment, version, [copy for copy in serving if copy.version == version]
            )
            for version in versions
        },
        routes=routes(route, versions),
    )


def _cluster(deployment: str, version: str) -> Any:
    """One version's cluster. Nothing here but its name may depend on the deployment: see the module."""
    return _parsed(
        {
            "name": cluster_name(deployment, version),
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}},
            "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
            "lb_policy": "LEAST_REQUEST",
            # An acked endpoint is in force: the default would gather changes for a second after the ack.
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
            "ignore_health_on_host_removal": True,
            "circuit_breakers": {
                "thresholds": [
                    {
                        "max_connections": RAISED,
                        "max_pending_requests": RAISED,
                        "max_requests": RAISED,
                        "max_retries": RAISED,
                        "retry_budget": RETRY_BUDGET,
                    }
                ]
            },
            # Only connections that fail or break eject a copy. A 5xx is the version's own answer: it is for the
            # checks to judge, and ejecting for it would hide it.
            "outlier_detection": {
                "split_external_local_origin_errors": True,
                "consecutive_local_origin_failure": 2,
                "enforcing_consecutive_local_origin_failure": 100,
                "enforcing_consecutive_5xx": 0,
                "enforcing_consecutive_gateway_failure": 0,
                "enforcing_success_rate": 0,
                "enforcing_local_origin_success_rate": 0,
                "interval": "1s",
                "base_ejection_time": "2s",
                "max_ejection_time": "10s",
                "max_ejection_percent": 50,
            },
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "common_http_protocol_options": {"idle_timeout": f"{UPSTREAM_IDLE_S}s"},
                    "explicit_http_config": {"http_protocol_options": {}},
                }
            },
        },
        Cluster(),
    )


def _endpoints(deployment: str, version: str, copies: list[Copy]) -> Any:
    """The copies of a version that serve or finish their requests; in a fixed order, so that equal is equal."""
    name = cluster_name(deployment, version)
    hosts = [
        {
            "endpoint": {"address": _endpoint_address(copy)},
            "health_status": "HEALTHY" if copy.state is CopyState.READY else "DRAINING",
        }
        for copy in sorted(copies, key=lambda copy: (copy.address or "", copy.id))
    ]
    return _parsed(
        {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}] if hosts else []}, ClusterLoadAssignment()
    )


def _endpoint_address(copy: Copy) -> dict[str, Any]:
    try:
        host, _ = split_address(copy.address or "")
    except ValueError as error:
        raise InvalidRouteError(f"copy {copy.id} of {copy.deployment}: {error}") from None
    if not is_ip(host):
        raise InvalidRouteError(f"copy {copy.id} of {copy.deployment}: {copy.address} is not an IP address")
    return socket_address(copy.address or "")


def _parsed(content: dict[str, Any], message: Any) -> Any:
    return json_format.ParseDict(content, message)
