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

_COUNTED: Final = "upstream_rq_(completed|5xx|retry|time)"


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
        self._node = node
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
        values = {stat["name"]: int(stat["value"]) for stat in stats if "name" in stat}
        histograms = {
            one["name"]: tuple((float(bucket["upper_bound"]), int(bucket["cumulative"])) for bucket in one["buckets"])
            for stat in stats
            for one in stat.get("histograms", [])
        }
        return {name: _counters(name, values, histograms) for name in names}

    async def _read(self, path: str, query: dict[str, str]) -> Any:
        try:
            answer = await self._client.get(f"http://{self._address}{path}", params=query, timeout=READ_TIMEOUT_S)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._unreadable(str(error) or type(error).__name__) from error

    def _unreadable(self, why: str) -> TrafficError:
        return TrafficError(f"gateway {self._node} cannot be read at {self._address}: {why}")


def _counters(name: str, values: dict[str, int], histograms: dict[str, tuple[tuple[float, int], ...]]) -> Counters:
    """A request that was tried again counts once more for each try that failed, as an error (DESIGN, section 5).

    An answer that broke off is one of those that Envoy calls completed.
    """
    prefix = f"cluster.{name}.upstream_rq_"
    retried = values.get(f"{prefix}retry", 0)
    return Counters(
        requests=values.get(f"{prefix}completed", 0) + retried,
        errors=values.get(f"{prefix}5xx", 0) + retried + values.get(f"{CUT_ANSWERS}{name}", 0),
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
