"""Versions as Envoy clusters: of copies with addresses of their own, or of one service before them all. Pure.

A cluster depends on its name and its upstream alone, and neither changes while a version is there: so it stays as it
is, and its counters last.
"""

from typing import Any, Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster

# ParseDict finds the types of nested messages only once their modules are imported.
from envoy.extensions.filters.http.aws_request_signing.v3 import aws_request_signing_pb2 as _signing  # noqa: F401
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2 as _mutation  # noqa: F401
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2 as _codec  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2 as _tls_socket  # noqa: F401
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as _http  # noqa: F401
from google.protobuf import json_format

from longshore.planning.observed import Upstream
from longshore.traffic.addresses import is_ip, socket_address, split_address
from longshore.traffic.bootstrap import ROOTS

CONNECT_TIMEOUT_S: Final = 2
COPY_IDLE_S: Final = 3
"""Unused connections are closed before servers do: uvicorn closes them after 5 s, and a request that meets such a
closing cannot be sent again unless it is idempotent."""
SERVICE_IDLE_S: Final = 20
"""Of a service that others run: their load balancers close after a minute, and a handshake costs two ways across."""
RAISED: Final = 1_000_000
"""Circuit breakers out of the way: the default of 3 concurrent retries lost 173 requests of one killed copy."""
RETRY_BUDGET: Final = {"budget_percent": {"value": 50}, "min_retry_concurrency": 256}
"""A dying copy's requests are all sent again; a version that is down as a whole is not asked without end."""

UNSIGNED: Final = (
    {"prefix": "x-envoy"},
    {"prefix": "x-forwarded"},
    {"exact": "x-request-id"},
    {"exact": "user-agent"},
    {"exact": "accept-encoding"},
)
"""Headers left out of the signature: Envoy itself, or a proxy on the way, may change them after the signing."""
ROLE_SESSION: Final = "longshore"

_TYPE: Final = "type.googleapis.com/envoy.extensions"


def cluster_of_copies(name: str) -> Any:
    """The cluster of a version whose copies have addresses; its endpoints are told apart from it."""
    return _parsed(
        {
            **_common(name, COPY_IDLE_S),
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}},
            "lb_policy": "LEAST_REQUEST",
            # An acked endpoint is in force: the default would gather changes for a second after the ack.
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
            "ignore_health_on_host_removal": True,
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
        }
    )


def cluster_of_service(name: str, upstream: Upstream) -> Any:
    """The cluster of a version behind a service, its requests marked and signed on their way out.

    A name is looked up again as its time to live says, and each new connection goes to the address found first: the
    addresses of a large service change all the time, and none is ejected, for there is no other to go to.

    Args:
        name: The cluster's.
        upstream: Where it is; one that `upstreams.check_upstream` passed.
    """
    host, _ = split_address(upstream.address)
    found = (
        {"type": "STATIC"}
        if is_ip(host)
        # An address of version 6 that cannot be reached from here must not come first.
        else {"type": "LOGICAL_DNS", "dns_lookup_family": "V4_PREFERRED", "respect_dns_ttl": True}
    )
    endpoint = {"endpoint": {"address": socket_address(upstream.address)}}
    return _parsed(
        {
            **_common(name, SERVICE_IDLE_S, _filters(upstream)),
            **found,
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            **({"transport_socket": _tls(upstream.host)} if upstream.tls else {}),
        }
    )


def _common(name: str, idle: int, filters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": f"{idle}s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    if filters:
        options["http_filters"] = filters
    return {
        "name": name,
        "connect_timeout": f"{CONNECT_TIMEOUT_S}s",
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
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }


def _filters(upstream: Upstream) -> list[dict[str, Any]]:
    """What is done to each request once its path and host are those of the service, and again to each retry."""
    # Whose signature a request came with is nothing to the service: it would take it for its own.
    cleaned = [{"remove": "authorization"}, {"remove_on_match": {"key_matcher": {"prefix": "x-amz-"}}}]
    marked = [
        {
            "append": {
                # In a value, Envoy takes what follows a percent sign for a command.
                "header": {"key": key, "value": value.replace("%", "%%")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        }
        for key, value in sorted(upstream.headers.items())
    ]
    mutations = [*(cleaned if upstream.signed_for else ()), *marked]
    filters = [_filter("header_mutation", mutations={"request_mutations": mutations})] if mutations else []
    if upstream.signed_for:
        filters.append(_filter("aws_request_signing", **_signature(upstream.signed_for, upstream.role)))
    return [*filters, _filter("upstream_codec")]


def _filter(kind: str, **content: Any) -> dict[str, Any]:
    """A filter of HTTP by its name in Envoy, whose message is called alike."""
    message = kind.title().replace("_", "")
    told = {"@type": f"{_TYPE}.filters.http.{kind}.v3.{message}", **content}
    return {"name": f"envoy.filters.http.{kind}", "typed_config": told}


def _signature(signed_for: str, role: str | None) -> dict[str, Any]:
    """Signed with the gateway's own credentials: no secret is ever in what gateways are told."""
    service, _, region = signed_for.partition("/")
    signed: dict[str, Any] = {
        "service_name": service,
        "region": region,
        "match_excluded_headers": list(UNSIGNED),
    }
    if role:
        signed["credential_provider"] = {
            # Without this, Envoy takes its default chain and leaves the role out, without a word.
            "custom_credential_provider_chain": True,
            "assume_role_credential_provider": {"role_arn": role, "role_session_name": ROLE_SESSION},
        }
    return signed


def _tls(host: str) -> dict[str, Any]:
    """TLS to the service of that name, and to nobody else."""
    name = bare(host)
    san = {"san_type": "IP_ADDRESS" if is_ip(name) else "DNS", "matcher": {"exact": name}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "" if is_ip(name) else name,
            "common_tls_context": {
                "combined_validation_context": {
                    "default_validation_context": {"match_typed_subject_alt_names": [san]},
                    "validation_context_sds_secret_config": {"name": ROOTS},
                }
            },
        },
    }


def bare(host: str) -> str:
    """The host of a Host header, without its port."""
    try:
        return split_address(host)[0]
    except ValueError:
        return host


def _parsed(content: dict[str, Any]) -> Any:
    return json_format.ParseDict(content, Cluster())
