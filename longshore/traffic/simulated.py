"""Traffic as arithmetic: requests are rate x weight x time, errors and latencies as the versions are told to have."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import Sample
from longshore.planning.route import Route
from longshore.traffic.bootstrap import LATENCY_BOUNDS_MS
from longshore.traffic.port import RouteStatus, TrafficError

Clock = Callable[[], datetime]
Latency = tuple[float, float]
"""p50 and p99 in milliseconds."""

MICROSECOND = timedelta(microseconds=1)
DOWN = "the simulated metrics are down"
DEFAULT_LATENCY: Latency = (20.0, 50.0)
SLOWEST = 1.1
"""The slowest request takes so many times p99."""
FASTEST = 0.5
"""No latency is told apart that is below this part of p50."""
FINELY = 1000
"""Shares are as exact as a thousandth: exact ones would be long numbers."""
BEFORE = 0.99
"""A bucket this much below a quantile keeps what is read of it within a hundredth."""


@dataclass(frozen=True)
class Counted:
    """Cumulative requests of one version, exactly; counters show their floor."""

    requests: Fraction = Fraction(0)
    errors: Fraction = Fraction(0)
    """Unroutable ones among them."""
    unroutable: Fraction = Fraction(0)
    """Requests to a version that had no ready copy."""
    answered: dict[Latency, Fraction] = field(default_factory=dict)
    """Requests that reached a copy, by how long they took."""


@dataclass(frozen=True)
class _Law:
    """How the counters of one version grow."""

    counted: Counted
    rate: Fraction
    """Requests a second."""
    error_rate: Fraction
    latency: Latency
    reachable: bool

    def after(self, seconds: Fraction) -> Counted:
        """What it will have got so many seconds later."""
        counted, requests = self.counted, self.rate * seconds
        if not requests:
            return counted
        if not self.reachable:
            return replace(
                counted,
                requests=counted.requests + requests,
                errors=counted.errors + requests,
                unroutable=counted.unroutable + requests,
            )
        return replace(
            counted,
            requests=counted.requests + requests,
            errors=counted.errors + requests * self.error_rate,
            answered=counted.answered | {self.latency: counted.answered.get(self.latency, Fraction(0)) + requests},
        )


@dataclass
class SimulatedTraffic:
    """A traffic plane whose gateway acks at once; a `TrafficPlane` for tests of workflows, and for rehearsals.

    | field | meaning |
    |---|---|
    | `rates` | deployment → requests per second |
    | `error_rates` | version → share of its requests that fail |
    | `latencies` | version → milliseconds of its requests: p50 and p99, or one number for both |
    | `reached` | deployment → versions with a ready copy; None: every version always has one |
    | `down` | the counters cannot be read |
    | `history` | every weight set published, in order |

    What these fields say holds from the last `count()` on: call it before changing them.
    """

    clock: Clock
    rates: dict[str, float] = field(default_factory=dict)
    error_rates: dict[str, float] = field(default_factory=dict)
    latencies: dict[str, float | Latency] = field(default_factory=dict)
    reached: Callable[[str], Collection[str]] | None = None
    down: bool = False
    history: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    routes: dict[str, Route] = field(default_factory=dict)
    counted: dict[tuple[str, str], Counted] = field(default_factory=dict)
    """(deployment, version) → what it got."""
    _fences: dict[str, Fence] = field(default_factory=dict)
    _revision: int = 0
    _counted_to: datetime | None = None

    async def publish(self, route: Route, fence: Fence) -> int:
        """See `TrafficPlane`."""
        self._check(route.deployment, fence)
        if self.routes.get(route.deployment) != route:
            self.count()
            self.routes[route.deployment] = route
            self._revision += 1
            self.history.append((route.deployment, dict(route.weights)))
        return self._revision

    async def weights(self, deployment: str) -> dict[str, int]:
        """See `TrafficPlane`."""
        route = self.routes.get(deployment)
        return dict(route.weights) if route else {}

    async def withdraw(self, deployment: str, fence: Fence) -> int:
        """See `TrafficPlane`."""
        self._check(deployment, fence)
        if self.routes.get(deployment) is not None:
            self.count()
            del self.routes[deployment]
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

    async def requests_at(self, deployment: str, versions: tuple[str, ...]) -> dict[str, int]:  # noqa: ARG002
        """See `TrafficPlane`."""
        return dict.fromkeys(versions, 0)

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """See `TrafficPlane`."""
        if self.down:
            raise TrafficError(DOWN)
        self.count()
        now = self.clock()
        return [_sample(version, now, self.counted.get((deployment, version), Counted())) for version in versions]

    async def ahead(
        self, deployment: str, versions: tuple[str, ...], instants: tuple[datetime, ...]
    ) -> list[list[Sample]]:
        """What `sample` would read at these later instants if nothing changed until then.

        Raises:
            TrafficError: the counters cannot be read, now or then.
        """
        if self.down:
            raise TrafficError(DOWN)
        self.count()
        now = self.clock()
        laws = [(version, self._law(deployment, version)) for version in versions]
        return [
            [_sample(version, instant, law.after(_seconds(instant - now))) for version, law in laws]
            for instant in instants
        ]

    def count(self, now: datetime | None = None) -> None:
        """Count the requests up to now, or to an instant, under what held since the last count."""
        now = now or self.clock()
        since, self._counted_to = self._counted_to or now, max(now, self._counted_to or now)
        seconds = _seconds(self._counted_to - since)
        if not seconds:
            return
        for deployment, route in self.routes.items():
            for version in route.weights:
                self.counted[deployment, version] = self._law(deployment, version).after(seconds)

    def _law(self, deployment: str, version: str) -> "_Law":
        """How the counters of a version grow from the last count on, under what holds now."""
        route = self.routes.get(deployment)
        weight = route.weights.get(version, 0) if route else 0
        return _Law(
            counted=self.counted.get((deployment, version), Counted()),
            rate=_exactly(self.rates.get(deployment, 0.0)) * weight / 100,
            error_rate=_exactly(self.error_rates.get(version, 0.0)),
            latency=self._latency(version),
            reachable=self.reached is None or version in self.reached(deployment),
        )

    def _latency(self, version: str) -> Latency:
        latency = self.latencies.get(version, DEFAULT_LATENCY)
        return latency if isinstance(latency, tuple) else (latency, latency)

    def _check(self, deployment: str, fence: Fence) -> None:
        highest = self._fences.get(deployment)
        if highest is not None and fence < highest:
            raise FenceRefusedError(f"{deployment}: step {fence} is older than {highest}")
        self._fences[deployment] = fence


def _sample(version: str, at: datetime, counted: Counted) -> Sample:
    return Sample(
        gateway="simulated",
        version=version,
        at=at,
        epoch="1",
        requests=math.floor(counted.requests),
        errors=math.floor(counted.errors),
        latency=histogram(counted.answered.items()),
    )


def histogram(answered: Iterable[tuple[Latency, Fraction]]) -> tuple[tuple[float, int], ...]:
    """(upper bound in milliseconds, cumulative count) of requests of which so many had this p50 and p99.

    Half of them are up to p50, and all but a hundredth up to p99; what is read of it is never above either.
    """
    known = [(_quantiles(latency), requests) for latency, requests in answered]
    bounds = sorted({bound for quantiles, _ in known for bound, _ in quantiles})
    return tuple((bound, sum(_up_to(bound, *one) for one in known)) for bound in bounds)


@cache
def _quantiles(latency: Latency) -> tuple[tuple[float, Fraction], ...]:
    """(bound, share of the requests up to it), ascending.

    Beside the bounds that make p50 and p99 exact there are those of a gateway, for versions are compared by counting at
    bounds: of a version with few of its own, nothing could be told about the latencies between them.
    """
    p50, p99 = latency
    median = ((p50 * BEFORE, Fraction(49, 100)), (p50, Fraction(1, 2)))
    before = ((p99 * BEFORE, Fraction(98, 100)),) if p99 * BEFORE > p50 else ()
    exact = (*median, *before, (p99, Fraction(99, 100)), (p99 * SLOWEST, Fraction(1)))
    between = [bound for bound in LATENCY_BOUNDS_MS if p50 * FASTEST < bound < p99 * SLOWEST]
    return tuple(sorted((*exact, *((bound, _share(bound, exact)) for bound in between))))


def _share(bound: float, exact: tuple[tuple[float, Fraction], ...]) -> Fraction:
    """The share of the requests up to a bound: they are spread evenly between the bounds that are known exactly."""
    known = ((0.0, Fraction(0)), *exact)
    for (lower, below), (upper, share) in pairwise(known):
        if bound < upper:
            part = Fraction((bound - lower) / (upper - lower)).limit_denominator(FINELY)
            return below + part * (share - below)
    return Fraction(1)


def _up_to(bound: float, quantiles: tuple[tuple[float, Fraction], ...], requests: Fraction) -> int:
    share = max((share for at, share in quantiles if at <= bound), default=Fraction(0))
    return math.ceil(requests * share) if share < 1 else math.floor(requests)


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span // MICROSECOND, 1_000_000)


def _exactly(number: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(str(number))
