"""Routes and copies as Envoy resources. Pure: the same snapshot gives the same resources.

What a client sees: `/v1/models/<deployment>/<path>` reaches a copy as `/<path>`. So an Open Inference client is
given `…/v1/models/digits` as its server (the copy sees `/v2/models/digits/infer`), and an OpenAI client
`…/v1/models/digits/v1` as its base URL (the copy sees `/v1/chat/completions`). A request with the header
`x-longshore-version: 2` goes to version 2, whatever its weight, or gets a 404; every answer has the same header. What
Longshore answers itself has `x-longshore-reason`.

Routes depend on the published routes alone and endpoints on the copies alone, so a lost copy never touches a route
and a shift never touches an endpoint; a cluster depends on its name alone, so it never changes and its counters last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route as EnvoyRoute
from envoy.config.route.v3.route_pb2 import RouteConfiguration

# ParseDict finds the types of nested messages only once their modules are imported.
from envoy.extensions.access_loggers.stats.v3 import stats_pb2 as _stats  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (  # noqa: F401
    http_connection_manager_pb2 as _hcm,
)
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2 as _previous_hosts  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _http  # noqa: F401
from google.protobuf import json_format
from pydantic import TypeAdapter, ValidationError

from longshore.planning.observed import Copy, CopyState
from longshore.planning.route import Route
from longshore.spec.quantities import Name, Version
from longshore.traffic.addresses import is_ip, socket_address, split_address

ROUTES_NAME: Final = "longshore"
LISTENER_NAME: Final = "longshore"
VERSION_HEADER: Final = "x-longshore-version"
REASON_HEADER: Final = "x-longshore-reason"

NO_READY_COPIES: Final = "NoReadyCopies"
NOT_SERVING: Final = "NotServing"
UNKNOWN_DEPLOYMENT: Final = "UnknownDeployment"
UNKNOWN_VERSION: Final = "UnknownVersion"

_CUT_PREFIX: Final = "longshore_cut_answers"
CUT_ANSWERS: Final = f"{_CUT_PREFIX}.total.cluster."
"""Name of the counters of answers that broke off after they had begun; the cluster's follows."""

BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Largest request body that can be sent again. Envoy's own 1 MiB would answer 413 to an image in JSON."""
SILENCE_S: Final = 900
"""A request may stay without a byte in either direction this long: a long generation that does not stream."""
CONNECT_TIMEOUT_S: Final = 2
UPSTREAM_IDLE_S: Final = 3
"""Unused connections are closed before servers do: uvicorn closes them after 5 s, and a request that meets such a
closing cannot be sent again unless it is idempotent."""
RETRIES: Final = 3
RETRY_FIRST_S: Final = 0.01
RETRY_MOST_S: Final = 0.25
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


def cluster_name(deployment: str, version: str) -> str:
    """Name of a version's cluster: `digits/1.2.0`.

    Its counters are `cluster.digits/1.2.0.upstream_rq_…`. A version's dots stay: names are compared whole, and the
    metrics that are read have no dot, so that no version can be taken for part of another's metric.
    """
    return f"{deployment}/{version}"


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
        routes=tuple(_parsed(one, EnvoyRoute()) for one in _routes(route, versions)),
    )


def route_configuration(deployments: Mapping[str, tuple[Any, ...]]) -> Any:
    """The one `RouteConfiguration` of all deployments' routes; what none of them takes is a 404."""
    configuration = _parsed(
        {
            "name": ROUTES_NAME,
            "virtual_hosts": [
                {"name": ROUTES_NAME, "domains": ["*"], "request_body_buffer_limit": str(BODY_LIMIT_BYTES)}
            ],
        },
        RouteConfiguration(),
    )
    routes = configuration.virtual_hosts[0].routes
    for name in sorted(deployments):
        routes.extend(deployments[name])
    routes.append(_UNKNOWN_DEPLOYMENT)
    return configuration


def listener(listen: str) -> Any:
    """The listener that takes requests to models at `host:port`.

    Raises:
        ValueError: it is not `host:port`.
    """
    return _parsed(
        {
            "name": LISTENER_NAME,
            "address": socket_address(listen),
            # Otherwise a second Envoy could share the port unnoticed, and half the requests would be its.
            "enable_reuse_port": False,
            "filter_chains": [{"filters": [_connection_manager()]}],
        },
        Listener(),
    )


def _connection_manager() -> dict[str, Any]:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": "longshore",
            "rds": {
                "route_config_name": ROUTES_NAME,
                "config_source": {"ads": {}, "resource_api_version": "V3"},
            },
            "use_remote_address": True,
            "normalize_path": True,
            "stream_idle_timeout": f"{SILENCE_S}s",
            "access_log": [_count_cut_answers()],
            "local_reply_config": {
                "mappers": [
                    {
                        "filter": {"response_flag_filter": {"flags": ["UH"]}},
                        "headers_to_add": [_header(REASON_HEADER, NO_READY_COPIES)],
                    }
                ]
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
        },
    }


def _count_cut_answers() -> dict[str, Any]:
    """Counts answers that broke off after they had begun, by cluster: Envoy's own counters take them for good ones."""
    begun = {"op": "LE", "value": {"default_value": 499, "runtime_key": "longshore.cut_answers_status"}}
    cluster = {"name": "cluster", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
    return {
        "name": "envoy.access_loggers.stats",
        "filter": {
            "and_filter": {
                "filters": [
                    {"response_flag_filter": {"flags": ["UC", "UR", "UPE", "UT"]}},
                    {"status_code_filter": {"comparison": begun}},
                ]
            }
        },
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
            "stat_prefix": _CUT_PREFIX,
            "counters": [{"stat": {"name": "total", "tags": [cluster]}, "value_fixed": "1"}],
        },
    }


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


def _routes(route: Route, versions: list[str]) -> list[dict[str, Any]]:
    """In the order Envoy tries them: a version asked for, one that is not there, then by weight."""
    return [
        *(_to_version(route, version) for version in versions),
        _answer(
            _match(route.deployment, headers=[{"name": VERSION_HEADER, "present_match": True}]),
            404,
            UNKNOWN_VERSION,
            f"{route.deployment} does not run that version; `longshore get deployment {route.deployment}` shows which",
        ),
        _by_weight(route)
        if route.weights
        else _answer(
            _match(route.deployment),
            503,
            NOT_SERVING,
            f"no version of {route.deployment} has traffic; `longshore get deployment {route.deployment}` says why",
        ),
    ]


def _to_version(route: Route, version: str) -> dict[str, Any]:
    asked = [{"name": VERSION_HEADER, "string_match": {"exact": version}}]
    return {
        "match": _match(route.deployment, headers=asked),
        "route": {"cluster": cluster_name(route.deployment, version), **_action(route)},
        "response_headers_to_add": [_header(VERSION_HEADER, version)],
    }


def _by_weight(route: Route) -> dict[str, Any]:
    return {
        "match": _match(route.deployment),
        "route": {
            "weighted_clusters": {
                "clusters": [
                    {
                        "name": cluster_name(route.deployment, version),
                        "weight": weight,
                        "response_headers_to_add": [_header(VERSION_HEADER, version)],
                    }
                    for version, weight in sorted(route.weights.items())
                ]
            },
            **_action(route),
        },
    }


def _match(deployment: str, headers: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"path_separated_prefix": f"/v1/models/{deployment}", "headers": headers or []}


def _action(route: Route) -> dict[str, Any]:
    """How requests are passed on. No whole-request timeout: a stream may last as long as it says something."""
    again_after_reset = "reset" if route.idempotent else "reset-before-request"
    return {
        "regex_rewrite": {
            "pattern": {"regex": f"^/v1/models/{route.deployment}/?(.*)$"},
            "substitution": r"/\1",
        },
        "timeout": "0s",
        "idle_timeout": f"{SILENCE_S}s",
        "retry_policy": {
            "retry_on": f"connect-failure,refused-stream,{again_after_reset}",
            "num_retries": RETRIES,
            "retry_back_off": {"base_interval": f"{RETRY_FIRST_S}s", "max_interval": f"{RETRY_MOST_S}s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3"
                        ".PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": "5",
        },
    }


def _answer(match: dict[str, Any], status: int, reason: str, sentence: str) -> dict[str, Any]:
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": f"{sentence}\n"}},
        "response_headers_to_add": [_header(REASON_HEADER, reason)],
    }


def _header(key: str, value: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _parsed(content: dict[str, Any], message: Any) -> Any:
    return json_format.ParseDict(content, message)


_UNKNOWN_DEPLOYMENT: Final = _parsed(
    _answer(
        {"prefix": "/"},
        404,
        UNKNOWN_DEPLOYMENT,
        "no deployment serves this path; `longshore get deployments` lists them",
    ),
    EnvoyRoute(),
)
