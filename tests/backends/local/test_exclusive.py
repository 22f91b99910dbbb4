"""Whatever is asked, in whatever order: no accelerator and no port is ever given to two copies."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.backends.local.fleet import Fleet
from longshore.backends.local.placement import Device
from longshore.backends.local.record import after_exit
from longshore.backends.port import CopiesLevel
from longshore.planning.fence import Fence
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

GPUS = tuple(Device(key=f"GPU-{n}", memory_gib=memory, cuda=f"GPU-{n}") for n, memory in enumerate((24, 24, 80, 80)))
TARGETS = {
    "found": (),
    "declared": (Host(name="a", accelerators=1, accelerator_memory_gib=40), Host(name="b", accelerators=2)),
    "virtual": (Host(name="a", accelerators=3), Host(name="b", accelerators=3)),
}

asked = st.fixed_dictionaries(
    {
        "target": st.sampled_from(sorted(TARGETS)),
        "deployment": st.sampled_from(["digits", "letters"]),
        "version": st.sampled_from(["1", "2"]),
        "copies": st.integers(0, 4),
        "surplus": st.sampled_from(["drain", "end"]),
        "accelerators": st.integers(0, 3),
        "memory": st.sampled_from([0, 40, 100]),
        "gone": st.integers(0, 2),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(asked, max_size=12))
def test_no_accelerator_and_no_port_is_given_to_two_copies(history: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), "here", GPUS)
        for target, hosts in TARGETS.items():
            fleet.declare(target, hosts)
        for step, one in enumerate(history):
            fleet.ensure(str(one["target"]), level(one, step))
            let_end(fleet, int(str(one["gone"])))
            check(fleet)


def level(one: dict[str, object], step: int) -> CopiesLevel:
    spec = {
        "artifact": {"uri": "file:///m", "digest": "sha256:" + "0" * 64},
        "server": {"command": ["serve"]},
        "resources": {"accelerators": one["accelerators"], "acceleratorMemoryGiB": one["memory"]},
    }
    return CopiesLevel(
        deployment=str(one["deployment"]),
        model="m",
        version=str(one["version"]),
        copies=int(str(one["copies"])),
        surplus="end" if one["surplus"] == "end" else "drain",
        spec=ModelVersionSpec.model_validate(spec),
        fence=Fence(operation=1, step=step),
    )


def let_end(fleet: Fleet, most: int) -> None:
    """Some processes of ending copies are gone now."""
    for state in fleet.durable.states():
        for copy in [copy for copy in state.copies if copy.ending][:most]:
            assert after_exit(copy, "Exited", "", copy.created_at) is None
            fleet.durable.save(fleet.durable.state(state.target, state.deployment).without_copy(copy.id))
        fleet.settle(state.target, state.deployment)


def check(fleet: Fleet) -> None:
    copies = [copy for state in fleet.durable.states() for copy in state.copies]
    devices = Counter(device for copy in copies for device in copy.slot.devices)
    assert not [device for device, holders in devices.items() if holders > 1]
    assert len({copy.port for copy in copies}) == len(copies)
    memory = {gpu.key: gpu.memory_gib for gpu in GPUS}
    for state in fleet.durable.states():
        for version, wanted in state.levels.items():
            serving = [copy for copy in state.of_version(version) if not copy.ending and not copy.draining]
            assert len(serving) <= wanted.copies
        for copy in state.copies:
            assert len(copy.slot.devices) == len(copy.slot.accelerators)
            assert all(device in memory or "/" in device for device in copy.slot.devices)
    for state in Fleet(fleet.folder, "here", GPUS).durable.states():
        assert state == fleet.durable.state(state.target, state.deployment), "disk and memory agree"
