"""Traffic as arithmetic: requests are rate x weight x time, errors and latencies as the versions are told to have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import Sample
from longshore.planning.route import Route
from longshore.traffic.port import RouteStatus, TrafficError

Clock = Callable[[], datetime]
BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


@dataclass
class _Counted:
    """Cumulative requests of one version, as real numbers; counters show their floor."""

    requests: float = 0.0
    errors: float = 0.0


@dataclass
class SimulatedTraffic:
    """A traffic plane whose gateway acks at once; a `TrafficPlane` for tests of workflows, and for rehearsals.

    | field | meaning |
    |---|---|
    | `rates` | deployment → requests per second |
    | `error_rates` | version → share of its requests that fail |
    | `latencies` | version → milliseconds of every request |
    | `down` | the counters cannot be read |
    | `history` | every weight set published, in order |
    """

    clock: Clock
    rates: dict[str, float] = field(default_factory=dict)
    error_rates: dict[str, float] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=dict)
    down: bool = False
    history: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    _routes: dict[str, Route] = field(default_factory=dict)
    _fences: dict[str, Fence] = field(default_factory=dict)
    _revision: int = 0
    _counted: dict[tuple[str, str], _Counted] = field(default_factory=dict)
    _counted_to: datetime | None = None

    async def publish(self, route: Route, fence: Fence) -> int:
        """See `TrafficPlane`."""
        self._check(route.deployment, fence)
        if self._routes.get(route.deployment) != route:
            self._count()
            self._routes[route.deployment] = route
            self._revision += 1
            self.history.append((route.deployment, dict(route.weights)))
        return self._revision

    async def withdraw(self, deployment: str, fence: Fence) -> int:
        """See `TrafficPlane`."""
        self._check(deployment, fence)
        if self._routes.get(deployment) is not None:
            self._count()
            del self._routes[deployment]
            self._revision += 1
            self.history.append((deployment, {}))
        return self._revision

    async def revision(self) -> int:
        """See `TrafficPlane`."""
        return self._revision

    async def status(self, revision: int, wait: float) -> RouteStatus:  # noqa: ARG002 - acked at once
        """See `TrafficPlane`."""
        return RouteStatus(revision=revision, acked=True, at=self.clock(), gateways=1)

    async def active_requests(self, addresses: tuple[str, ...]) -> dict[str, int]:
        """See `TrafficPlane`."""
        return dict.fromkeys(addresses, 0)

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """See `TrafficPlane`."""
        if self.down:
            raise TrafficError("the simulated metrics are down")
        self._count()
        return [self._sample(deployment, version) for version in versions]

    def _sample(self, deployment: str, version: str) -> Sample:
        counted = self._counted.get((deployment, version), _Counted())
        latency = self.latencies.get(version, 20.0)
        requests = int(counted.requests)
        return Sample(
            gateway="simulated",
            version=version,
            at=self.clock(),
            epoch="1",
            requests=requests,
            errors=int(counted.errors),
            latency=tuple((float(bound), requests if bound >= latency else 0) for bound in BOUNDS_MS),
        )

    def _count(self) -> None:
        now = self.clock()
        seconds = (now - self._counted_to).total_seconds() if self._counted_to else 0.0
        self._counted_to = now
        for deployment, route in self._routes.items():
            for version, weight in route.weights.items():
                counted = self._counted.setdefault((deployment, version), _Counted())
                requests = self.rates.get(deployment, 0.0) * weight / 100 * seconds
                counted.requests += requests
                counted.errors += requests * self.error_rates.get(version, 0.0)

    def _check(self, deployment: str, fence: Fence) -> None:
        highest = self._fences.get(deployment)
        if highest is not None and fence < highest:
            raise FenceRefusedError(f"{deployment}: step {fence} is older than {highest}")
        self._fences[deployment] = fence
