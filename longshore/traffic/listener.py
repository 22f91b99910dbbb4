"""The one listener of a gateway: where requests to models come in."""

from typing import Any, Final

from envoy.config.listener.v3.listener_pb2 import Listener

# ParseDict finds the types of nested messages only once their modules are imported.
from envoy.extensions.access_loggers.stats.v3 import stats_pb2 as _stats  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (  # noqa: F401
    http_connection_manager_pb2 as _hcm,
)
from google.protobuf import json_format

from longshore.traffic.addresses import socket_address
from longshore.traffic.routes import NO_READY_COPIES, REASON_HEADER, ROUTES_NAME, SILENCE_S, header

LISTENER_NAME: Final = "longshore"

_CUT_PREFIX: Final = "longshore_cut_answers"
CUT_ANSWERS: Final = f"{_CUT_PREFIX}.total.cluster."
"""Name of the counters of answers that broke off after they had begun; the cluster's follows."""
_UNSIGNED_PREFIX: Final = "longshore_unsigned_requests"
UNSIGNED_REQUESTS: Final = f"{_UNSIGNED_PREFIX}.total.cluster."
"""Name of the counters of requests that were to be signed for AWS and were not; the cluster's follows."""


def listener(listen: str) -> Any:
    """The listener that takes requests to models at `host:port`.

    Raises:
        ValueError: it is not `host:port`.
    """
    return json_format.ParseDict(
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
            "access_log": [_count_cut_answers(), _count_unsigned_requests()],
            "local_reply_config": {
                "mappers": [
                    {
                        "filter": {"response_flag_filter": {"flags": ["UH"]}},
                        "headers_to_add": [header(REASON_HEADER, NO_READY_COPIES)],
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
    return _counter(
        _CUT_PREFIX,
        {"response_flag_filter": {"flags": ["UC", "UR", "UPE", "UT"]}},
        {"status_code_filter": {"comparison": begun}},
    )


def _count_unsigned_requests() -> dict[str, Any]:
    """Counts requests that left without a signature, by cluster.

    Without credentials Envoy's signing adds the digest of the body and nothing else, and counts that as signed.
    """
    return _counter(
        _UNSIGNED_PREFIX,
        {"header_filter": {"header": {"name": "x-amz-content-sha256", "present_match": True}}},
        {"header_filter": {"header": {"name": "authorization", "present_match": True, "invert_match": True}}},
    )


def _counter(prefix: str, *filters: dict[str, Any]) -> dict[str, Any]:
    """Counts the requests that pass all filters, by cluster."""
    cluster = {"name": "cluster", "value_format": "%UPSTREAM_CLUSTER_RAW%"}
    return {
        "name": "envoy.access_loggers.stats",
        "filter": {"and_filter": {"filters": list(filters)}},
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config",
            "stat_prefix": prefix,
            "counters": [{"stat": {"name": "total", "tags": [cluster]}, "value_fixed": "1"}],
        },
    }
