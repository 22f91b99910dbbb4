"""The shared endpoint: made once, changed when the target changes, and left alone where it is not ours."""

from collections import Counter

import pytest
from aws_fleet import LONG, Fleet

from longshore.backends.port import BackendError
from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator
from longshore.store.store import Store


def configs(fleet: Fleet) -> list[str]:
    return [one["EndpointConfigName"] for one in fleet.boto.list_endpoint_configs()["EndpointConfigs"]]


async def test_declared_twice_it_is_made_once(fleet: Fleet, calls: Counter[str]) -> None:
    await fleet.another_worker().declare(())
    assert (calls["CreateEndpoint"], calls["CreateEndpointConfig"], calls["UpdateEndpoint"]) == (0, 0, 0)
    assert len(configs(fleet)) == 1


async def test_other_instances_are_another_configuration_and_the_old_one_goes(
    fleet: Fleet, store: Store, emulator: Emulator, clock: ManualClock
) -> None:
    await fleet.settled(1)
    more = Fleet(store, emulator, clock, instances={"type": "ml.g5.12xlarge", "min": 1, "max": 5})
    await more.backend.declare(())
    await more.backend.declare(())
    clock.advance(LONG)
    await more.backend.declare(())
    seen = await more.backend.observe()
    assert sum(host.obtainable for host in seen.hosts) == 4
    assert [copy.state.value for copy in seen.copies] == ["ready"]
    assert len(configs(more)) == 1


async def test_a_strangers_endpoint_is_used_as_it_is_and_never_changed(
    store: Store, emulator: Emulator, clock: ManualClock
) -> None:
    ours = Fleet(store, emulator, clock)
    variant = {"VariantName": "AllTraffic", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1}
    ours.boto.create_endpoint_config(
        EndpointConfigName="theirs", ProductionVariants=[variant], ExecutionRoleArn=ours.spec.execution_role
    )
    ours.boto.create_endpoint(EndpointName="fleet", EndpointConfigName="theirs")
    clock.advance(LONG)
    with pytest.raises(BackendError) as told:
        await ours.backend.declare(())
    assert (told.value.reason, told.value.retryable) == ("EndpointNotOurs", False)
    as_it_is = await Fleet(store, emulator, clock, instances=None).ready()
    seen = await as_it_is.settled(1)
    assert [copy.state.value for copy in seen.copies] == ["ready"]
    assert [host.obtainable for host in seen.hosts] == [False]


async def test_an_endpoint_that_is_missing_or_has_another_variant_is_told_with_the_cure(
    fleet: Fleet, store: Store, emulator: Emulator, clock: ManualClock
) -> None:
    for changes, reason in (
        ({"endpoint": "none", "instances": None}, "EndpointMissing"),
        ({"variant": "Other", "instances": None}, "VariantMissing"),
    ):
        with pytest.raises(BackendError) as told:
            await Fleet(store, emulator, clock, **changes).backend.declare(())
        assert told.value.reason == reason


async def test_copies_wait_for_an_endpoint_that_is_being_made_and_one_that_failed_is_made_anew(
    store: Store, emulator: Emulator, clock: ManualClock
) -> None:
    emulator.faults.set(capacity={"ml.g5.12xlarge": 0})
    fleet = Fleet(store, emulator, clock)
    await fleet.backend.declare(())
    level = fleet.level(1)
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(level)
    assert (told.value.reason, told.value.retryable) == ("EndpointNotReady", True)
    clock.advance(2 * LONG)
    assert fleet.boto.describe_endpoint(EndpointName="fleet")["EndpointStatus"] == "Failed"
    emulator.faults.clear()
    for _ in range(3):
        with pytest.raises(BackendError):
            await fleet.backend.ensure(level)
        clock.advance(60)
    clock.advance(LONG)
    await fleet.backend.ensure(level)
    assert [copy.state.value for copy in (await fleet.later()).copies] == ["ready"]
