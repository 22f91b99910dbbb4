"""The routes of a deployment as Envoy has them, and what Longshore answers itself.

What a client sees: `/v1/models/<deployment>/<path>` reaches a copy as `/<path>`. So an Open Inference client is
given `…/v1/models/digits` as its server (the copy sees `/v2/models/digits/infer`), and an OpenAI client
`…/v1/models/digits/v1` as its base URL (the copy sees `/v1/chat/completions`). A request with the header
`x-longshore-version: 2` goes to version 2, whatever its weight, or gets a 404; every answer has the same header. What
Longshore answers itself has `x-longshore-reason`.

A version on SageMaker is asked at SageMaker's own two paths, for it has no others: any POST becomes `/invocations`, and
one whose path ends in `/invocations-response-stream` becomes that. Another method is a 405. Retries are those of any
version: of requests that were never heard. What SageMaker answers, a 429 among it, is the client's to see, which alone
knows how long it can wait; its clients do. SageMaker ends a request after 60 s and a stream after 8 min, we no sooner.
"""

from collections.abc import Mapping
from typing import Any, Final

from envoy.config.route.v3.route_components_pb2 import Route as EnvoyRoute
from envoy.config.route.v3.route_pb2 import RouteConfiguration

# ParseDict finds the types of nested messages only once their modules are imported.
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2 as _previous_hosts  # noqa: F401
from google.protobuf import json_format

from longshore.planning.observed import Upstream
from longshore.planning.route import Route

ROUTES_NAME: Final = "longshore"
VERSION_HEADER: Final = "x-longshore-version"
REASON_HEADER: Final = "x-longshore-reason"

METHOD_NOT_ALLOWED: Final = "MethodNotAllowed"
NO_READY_COPIES: Final = "NoReadyCopies"
NOT_SERVING: Final = "NotServing"
UNKNOWN_DEPLOYMENT: Final = "UnknownDeployment"
UNKNOWN_VERSION: Final = "UnknownVersion"

INVOCATIONS: Final = "/invocations"
STREAM: Final = "/invocations-response-stream"

BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Largest request body that can be sent again. Envoy's own 1 MiB would answer 413 to an image in JSON."""
SILENCE_S: Final = 900
"""A request may stay without a byte in either direction this long: a long generation that does not stream."""
RETRIES: Final = 3
RETRY_FIRST_S: Final = 0.01
RETRY_MOST_S: Final = 0.25


def cluster_name(deployment: str, version: str) -> str:
    """Name of a version's cluster: `digits/1.2.0`.

    Its counters are `cluster.digits/1.2.0.upstream_rq_…`. A version's dots stay: names are compared whole, and the
    metrics that are read have no dot, so that no version can be taken for part of another's metric.
    """
    return f"{deployment}/{version}"


def routes(route: Route, versions: list[str], upstreams: Mapping[str, Upstream]) -> tuple[Any, ...]:
    """A deployment's routes in the order Envoy tries them, as `envoy.config.route.v3.Route`.

    Args:
        route: The deployment's weights.
        versions: All that can be asked for by header.
        upstreams: Version → where it is asked, of those behind a service.
    """
    return tuple(json_format.ParseDict(one, EnvoyRoute()) for one in _routes(route, versions, upstreams))


def route_configuration(deployments: Mapping[str, tuple[Any, ...]]) -> Any:
    """The one `RouteConfiguration` of all deployments' routes; what none of them takes is a 404."""
    configuration = json_format.ParseDict(
        {
            "name": ROUTES_NAME,
            "virtual_hosts": [
                {"name": ROUTES_NAME, "domains": ["*"], "request_body_buffer_limit": str(BODY_LIMIT_BYTES)}
            ],
        },
        RouteConfiguration(),
    )
    taken = configuration.virtual_hosts[0].routes
    for name in sorted(deployments):
        taken.extend(deployments[name])
    taken.append(_UNKNOWN_DEPLOYMENT)
    return configuration


def _routes(route: Route, versions: list[str], upstreams: Mapping[str, Upstream]) -> list[dict[str, Any]]:
    """In the order Envoy tries them: a version asked for, one that is not there, then by weight."""
    return [
        *(one for version in versions for one in _to_version(route, version, upstreams.get(version))),
        _answer(
            _match(route.deployment, [{"name": VERSION_HEADER, "present_match": True}]),
            404,
            UNKNOWN_VERSION,
            f"{route.deployment} does not run that version; `longshore get deployment {route.deployment}` shows which",
        ),
        *(
            _by_weight(route, upstreams)
            if route.weights
            else [
                _answer(
                    _match(route.deployment),
                    503,
                    NOT_SERVING,
                    f"no version of {route.deployment} has traffic; "
                    f"`longshore get deployment {route.deployment}` says why",
                )
            ]
        ),
    ]


def _to_version(route: Route, version: str, upstream: Upstream | None) -> list[dict[str, Any]]:
    asked = [{"name": VERSION_HEADER, "string_match": {"exact": version}}]
    to = {"cluster": cluster_name(route.deployment, version), **_host(upstream)}
    said = {"response_headers_to_add": [header(VERSION_HEADER, version)]}
    return [{**said, **one} for one in _passed_on(route, asked, to, upstream)]


def _by_weight(route: Route, upstreams: Mapping[str, Upstream]) -> list[dict[str, Any]]:
    shares = [
        {
            "name": cluster_name(route.deployment, version),
            "weight": weight,
            "response_headers_to_add": [header(VERSION_HEADER, version)],
            **_host(upstreams.get(version)),
        }
        for version, weight in sorted(route.weights.items())
    ]
    anyone = upstreams.get(min(route.weights))  # all have one path
    return _passed_on(route, [], {"weighted_clusters": {"clusters": shares}}, anyone)


def _passed_on(
    route: Route, headers: list[dict[str, Any]], to: dict[str, Any], upstream: Upstream | None
) -> list[dict[str, Any]]:
    """How requests with these headers are passed on: as they are, or at the two paths of a service."""
    if upstream is None:
        rest = _rewritten(f"^/v1/models/{route.deployment}/?(.*)$", r"/\1")
        return [{"match": _match(route.deployment, headers), "route": {**to, **rest, **_action(route)}}]
    posted = [*headers, {"name": ":method", "string_match": {"exact": "POST"}}]
    streamed = {"safe_regex": {"regex": f"/v1/models/{route.deployment}(/.*)?{STREAM}"}, "headers": posted}
    ways = ((streamed, STREAM), (_match(route.deployment, posted), INVOCATIONS))
    refused = _answer(
        _match(route.deployment, headers),
        405,
        METHOD_NOT_ALLOWED,
        f"{route.deployment} is on SageMaker, where a model can be asked by POST alone",
    )
    refused["response_headers_to_add"].append(header("allow", "POST"))
    return [
        *(
            {"match": match, "route": {**to, **_rewritten("^.*$", f"{upstream.path}{path}"), **_action(route)}}
            for match, path in ways
        ),
        refused,
    ]


def _host(upstream: Upstream | None) -> dict[str, Any]:
    """It is in the signature, so it must be right before a cluster's own filters see the request."""
    return {"host_rewrite_literal": upstream.host} if upstream else {}


def _rewritten(pattern: str, substitution: str) -> dict[str, Any]:
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": substitution}}


def _match(deployment: str, headers: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"path_separated_prefix": f"/v1/models/{deployment}", "headers": headers or []}


def _action(route: Route) -> dict[str, Any]:
    """How requests are passed on. No whole-request timeout: a stream may last as long as it says something."""
    again_after_reset = "reset" if route.idempotent else "reset-before-request"
    return {
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
        "response_headers_to_add": [header(REASON_HEADER, reason)],
    }


def header(key: str, value: str) -> dict[str, Any]:
    """A header that an answer gets, in the place of one of that name."""
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


_UNKNOWN_DEPLOYMENT: Final = json_format.ParseDict(
    _answer(
        {"prefix": "/"},
        404,
        UNKNOWN_DEPLOYMENT,
        "no deployment serves this path; `longshore get deployments` lists them",
    ),
    EnvoyRoute(),
)
