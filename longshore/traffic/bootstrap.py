"""What an Envoy is started with. Everything else it learns from the aggregated discovery service."""

from dataclasses import dataclass
from typing import Any, Final

from longshore.traffic.addresses import is_ip, socket_address, split_address

DISCOVERY_CLUSTER: Final = "longshore-discovery"
ADMIN_KEY: Final = "longshore_admin"
"""Key of the node's metadata that tells where its admin interface can be reached."""
LISTEN_KEY: Final = "longshore_listen"
"""Key of the node's metadata that tells where it shall take requests."""

CREDENTIALS_KEY: Final = "longshore_credentials"
"""Key of the node's metadata that tells where its credentials for AWS are from, for people."""
ROOTS: Final = "longshore-roots"
"""Name of the authorities whose certificates the gateway trusts: where they lie is for its own machine to say."""

FLUSH_INTERVAL_S: Final = 0.5
"""How often Envoy merges its threads' histograms: a scrape lacks at most this much of the latest latencies."""

RECONNECT_FIRST_S: Final = 0.2
RECONNECT_MOST_S: Final = 2
"""Envoy's default of up to 30 s would leave routes stale for that long after the discovery service was away."""

KEEPALIVE_S: Final = 10
"""A discovery service that hangs without closing its connection is noticed within twice this."""


def _geometric(first: float, last: float, factor: float) -> list[float]:
    bounds = [first]
    while bounds[-1] * factor < last * 0.999:
        bounds.append(bounds[-1] * factor)
    return [float(f"{bound:.4g}") for bound in bounds]


LATENCY_BOUNDS_MS: Final = [
    *_geometric(0.5, 10, 1.6),
    *_geometric(10, 10_000, 1.1),
    *_geometric(10_000, 3_600_000, 1.6),
    3_600_000.0,
]
"""Ends of the latency histogram's buckets: 10% apart from 10 ms to 10 s, where latencies are promised, coarse
elsewhere. The last is beyond any request, so that the last count is that of all requests."""


@dataclass(frozen=True)
class Machine:
    """What an Envoy's machine has for it."""

    admin: str | None = None
    """Where workers find its admin interface, when that is not where it binds: `host:port`."""
    roots: str | None = None
    """File of the authorities that it trusts, in PEM. None: no service is reached by TLS."""
    credentials: str | None = None
    """Where its credentials for AWS are from, in words: never themselves. None: nowhere that could be seen."""


def bootstrap(
    *,
    node_id: str,
    listen: str,
    admin: str,
    discovery: str,
    machine: Machine | None = None,
) -> dict[str, Any]:
    """The bootstrap configuration of one gateway, for `envoy -c FILE` as JSON. Addresses are `host:port`.

    Args:
        node_id: Name of this Envoy; no two may share one, for each one's acks are counted under it.
        listen: Where it takes requests to models.
        admin: Where it binds its admin interface, which has no authentication: loopback, or a private network.
        discovery: Where the discovery service listens; a name is looked up by DNS.
        machine: What else is to be known of its machine.

    Raises:
        ValueError: an address is not `host:port`.
    """
    split_address(listen)
    machine = machine or Machine()
    return {
        "node": {
            "id": node_id,
            "cluster": "longshore",
            "metadata": {
                ADMIN_KEY: machine.admin or admin,
                LISTEN_KEY: listen,
                CREDENTIALS_KEY: machine.credentials or "",
            },
        },
        "admin": {"address": socket_address(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": DISCOVERY_CLUSTER,
                            "retry_policy": {
                                "retry_back_off": {
                                    "base_interval": f"{RECONNECT_FIRST_S}s",
                                    "max_interval": f"{RECONNECT_MOST_S}s",
                                }
                            },
                        }
                    }
                ],
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [_discovery_cluster(discovery)],
            "secrets": _roots(machine.roots) if machine.roots else [],
        },
        "stats_flush_interval": f"{FLUSH_INTERVAL_S}s",
        "stats_config": {
            "histogram_bucket_settings": [{"match": {"suffix": "upstream_rq_time"}, "buckets": LATENCY_BOUNDS_MS}]
        },
    }


def _roots(file: str) -> list[dict[str, Any]]:
    return [{"name": ROOTS, "validation_context": {"trusted_ca": {"filename": file}}}]


def _discovery_cluster(address: str) -> dict[str, Any]:
    host, _ = split_address(address)
    return {
        "name": DISCOVERY_CLUSTER,
        "type": "STATIC" if is_ip(host) else "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": DISCOVERY_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {
                        "connection_keepalive": {"interval": f"{KEEPALIVE_S}s", "timeout": f"{KEEPALIVE_S}s"}
                    }
                },
            }
        },
    }
