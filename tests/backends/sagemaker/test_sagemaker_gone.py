"""The endpoint is gone, or is not ours: told as it is, and put right where that is ours to do."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from aws_fleet import LONG, Fleet

from longshore.backends.port import BackendError
from longshore.backends.sagemaker.picture import draw
from longshore.backends.sagemaker.seen import MISSING, Endpoint, View
from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator
from longshore.planning.observed import Observation
from longshore.store.store import Store
from worker.observer import INTERVAL, LONGEST, Observer


@pytest.fixture
async def gone(fleet: Fleet) -> Fleet:
    """A fleet whose endpoint somebody deleted with all that was on it."""
    seen = await fleet.settled(2)
    assert [copy.state.value for copy in seen.copies] == ["ready", "ready"]
    for one in fleet.boto.list_inference_components()["InferenceComponents"]:
        fleet.boto.delete_inference_component(InferenceComponentName=one["InferenceComponentName"])
    fleet.clock.advance(LONG)
    fleet.boto.delete_endpoint(EndpointName="fleet")
    fleet.clock.advance(LONG)
    return fleet


def told(seen: Observation) -> list[tuple[str, str, str]]:
    return [(one.deployment, one.what, one.found) for one in seen.differences]


async def test_an_endpoint_that_is_gone_is_a_reading_without_copies_that_says_so(gone: Fleet) -> None:
    seen = await gone.backend.observe()
    assert (seen.hosts, seen.copies) == ((), ())
    assert told(seen) == [("search", "deleted", "endpoint missing")]
    assert "there is no endpoint fleet" in (seen.trouble or "")


async def test_an_endpoint_gone_right_after_a_change_is_told_at_once(fleet: Fleet) -> None:
    await fleet.settled(2)
    await fleet.ensure(1)
    now = datetime.fromtimestamp(fleet.clock.now(), UTC)
    missing = Endpoint(name="fleet", status=MISSING, variant="AllTraffic", seen_at=now)
    seen = draw(View(endpoint=missing), await fleet.backend.reader.noted(), now)
    assert (seen.copies, [one.found for one in seen.differences]) == ((), ["endpoint missing"])


async def test_the_endpoint_is_made_again_and_takes_what_a_person_wants_back(gone: Fleet, store: Store) -> None:
    await Observer("fleet", gone.backend, store).turn()
    gone.clock.advance(LONG)
    seen = await gone.settled(2, take=True)
    assert [copy.state.value for copy in seen.copies] == ["ready", "ready"]
    assert (seen.differences, seen.trouble) == ((), None)


async def test_the_observer_declares_again_what_it_sees_gone(gone: Fleet, store: Store) -> None:
    at = 0.0
    observer = Observer("fleet", gone.backend, store, clock=lambda: at)
    await observer.declare()
    gone.clock.advance(LONG)
    await observer.turn()
    gone.boto.delete_endpoint(EndpointName="fleet")
    gone.clock.advance(LONG)
    await observer.turn()
    row = await store.targets.get("fleet")
    assert row is not None
    assert "there is no endpoint fleet" in (row.trouble or "")
    at += INTERVAL
    await observer.turn()
    gone.clock.advance(LONG)
    at += LONGEST
    await observer.turn()
    await observer.turn()
    assert gone.boto.describe_endpoint(EndpointName="fleet")["EndpointStatus"] == "InService"
    row = await store.targets.get("fleet")
    assert row is not None
    assert (row.trouble, row.trouble_since) == (None, None)


async def test_a_target_that_cannot_be_read_says_why_and_is_asked_less_and_less(
    store: Store, emulator: Emulator, clock: ManualClock, calls: Counter[str]
) -> None:
    fleet = Fleet(store, emulator, clock, instances=None)
    at = 0.0
    observer = Observer("fleet", fleet.backend, store, clock=lambda: at)
    for _ in range(120):
        await observer.turn()
        at += INTERVAL
    row = await store.targets.get("fleet")
    assert row is not None
    assert "there is no endpoint fleet" in (row.trouble or "")
    assert calls["DescribeEndpoint"] == 8  # at 0, 1, 3, 7, 15, 31, 61 and 91 s


async def test_a_deployment_for_which_nothing_was_asked_has_no_copies_on_a_target_that_cannot_be_read(
    store: Store, emulator: Emulator, clock: ManualClock
) -> None:
    fleet = Fleet(store, emulator, clock, instances=None)
    seen = await fleet.backend.observe("search")
    assert (seen.hosts, seen.copies, seen.deployment) == ((), (), "search")
    assert "there is no endpoint fleet" in (seen.trouble or "")
    with pytest.raises(BackendError, match="there is no endpoint fleet"):
        await fleet.backend.observe()


async def test_nothing_is_made_on_an_endpoint_that_is_not_ours(
    store: Store, emulator: Emulator, clock: ManualClock, calls: Counter[str]
) -> None:
    fleet = Fleet(store, emulator, clock)
    variant = {"VariantName": "AllTraffic", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    fleet.boto.create_endpoint_config(
        EndpointConfigName="theirs", ProductionVariants=[variant], ExecutionRoleArn=fleet.spec.execution_role
    )
    fleet.boto.create_endpoint(EndpointName="fleet", EndpointConfigName="theirs")
    clock.advance(LONG)
    observer = Observer("fleet", fleet.backend, store)
    await observer.turn()
    with pytest.raises(BackendError) as refused:
        await fleet.ensure(1)
    assert refused.value.reason == "EndpointNotOurs"
    assert calls["CreateInferenceComponent"] == 0
    assert await store.fleet.observation("fleet") is None
