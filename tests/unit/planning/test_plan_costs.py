"""What a plan says of rented instances: how many run, and what they cost, before, at its peak and after."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_forecast import NOW, STABLE, asked, copies, spec

from longshore.planning.observed import Copy, CopyState, ObservedHost
from longshore.planning.plans.costing import Bill, CostPerHour, Fleet, Instances, Rented, Stay, bill, fleet, settled
from longshore.planning.plans.forecast import Forecast, Plan, Present, forecast
from longshore.planning.room import TargetRoom
from longshore.spec.prices import PriceList, Prices

REGION = "us-east-1"
G5, G6 = "ml.g5.12xlarge", "ml.g6.xlarge"
PRICES = Prices(
    lists=(
        PriceList(region=REGION, priced="2026-10-05", source="here", per_hour={G5: 7.09}),
        PriceList(region=REGION, priced="2025-01-15", source="there", per_hour={G6: 1.1267, G5: 1}),
    )
)


def host(number: int, kind: str = G5, *, obtainable: bool = False, accelerators: int = 4) -> ObservedHost:
    name = f"instance-{number}"
    return ObservedHost(name=name, accelerators=accelerators, instance_type=kind, obtainable=obtainable)


def on(number: int, *held: Copy, first: int = 0) -> tuple[Copy, ...]:
    return tuple(
        copy.model_copy(update={"host": f"instance-{number}", "accelerators": (first + index,)})
        for index, copy in enumerate(held)
    )


def told(
    held: tuple[Copy, ...], hosts: tuple[ObservedHost, ...], desired: Any, least: int | None = 1, **startups: float
) -> Plan:
    known = {name.removeprefix("v"): seconds for name, seconds in startups.items()}
    present = Present(TargetRoom("here", hosts, held), {}, known, NOW, rented=Rented(REGION, PRICES, least))
    answer = forecast(STABLE, asked(desired), present)
    assert isinstance(answer, Forecast)
    return answer.plan


def counts(plan: Plan) -> tuple[int, int, int]:
    assert plan.instances is not None
    return plan.instances.before, plan.instances.peak, plan.instances.after


SPARE = host(2, obtainable=True)


def test_a_rollout_that_fits_beside_what_runs_costs_nothing_more() -> None:
    plan = told(on(1, *copies("1", 2)), (host(1), SPARE), spec("2"), v2=60)

    assert counts(plan) == (1, 1, 1)
    assert plan.cost_per_hour == CostPerHour(
        before=7.09, peak=7.09, after=7.09, currency="USD", priced="2026-10-05", source="here"
    )
    assert (plan.extra_cost, plan.unpriced) == (0.0, None)


def test_a_batch_that_needs_another_instance_is_paid_until_the_end() -> None:
    others = on(1, *copies("3", 2, name="other"), first=2)

    plan = told((*on(1, *copies("1", 2)), *others), (host(1), SPARE), spec("2", batch=2), v2=60)

    assert counts(plan) == (1, 2, 2)
    assert plan.cost_per_hour is not None
    assert (plan.cost_per_hour.before, plan.cost_per_hour.peak, plan.cost_per_hour.after) == (7.09, 14.18, 14.18)
    assert plan.estimated_seconds is not None
    assert plan.extra_cost == pytest.approx(7.09 * plan.estimated_seconds / 3600, abs=0.001)


def test_time_that_is_not_known_has_no_cost() -> None:
    plan = told(on(1, *copies("1", 2)), (host(1), SPARE), spec("2"))

    assert plan.cost_per_hour is not None
    assert plan.extra_cost is None


def test_copies_that_find_no_instance_are_counted_on_those_they_would_need() -> None:
    full = (*on(1, *copies("1", 2)), *on(1, *copies("3", 2, name="other"), first=2))

    plan = told(full, (host(1),), spec("2", batch=2), v2=60)

    assert plan.fits is False
    assert counts(plan)[:2] == (1, 2)


def test_an_instance_that_idles_after_a_scale_is_given_up_down_to_the_least() -> None:
    held = (*on(1, *copies("1", 1)), *on(2, *copies("2", 1)))
    placed = tuple(one.model_copy(update={"version": "1", "id": f"d-1-{n}"}) for n, one in enumerate(held))

    assert counts(told(placed, (host(1), host(2)), spec("1", copies=1), least=1)) == (2, 2, 1)
    assert counts(told(placed, (host(1), host(2)), spec("1", copies=1), least=2)) == (2, 2, 2)
    assert counts(told(placed, (host(1), host(2)), spec("1", copies=1), least=None)) == (2, 2, 2)


def test_what_moves_no_copy_costs_what_it_costs_now() -> None:
    plan = told(on(1, *copies("1", 2)), (host(1), SPARE), spec("1"))

    assert (counts(plan), plan.extra_cost) == ((1, 1, 1), 0.0)


def test_a_price_that_is_not_known_is_told_with_the_cure() -> None:
    plan = told(on(1, *copies("1", 2)), (host(1, "ml.p5.48xlarge"),), spec("2"))

    assert counts(plan) == (1, 1, 1)
    assert (plan.cost_per_hour, plan.extra_cost) == (None, None)
    assert plan.unpriced == (
        "no price of ml.p5.48xlarge in us-east-1 is known: give it in the file that LONGSHORE_PRICES names"
    )


def test_nothing_is_told_of_hosts_that_are_not_rented() -> None:
    own = (ObservedHost(name="instance-1", accelerators=4),)
    plan = told(on(1, *copies("1", 2)), own, spec("2"))

    assert (plan.instances, plan.cost_per_hour, plan.extra_cost, plan.unpriced) == (None, None, None, None)


def test_instances_of_several_types_are_told_together() -> None:
    rented = Rented(REGION, PRICES)
    mixed = Fleet({G5: 1, G6: 2})

    made = bill([Stay(Fleet({G5: 1}), 1800), Stay(mixed, 3600)], mixed, rented, timed=True)

    assert made == Bill(
        instances=Instances(type=f"{G5}, {G6}", before=1, peak=3, after=3),
        cost_per_hour=CostPerHour(
            before=7.09, peak=9.3434, after=9.3434, currency="USD", priced="2025-01-15", source="here; there"
        ),
        extra_cost=2.2534,
    )


hosts = st.lists(st.booleans(), min_size=1, max_size=8).map(
    lambda given: tuple(host(number, obtainable=obtainable) for number, obtainable in enumerate(given))
)


@given(hosts, st.sets(st.integers(0, 7)), st.integers(0, 9))
def test_what_is_left_holds_the_copies_and_is_no_more_than_what_ran(
    there: tuple[ObservedHost, ...], busy: set[int], least: int
) -> None:
    names = {f"instance-{number}" for number in busy}
    running, left = fleet(there, names).total(), settled(there, names, least).total()
    holding = sum(one.name in names for one in there)

    assert holding <= left <= running
    assert left >= min(least, running)
    assert settled(there, names, None) == fleet(there, names)


def test_the_first_list_that_has_a_type_counts() -> None:
    assert [price.amount for kind in (G5, G6) if (price := PRICES.of(REGION, kind))] == [7.09, 1.1267]
    assert PRICES.of("eu-central-1", G5) is None


def test_copies_that_start_hold_the_instance_they_start_on() -> None:
    starting = on(2, *copies("1", 1, CopyState.STARTING))
    assert counts(told(starting, (host(1), SPARE), spec("1")))[0] == 2
