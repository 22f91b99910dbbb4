"""What an Envoy's admin interface tells: requests in flight at each copy, and each version's counters."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from longshore.traffic.addresses import joined
from longshore.traffic.listener import CUT_ANSWERS
from longshore.traffic.port import TrafficError

READ_TIMEOUT_S: Final = 5.0

SIGNED: Final = "aws_request_signing.signing_added"
"""A cluster that has this counter is one of AWS: it counts with or without credentials."""
_AWS_ERRORS: Final = (403, 424, 429)
"""Of a model on SageMaker, errors beside 5xx: not let in, failed in the model, throttled."""
_COUNTED: Final = r"(upstream_rq_(completed|5xx|403|424|429|retry|time)|aws_request_signing\.signing_added)"


@dataclass(frozen=True)
class Counters:
    """A cluster's cumulative counters."""

    requests: int = 0
    errors: int = 0
    latency: tuple[tuple[float, int], ...] = ()
    """(upper bound in milliseconds, cumulative count); empty buckets at both ends are left out."""


class Admin:
    """The admin interface at `host:port` of one gateway. Every method raises `TrafficError`."""

    def __init__(self, client: httpx.AsyncClient, node: str, address: str) -> None:
        self._client = client
        self.node = node
        self._address = address

    async def epoch(self) -> str:
        """When this Envoy was started: its counters began then."""
        dump = await self._read("/config_dump", {"name_regex": "^$"})
        try:
            return str(
                next(one["last_updated"] for one in dump["configs"] if one["@type"].endswith("BootstrapConfigDump"))
            )
        except (KeyError, StopIteration):
            raise self._unreadable("its configuration dump has no bootstrap") from None

    async def active(self) -> dict[str, int]:
        """Requests in flight at each `host:port` that the gateway knows."""
        found: dict[str, int] = {}
        clusters = await self._read("/clusters", {"format": "json"})
        for host in (host for one in clusters.get("cluster_statuses", []) for host in one.get("host_statuses", [])):
            socket = host["address"].get("socket_address", {})
            address = joined(socket.get("address", ""), socket.get("port_value", 0))
            active = sum(int(stat.get("value", 0)) for stat in host.get("stats", []) if stat["name"] == "rq_active")
            found[address] = found.get(address, 0) + active
        return found

    async def at_versions(self, clusters: Iterable[str]) -> dict[str, int]:
        """Requests in flight in each of these clusters, wherever in them; 0 for one that the gateway does not know."""
        names = list(clusters)
        wanted = "|".join(re.escape(name) for name in names)
        values = await self.stats(rf"^cluster\.({wanted})\.upstream_rq_active$")
        return {name: values.get(f"cluster.{name}.upstream_rq_active", 0) for name in names}

    async def counters(self, clusters: Iterable[str]) -> dict[str, Counters]:
        """Counters of clusters; zeros for one that was never asked for anything."""
        names = list(clusters)
        wanted = "|".join(re.escape(name) for name in names)
        query = {
            "format": "json",
            "usedonly": "",
            "histogram_buckets": "cumulative",
            "filter": rf"^(cluster\.({wanted})\.{_COUNTED}|{re.escape(CUT_ANSWERS)}({wanted}))$",
        }
        stats = (await self._read("/stats", query)).get("stats", [])
        values = _values(stats)
        histograms = {
            one["name"]: tuple((float(bucket["upper_bound"]), int(bucket["cumulative"])) for bucket in one["buckets"])
            for stat in stats
            for one in stat.get("histograms", [])
        }
        return {name: _counters(name, values, histograms) for name in names}

    async def stats(self, wanted: str) -> dict[str, int]:
        """Name → value of the counters and gauges whose name the pattern finds, those that are 0 perhaps left out."""
        query = {"format": "json", "usedonly": "", "filter": wanted}
        return _values((await self._read("/stats", query)).get("stats", []))

    async def metadata(self) -> dict[str, Any]:
        """What this Envoy's bootstrap says of it."""
        return dict((await self._read("/server_info", {})).get("node", {}).get("metadata", {}))

    async def _read(self, path: str, query: dict[str, str]) -> Any:
        try:
            answer = await self._client.get(f"http://{self._address}{path}", params=query, timeout=READ_TIMEOUT_S)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreadable(str(error) or type(error).__name__) from error

    def _unreadable(self, why: str) -> TrafficError:
        return TrafficError(f"gateway {self.node} cannot be read at {self._address}: {why}")


def _values(stats: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Name → value, of counters and gauges."""
    return {stat["name"]: int(stat["value"]) for stat in stats if "name" in stat}


def _counters(name: str, values: dict[str, int], histograms: dict[str, tuple[tuple[float, int], ...]]) -> Counters:
    """A request that was tried again counts once more for each try that failed, as an error (DESIGN, section 5).

    An answer that broke off is one of those that Envoy calls completed.
    """
    prefix = f"cluster.{name}.upstream_rq_"
    retried = values.get(f"{prefix}retry", 0)
    at_aws = f"cluster.{name}.{SIGNED}" in values
    refused = sum(values.get(f"{prefix}{status}", 0) for status in _AWS_ERRORS) if at_aws else 0
    return Counters(
        requests=values.get(f"{prefix}completed", 0) + retried,
        errors=values.get(f"{prefix}5xx", 0) + refused + retried + values.get(f"{CUT_ANSWERS}{name}", 0),
        latency=_trimmed(histograms.get(f"{prefix}time", ())),
    )


def _trimmed(latency: tuple[tuple[float, int], ...]) -> tuple[tuple[float, int], ...]:
    """Without the empty buckets at both ends, but for the one that tells where the first full one begins."""
    if not latency or latency[-1][1] == 0:
        return ()
    total = latency[-1][1]
    first = next(position for position, (_, count) in enumerate(latency) if count)
    last = next(position for position, (_, count) in enumerate(latency) if count == total)
    return latency[max(0, first - 1) : last + 1]
