"""What a gateway tells of its signing for AWS: without credentials Envoy forwards unsigned, and says nothing of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from longshore.traffic.admin import SIGNED, Admin
from longshore.traffic.bootstrap import CREDENTIALS_KEY
from longshore.traffic.listener import UNSIGNED_REQUESTS

_REFRESHED: Final = re.compile(r"aws\.metadata_credentials_provider\.(.+)\.credential_refreshes_(succeeded|failed)")
_WANTED: Final = "|".join(
    (
        f"^{re.escape(UNSIGNED_REQUESTS)}",
        rf"\.{re.escape(SIGNED)}$",
        r"\.upstream_rq_(403|completed)$",
        r"^aws\.metadata_credentials_provider\.",
    )
)
_INSTANCE: Final = "ec2_instance_metadata_server_internal"
_ROLES: Final = "sts_token_service_internal-"
"""What Envoy calls the services that it has credentials from; that of roles is followed by its region."""


@dataclass(frozen=True)
class Signing:
    """One gateway, since its Envoy was started."""

    gateway: str
    source: str | None = None
    """Where its credentials are from, in words."""
    refused_roles: tuple[str, ...] = ()
    """Regions whose service gave it no credentials of a role, though it was asked."""
    unsigned: Mapping[str, int] = field(default_factory=dict)
    """Cluster → requests that left without a signature."""
    denied: Mapping[str, int] = field(default_factory=dict)
    """Cluster → requests that were denied (403), where nothing else was ever answered."""


async def read_signing(admin: Admin) -> Signing:
    """Ask a gateway.

    Raises:
        TrafficError: it cannot be read.
    """
    metadata = await admin.metadata()
    return signing(admin.node, str(metadata.get(CREDENTIALS_KEY) or ""), await admin.stats(_WANTED))


def signing(gateway: str, credentials: str, stats: Mapping[str, int]) -> Signing:
    """What counters mean. Pure."""
    suffix = f".{SIGNED}"
    clusters = [name.removesuffix(suffix) for name in stats if name.endswith(suffix)]
    by_name = {cluster.removeprefix("cluster."): cluster for cluster in sorted(clusters)}
    denied = {name: stats.get(f"{cluster}.upstream_rq_403", 0) for name, cluster in by_name.items()}
    answered = {name: stats.get(f"{cluster}.upstream_rq_completed", 0) for name, cluster in by_name.items()}
    # A client may send a digest to copies of ours, too: only what was to be signed can lack a signature.
    unsigned = {name: stats.get(f"{UNSIGNED_REQUESTS}{name}", 0) for name in by_name}
    given = _given(stats)
    return Signing(
        gateway=gateway,
        source=credentials or ("the role of its machine" if given.get(_INSTANCE) else None),
        refused_roles=tuple(
            name.removeprefix(_ROLES) for name, gave in sorted(given.items()) if name.startswith(_ROLES) and not gave
        ),
        unsigned={name: count for name, count in unsigned.items() if count},
        denied={name: count for name, count in denied.items() if count and count == answered[name]},
    )


def _given(stats: Mapping[str, int]) -> dict[str, bool]:
    """Service of credentials → whether it ever gave some; those that were never asked are left out."""
    given: dict[str, bool] = {}
    for name, count in stats.items():
        if (found := _REFRESHED.fullmatch(name)) and count:
            given[found[1]] = given.get(found[1], False) or found[2] == "succeeded"
    return given
