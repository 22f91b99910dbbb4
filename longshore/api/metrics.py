"""What Prometheus scrapes: the fleet as it stands, and this process's own counters."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from longshore.api.answers import DeploymentAnswer
from longshore.planning.words import EventType
from longshore.store.records import View

MEDIA_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
"""Seconds; the last is the longest that an update is waited for."""


class Metrics:
    """The counters of one API process; they begin at zero when it starts, as Prometheus expects."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "longshore_http_request_seconds",
            "Seconds until a request was answered; event streams are not among them.",
            ["method", "route", "status"],
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._events = Counter(
            "longshore_events",
            "Events of all deployments since this process started.",
            ["type"],
            registry=self._registry,
        )
        for event in EventType:
            self._events.labels(event.value)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. `route` is the path's template, so that there are few of them."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def event(self, type: EventType) -> None:
        """Count one event."""
        self._events.labels(type.value).inc()

    def render(self, fleet: Iterable[tuple[View, DeploymentAnswer]]) -> bytes:
        """The text that a scrape gets: the fleet now, then the counters."""
        now = CollectorRegistry()
        now.register(_Fleet(list(fleet)))
        return generate_latest(now) + generate_latest(self._registry)


class _Fleet(Collector):
    """Gauges of one reading of the store."""

    def __init__(self, fleet: list[tuple[View, DeploymentAnswer]]) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        deployments = GaugeMetricFamily(
            "longshore_deployments", "Deployments by phase, health and drift.", labels=["phase", "health", "drift"]
        )
        standings = Tally((answer.phase, answer.health, answer.drift) for _, answer in self._fleet)
        for standing, count in sorted(standings.items()):
            deployments.add_metric([word.value for word in standing], count)
        yield deployments

        copies = GaugeMetricFamily(
            "longshore_copies", "Observed copies.", labels=["deployment", "target", "version", "state"]
        )
        traffic = GaugeMetricFamily(
            "longshore_traffic_percent", "Share of the acknowledged route.", labels=["deployment", "version"]
        )
        for view, answer in self._fleet:
            states = Tally((copy.version, copy.state.value) for copy in view.copies)
            for (version, state), count in sorted(states.items()):
                copies.add_metric([answer.name, answer.target, version, state], count)
            for version, share in sorted(answer.traffic.items()):
                traffic.add_metric([answer.name, version], share)
        yield copies
        yield traffic
