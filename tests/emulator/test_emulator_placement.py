"""Placement: never over capacity, and whatever fits is placed."""

import pytest
from botocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st
from moto.ec2.models.instance_types import INSTANCE_TYPES

from longshore.emulator.instances import TYPES, Room
from longshore.emulator.placement import MIB_A_GIB, fits, free_on, place, take
from longshore.emulator.state import Blueprint, Container, Copy, Instance, Need

CONTAINER = Container("image", None, {})
needs = st.builds(
    Need,
    accelerators=st.integers(0, 8),
    cpus=st.sampled_from([0.0, 0.25, 1.0, 4.0, 24.0]),
    memory_mib=st.integers(128, 200 * MIB_A_GIB),
)
rooms = st.sampled_from([TYPES[name] for name in ("ml.g5.xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge", "ml.m5.large")])


def copy_of(need: Need, component: str = "llm", *, spread: bool = False) -> Copy:
    return Copy("shared", "main", component, Blueprint({None: (need, CONTAINER)}, spread=spread), 0.0)


def put(copies: list[Copy], instances: list[Instance]) -> list[Copy]:
    """Place copies one after another; those that found room."""
    placed: list[Copy] = []
    for copy in copies:
        if (found := place(copy, instances, placed)) is not None:
            copy.instance, copy.accelerators = found
            placed.append(copy)
    return placed


def instance(room: Room) -> Instance:
    return Instance("any", room)


@given(st.lists(needs, max_size=12), st.lists(rooms, max_size=4), st.booleans())
def test_no_instance_ever_holds_more_than_it_has(wanted: list[Need], given_rooms: list[Room], spread: bool) -> None:  # noqa: FBT001
    instances = [instance(room) for room in given_rooms]
    placed = put([copy_of(need, spread=spread) for need in wanted], instances)
    for each in instances:
        here = [copy for copy in placed if copy.instance is each]
        indices = [index for copy in here for index in copy.accelerators]
        assert len(indices) == len(set(indices)) == sum(copy.need.accelerators for copy in here)
        assert set(indices) <= set(range(each.room.accelerators))
        assert sum(copy.need.cpus for copy in here) <= each.room.vcpus
        assert sum(copy.need.memory_mib for copy in here) <= each.room.memory_gib * MIB_A_GIB


@given(st.lists(needs, max_size=12), st.lists(rooms, max_size=4), st.booleans())
def test_whatever_fits_somewhere_is_placed(wanted: list[Need], given_rooms: list[Room], spread: bool) -> None:  # noqa: FBT001
    instances = [instance(room) for room in given_rooms]
    copies = [copy_of(need, spread=spread) for need in wanted]
    placed = put(copies, instances)
    for copy in copies:
        if copy.instance is None:
            for each in instances:
                held = [(other.need, other.accelerators) for other in placed if other.instance is each]
                need, _ = copy.blueprint.on(each.type) or (Need(), CONTAINER)
                assert not fits(need, free_on(each.room, held))


@given(needs, rooms)
def test_what_is_taken_is_what_is_missing_after(need: Need, room: Room) -> None:
    empty = free_on(room, ())
    if fits(need, empty):
        held = [(need, empty.accelerators[: need.accelerators])]
        assert take(need, empty) == free_on(room, held)


def test_spread_puts_copies_on_as_many_instances_as_it_can() -> None:
    instances = [instance(TYPES["ml.g5.12xlarge"]) for _ in range(3)]
    placed = put([copy_of(Need(accelerators=1), spread=True) for _ in range(3)], instances)
    assert len({id(copy.instance) for copy in placed}) == 3


def test_packing_fills_an_instance_before_the_next() -> None:
    instances = [instance(TYPES["ml.g5.12xlarge"]) for _ in range(3)]
    placed = put([copy_of(Need(accelerators=1)) for _ in range(5)], instances)
    assert [instances.index(copy.instance) for copy in placed if copy.instance] == [0, 0, 0, 0, 1]


def test_a_copy_goes_only_where_it_has_a_specification_for() -> None:
    only = Blueprint({"ml.g6.12xlarge": (Need(accelerators=1), CONTAINER)})
    copy = Copy("shared", "main", "llm", only, 0.0)
    five, six = (Instance(kind, TYPES[kind]) for kind in ("ml.g5.12xlarge", "ml.g6.12xlarge"))
    assert place(copy, [five], []) is None
    found = place(copy, [five, six], [])
    assert found is not None
    assert found[0] is six


@pytest.mark.parametrize("name", TYPES)
def test_an_instance_has_what_ec2_says_of_its_type(name: str) -> None:
    said = INSTANCE_TYPES[name.removeprefix("ml.")]
    devices = (
        said.get("GpuInfo", {}).get("Gpus") or said.get("InferenceAcceleratorInfo", {}).get("Accelerators")
    ) or []
    room = TYPES[name]
    assert room.vcpus == said["VCpuInfo"]["DefaultVCpus"]
    assert room.memory_gib * MIB_A_GIB == said["MemoryInfo"]["SizeInMiB"]
    assert room.accelerators == sum(device["Count"] for device in devices)
    for device in devices:
        assert (room.accelerator or "").endswith(device["Name"])
        assert 0.9 < device["MemoryInfo"]["SizeInMiB"] / (room.accelerator_gib * MIB_A_GIB) <= 1.01


def test_every_type_of_the_table_is_one_that_sagemaker_hosts_on() -> None:
    model = get_session().get_service_model("sagemaker")
    known = set(model.shape_for("ProductionVariantInstanceType").metadata["enum"])
    assert set(TYPES) <= known
