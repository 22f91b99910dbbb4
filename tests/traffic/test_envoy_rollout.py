"""Traffic moved under load on a real Envoy: nothing is lost, and what is measured is what happened."""

import asyncio
import time

import pytest
from traffic_rig import ModelServer, Rig, until

from longshore.planning.checks import Evidence, Outcome, measure
from longshore.planning.observed import CopyState
from longshore.planning.windows import percentile, readings, spans
from longshore.spec.deployment import Check

PATHS = ("/x", "/ms/20", "/slow", "/x", "/stream", "/x", "/x", "/ms/20", "/x", "/x")


async def test_a_whole_rollout_under_load_loses_nothing(rig: Rig, copies: list[ModelServer]) -> None:
    a1, a2, b1, b2 = copies
    await rig.observe(a1, a2)
    await rig.publish({"1": 100}, "2")
    async with rig.load(200, PATHS) as statuses:
        await _batch(rig, old=a1, new=b1, others=[a2], weights={"1": 50, "2": 50})
        await _batch(rig, old=a2, new=b2, others=[b1], weights={"2": 100})
        await rig.publish({"2": 100})
    assert set(statuses) == {200}, statuses
    assert statuses.total() > 300
    assert min(copy.answered for copy in copies) > 0


async def _batch(
    rig: Rig, *, old: ModelServer, new: ModelServer, others: list[ModelServer], weights: dict[str, int]
) -> None:
    """One batch as the workflow does it: ready → weight → drain → wait for its requests → end."""
    await rig.observe(old, new, *others)
    await rig.acked()
    await rig.publish(weights, "1", "2")
    await until(lambda: _answered(new, 20), f"{new.name} has its share")
    old.state = CopyState.DRAINING
    await rig.observe(old, new, *others)
    await rig.acked()

    async def drained() -> bool:
        return await rig.plane.active_requests((old.address,)) == {old.address: 0}

    await until(drained, f"{old.name} has no request in flight")
    await old.kill()
    await rig.observe(new, *others)


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_killed_copy_loses_nothing_that_may_be_sent_again(
    rig: Rig,
    copies: list[ModelServer],
    idempotent: bool,  # noqa: FBT001 a table's column
) -> None:
    a1, a2, *_ = copies
    await rig.observe(a1, a2)
    await rig.publish({"1": 100}, idempotent=idempotent)
    async with rig.load(200, ("/x", "/ms/20", "/slow")) as statuses:
        await until(lambda: _answered(a1, 20), "some load")
        await a1.kill()
        await asyncio.sleep(1)  # the load meets a copy that is still an endpoint
        await rig.observe(a2)
    lost = statuses.total() - statuses[200]
    assert statuses[200] > 100
    assert lost == 0 if idempotent else 0 < lost < 150, statuses


async def test_counters_survive_shifts_and_changed_endpoints(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies[:3])
    await rig.publish({"1": 100}, "2")
    for _ in range(20):
        await rig.get("/x")
    (before,) = await rig.plane.sample("digits", ("1",))
    await rig.publish({"1": 50, "2": 50})
    await rig.observe(*copies)
    copies[0].state = CopyState.DRAINING
    await rig.observe(*copies)
    await rig.publish({"1": 100}, "2")
    for _ in range(20):
        await rig.get("/x")
    (after,) = await rig.plane.sample("digits", ("1",))
    assert (after.epoch, before.requests, after.requests) == (before.epoch, 20, 40)


async def test_the_error_rate_and_the_latency_of_a_known_load_are_measured(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies)
    await rig.publish({"1": 50, "2": 50})
    began = await rig.plane.sample("digits", ("1", "2"))
    good, bad = ["/ms/50"] * 98 + ["/ms/500"] * 2, ["/x"] * 80 + ["/fail"] * 20
    took: dict[str, list[float]] = {"1": [], "2": []}

    async def timed(path: str, version: str) -> None:
        start = time.perf_counter()
        await rig.get(path, x_longshore_version=version)
        took[version].append(1000 * (time.perf_counter() - start))

    for version, paths in (("1", good), ("2", bad)):
        for some in (paths[start : start + 20] for start in range(0, 100, 20)):
            await asyncio.gather(*(timed(path, version) for path in some))
    ended = await rig.plane.sample("digits", ("1", "2"))

    old, new = ([one for one in (*began, *ended) if one.version == version] for version in ("1", "2"))
    (window,) = spans(readings(old), 0.1)
    assert (window.requests, window.errors, window.answered) == (100, 0, 100)
    # Between what the copy takes and what the client saw, whatever else the machine does; a bucket is 10% wide.
    assert 45 <= percentile(window.latency, 0.5) <= 1.1 * sorted(took["1"])[50]
    assert 450 <= percentile(window.latency, 0.99) <= 1.1 * sorted(took["1"])[99]

    worse = Check(name="worse", metric="error-rate", compare="baseline", max_increase=0.2, interval=0.1)
    measured = measure(worse, Evidence(new=tuple(new), old=tuple(old), not_before=began[0].at, now=ended[0].at))
    assert (measured.outcome, measured.value, measured.baseline) == (Outcome.FAILED, 0.2, 0.0)


async def test_a_failed_connection_counts_as_an_error_even_when_another_copy_answers(
    rig: Rig, copies: list[ModelServer]
) -> None:
    a1, a2, *_ = copies
    await rig.observe(a1, a2)
    await rig.publish({"1": 100})
    await a1.kill()
    answers = [(await rig.get("/x")).status for _ in range(10)]
    (sample,) = await rig.plane.sample("digits", ("1",))
    assert answers == [200] * 10
    assert sample.errors >= 1
    assert sample.requests == 10 + sample.errors


async def test_what_breaks_counts_as_an_error_once(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(copies[0])
    await rig.publish({"1": 100})
    statuses = [(await rig.get(path)).status for path in ("/x", "/fail", "/half", "/cut")]
    (sample,) = await rig.plane.sample("digits", ("1",))
    assert statuses == [200, 500, 0, 503]
    assert (sample.requests, sample.errors) == (4, 3)


async def _answered(copy: ModelServer, count: int) -> bool:
    return copy.answered >= count
