"""`host:port` as Envoy's address messages, both ways."""

from ipaddress import ip_address
from typing import Any


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 host is written in brackets. Port 0 is any that is free, where one binds.

    Raises:
        ValueError: it is not `host:port`.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not an address: write host:port, as in 127.0.0.1:8471")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_ip(host: str) -> bool:
    """Whether a host is an IP address and no name to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def socket_address(address: str) -> dict[str, Any]:
    """`host:port` as an `envoy.config.core.v3.Address`."""
    host, port = split_address(address)
    return {"socket_address": {"address": host, "port_value": port}}


def joined(host: str, port: int) -> str:
    """Host and port as `host:port`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
