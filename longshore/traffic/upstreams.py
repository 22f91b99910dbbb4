"""Which upstreams gateways can be told of. Pure: one that Envoy would refuse, or read otherwise, is refused here."""

import re
from collections.abc import Callable
from typing import Final

from longshore.planning.observed import Upstream
from longshore.traffic.addresses import split_address
from longshore.traffic.errors import InvalidRouteError

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_SIGNED_FOR: Final = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_ROLE: Final = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_OURS: Final = frozenset({"host", "authorization", "connection", "content-length", "transfer-encoding"})
"""Headers that are the gateway's own to set."""

_RULES: Final[tuple[tuple[Callable[[Upstream], bool], str], ...]] = (
    (lambda one: _is_address(one.address), "its address {0.address!r} is not host:port"),
    (lambda one: _HOST.fullmatch(one.host) is not None, "its host {0.host!r} is no name of a host"),
    (lambda one: _PATH.fullmatch(one.path) is not None, "its path {0.path!r} is not one like /endpoints/fleet"),
    (lambda one: all(map(_HEADER.fullmatch, one.headers)), "a header's name in {0.headers!r} is none"),
    (lambda one: not _OURS.intersection(map(str.lower, one.headers)), "a header in {0.headers!r} is the gateway's own"),
    (
        lambda one: all(map(_VALUE.fullmatch, one.headers.values())),
        "a header's value in {0.headers!r} has control signs",
    ),
    (
        lambda one: one.signed_for is None or _SIGNED_FOR.fullmatch(one.signed_for) is not None,
        "{0.signed_for!r} is not what one signs for: write service/region",
    ),
    (
        lambda one: one.role is None or _ROLE.fullmatch(one.role) is not None,
        "{0.role!r} is not the ARN of a role",
    ),
)


def check_upstream(upstream: Upstream) -> None:
    """Refuse an upstream that would freeze the gateways.

    Raises:
        InvalidRouteError: with one line that names deployment and version.
    """
    for holds, says in _RULES:
        if not holds(upstream):
            where = f"version {upstream.version} of {upstream.deployment}"
            raise InvalidRouteError(f"upstream of {where}: {says.format(upstream)}")


def _is_address(address: str) -> bool:
    try:
        host, port = split_address(address)
    except ValueError:
        return False
    return port > 0 and _HOST.fullmatch(f"[{host}]" if ":" in host else host) is not None
