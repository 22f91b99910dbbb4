"""What a plan costs where accelerators are rented by the instance: before, at its peak, and after it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from longshore.planning.observed import ObservedHost
from longshore.spec.base import Value
from longshore.spec.prices import Price, Prices

HOUR = 3600.0
"""Seconds that a price is for."""

Fleet = Counter[str]
"""Instance type → instances that run, and are paid."""


@dataclass(frozen=True)
class Rented:
    """What the instances of a target cost, and how few there may be."""

    region: str
    prices: Prices
    least: int | None = None
    """Instances that stay even without copies; None where idle ones are not known to go."""


class Stay(NamedTuple):
    """A fleet, and for how long it was the same."""

    fleet: Fleet
    seconds: float


class Instances(Value):
    """Instances that run: at least those that hold the copies, of every deployment on the target."""

    type: str
    """Of several types, all of them."""
    before: int
    peak: int
    after: int
    """Once idle ones have ended; until then, which takes the platform some minutes, as many as at the peak."""


class CostPerHour(Value):
    """What those instances cost for an hour."""

    before: float
    peak: float
    after: float
    currency: str
    priced: str
    """When the prices held."""
    source: str


class Bill(NamedTuple):
    """What a plan says of instances and their cost; see the fields of the same names there."""

    instances: Instances | None = None
    cost_per_hour: CostPerHour | None = None
    extra_cost: float | None = None
    unpriced: str | None = None


def fleet(hosts: Iterable[ObservedHost], busy: Collection[str]) -> Fleet:
    """The instances that run when copies are on these hosts: those that are there, and those started for them."""
    return Fleet(
        host.instance_type for host in hosts if host.instance_type and (not host.obtainable or host.name in busy)
    )


def settled(hosts: Iterable[ObservedHost], busy: Collection[str], least: int | None) -> Fleet:
    """The instances that are left once idle ones have ended, of which `least` stay."""
    there = [host for host in hosts if host.instance_type and (not host.obtainable or host.name in busy)]
    if least is None:
        return fleet(there, busy)
    kept = [host for host in there if host.name in busy]
    idle = [host for host in there if host.name not in busy]
    return fleet([*kept, *idle[: max(0, least - len(kept))]], busy)


def bill(stays: list[Stay], after: Fleet, rented: Rented | None, *, timed: bool) -> Bill:
    """What a plan costs.

    Args:
        stays: the fleets from its start to its end; the first is what runs now.
        after: the fleet that is left.
        rented: the prices; None where nothing is rented.
        timed: whether the times are known.
    """
    if rented is None or not any(stay.fleet for stay in (*stays, Stay(after, 0))):
        return Bill()
    types = sorted({kind for stay in (*stays, Stay(after, 0)) for kind in stay.fleet})
    prices = {kind: rented.prices.of(rented.region, kind) for kind in types}
    before, peak = stays[0].fleet.total(), max(stay.fleet.total() for stay in stays)
    instances = Instances(type=", ".join(types), before=before, peak=peak, after=after.total())
    known = {kind: price for kind, price in prices.items() if price is not None}
    if why := _unpriced(types, known, rented.region):
        return Bill(instances=instances, unpriced=why)
    rates = [_rate(stay.fleet, known) for stay in stays]
    extra = sum(stay.seconds / HOUR * max(0.0, rate - rates[0]) for stay, rate in zip(stays, rates, strict=True))
    dearest = known[max(known, key=lambda kind: known[kind].amount)]
    return Bill(
        instances=instances,
        cost_per_hour=CostPerHour(
            before=_money(rates[0]),
            peak=_money(max(rates)),
            after=_money(_rate(after, known)),
            currency=dearest.currency,
            priced=min(price.priced for price in known.values()),
            source="; ".join(sorted({price.source for price in known.values()})),
        ),
        extra_cost=_money(extra) if timed else None,
    )


def _unpriced(types: Iterable[str], known: Mapping[str, Price], region: str) -> str | None:
    missing = [kind for kind in types if kind not in known]
    if missing:
        return f"no price of {', '.join(missing)} in {region} is known: give it in the file that LONGSHORE_PRICES names"
    if len({price.currency for price in known.values()}) > 1:
        return "the prices are in several currencies: give them in one, in the file that LONGSHORE_PRICES names"
    return None


def _rate(running: Fleet, prices: Mapping[str, Price]) -> float:
    return sum(prices[kind].amount * count for kind, count in running.items())


def _money(amount: float) -> float:
    """To a hundredth of a cent, as prices are told."""
    return round(amount, 4)
