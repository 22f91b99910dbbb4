"""The simulated fleet starts what its levels lack, and simulated traffic is arithmetic."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.backends.port import CopiesLevel
from longshore.backends.simulated.fleet import Behaviour, SimulatedFleet
from longshore.planning.fence import Fence
from longshore.planning.observed import CopyState
from longshore.planning.route import Route
from longshore.planning.significance import latency_p_value
from longshore.planning.windows import Window, percentile
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host
from longshore.traffic.simulated import SimulatedTraffic, histogram

START = datetime(2000, 1, 1, tzinfo=UTC)
SPEC = ModelVersionSpec.model_validate(
    {
        "artifact": {"uri": "file:///m", "digest": "sha256:" + "0" * 64},
        "server": {"command": ["serve"]},
        "resources": {"accelerators": 1},
    }
)


class Now:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def now() -> Now:
    return Now()


def fleet_of(now: Now, *accelerators: int, startup: float = 10) -> SimulatedFleet:
    hosts = tuple(Host(name=name, accelerators=count) for name, count in zip("abc", accelerators, strict=False))
    return SimulatedFleet("fleet", hosts, now, behaviours={"1": Behaviour(startup=startup)})


def level(copies: int, step: int = 1) -> CopiesLevel:
    fence = Fence(operation=1, step=step)
    return CopiesLevel(deployment="d", model="m", version="1", copies=copies, spec=SPEC, fence=fence)


def test_copies_of_a_lost_host_start_elsewhere_and_take_their_start_up_time(now: Now) -> None:
    fleet = fleet_of(now, 2, 3)
    fleet.bring(level(2))
    now.pass_(10)
    assert Counter(copy.host for copy in fleet.copies) == {"a": 2}

    lost = fleet.fail_host("a")

    assert [copy.replaces for copy in fleet.copies] == [copy.id for copy in lost]
    assert {copy.host for copy in fleet.copies} == {"b"}
    assert fleet.ready("d") == {}
    now.pass_(10)
    assert fleet.ready("d") == {"1": 2}


def test_what_finds_no_room_starts_once_there_is_some(now: Now) -> None:
    fleet = fleet_of(now, 2, 1)
    fleet.bring(level(3))

    fleet.fail_host("a")
    assert len(fleet.copies) == 1

    now.pass_(5)
    fleet.restore_host("a")
    assert Counter(copy.host for copy in fleet.copies) == {"a": 2, "b": 1}


def test_a_copy_that_was_ready_stays_so_whatever_its_version_does_later(now: Now) -> None:
    fleet = fleet_of(now, 2, startup=0)
    fleet.bring(level(1))
    assert fleet.state_of(fleet.copies[0]) is CopyState.READY

    fleet.behave("1", Behaviour(never_ready=True))
    fleet.bring(level(2, step=2))

    assert [fleet.state_of(copy) for copy in fleet.copies] == [CopyState.READY, CopyState.STARTING]


async def test_a_share_without_a_ready_copy_is_unroutable_and_failed(now: Now) -> None:
    traffic = SimulatedTraffic(now, rates={"d": 50}, error_rates={"1": 0.1}, reached=lambda _: {"1"})
    await traffic.publish(Route(deployment="d", model="m", weights={"1": 75, "2": 25}), Fence(operation=1, step=1))
    now.pass_(7)

    old, new = await traffic.sample("d", ("1", "2"))

    assert (old.requests, old.errors) == (262, 26)
    assert (new.requests, new.errors, new.latency) == (87, 87, ())
    assert traffic.counted["d", "2"].unroutable == Fraction(175, 2)


@given(
    p50=st.floats(1, 1000),
    times=st.floats(1, 50),
    requests=st.integers(200, 10**6),
)
def test_the_histogram_reads_as_its_p50_and_p99(p50: float, times: float, requests: int) -> None:
    p99 = p50 * times

    read = histogram([((p50, p99), Fraction(requests))])

    assert 0.98 * p50 <= percentile(read, 0.5) <= p50 * 1.000001
    assert 0.98 * p99 <= percentile(read, 0.99) <= p99 * 1.000001


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_a_version_twice_as_slow_is_told_from_the_one_before_by_few_requests(quantile: float) -> None:
    old, same, slower = (
        Window(start=START, end=START, requests=count, errors=0, latency=histogram([(latency, Fraction(count))]))
        for latency, count in (((40, 200), 375), ((40, 200), 125), ((80, 400), 125))
    )

    assert latency_p_value(slower, old, 0.2, quantile) < 0.05 < latency_p_value(same, old, 0.2, quantile)


def test_a_reading_stays_true_until_a_copy_is_ready_or_something_is_done_to_the_fleet(now: Now) -> None:
    fleet = fleet_of(now, 2)
    fleet.undisturbed_until = lambda: START + timedelta(seconds=60)
    fleet.bring(level(2))

    starting = fleet.observe("d").steady_until
    now.pass_(10)
    ready = fleet.observe("d").steady_until

    assert (starting, ready) == (START + timedelta(seconds=10), START + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("copies", "refused_every", "told"),
    [(1, 3, True), (2, 0, True), (1, 0, False)],
    ids=["calls are refused by their count", "a copy waits for room", "nobody knows what will be done"],
)
def test_what_may_change_at_any_time_is_not_called_steady(
    now: Now,
    copies: int,
    refused_every: int,
    told: bool,  # noqa: FBT001
) -> None:
    fleet = fleet_of(now, 1, startup=0)
    fleet.undisturbed_until = (lambda: START + timedelta(seconds=60)) if told else None
    fleet.throttle(refused_every)
    fleet.bring(level(copies))

    assert fleet.observe("d").steady_until is None


async def test_readings_told_beforehand_are_those_that_are_read_then(now: Now) -> None:
    traffic = SimulatedTraffic(now, rates={"d": 7.3}, error_rates={"2": 0.13}, latencies={"2": (10.0, 30.0)})
    await traffic.publish(Route(deployment="d", model="m", weights={"1": 70, "2": 30}), Fence(operation=1, step=1))
    now.pass_(5)
    instants = tuple(START + timedelta(seconds=second) for second in (6, 11, 31))

    told = await traffic.ahead("d", ("1", "2"), instants)

    read = []
    for instant in instants:
        now.at = instant
        read.append(await traffic.sample("d", ("1", "2")))
    assert told == read
