"""The agent's decisions as tables: levels, exits, places, CPUs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from longshore.backends.local.levels import Steps, steps_to
from longshore.backends.local.limits import BACKOFF_MOST, HEALTHY_AFTER
from longshore.backends.local.placement import Device, choose_cpus, place, places_of
from longshore.backends.local.record import CopyRecord, Slot, after_exit, after_ready, after_spawn, backoff
from longshore.backends.port import CopiesLevel
from longshore.planning.fence import Fence
from longshore.planning.observed import CopyState
from longshore.spec.model_version import ModelVersionSpec, Resources
from longshore.spec.target import Host

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPEC = ModelVersionSpec.model_validate(
    {"artifact": {"uri": "file:///m", "digest": "sha256:" + "0" * 64}, "server": {"command": ["serve"]}}
)


def copy(name: str, **changes: Any) -> CopyRecord:
    """A ready copy; the later its name in the alphabet, the newer it is."""
    age = {"created_at": NOON + timedelta(seconds=ord(name[0]))}
    host = changes.pop("host", "a")
    given = {"pid": 100, "ready": True, "ready_at": NOON, **age, **changes}
    return CopyRecord(id=name, model="digits", version="1", slot=Slot(host=host), port=20_000, **given)


def level(copies: int, surplus: str = "end", **changes: Any) -> CopiesLevel:
    given = {
        "deployment": "digits",
        "model": "digits",
        "version": "1",
        "spec": SPEC,
        "fence": Fence(operation=1, step=1),
    }
    return CopiesLevel.model_validate({**given, "copies": copies, "surplus": surplus, **changes})


STARTING = {"ready": False, "ready_at": None}
FAILED = {"ready": False, "ready_at": None, "failed": True, "pid": None}


@pytest.mark.parametrize(
    ("wanted", "there", "steps"),
    [
        pytest.param(level(2), [copy("a"), copy("b")], Steps(), id="a level that is reached asks for nothing"),
        pytest.param(level(3), [copy("a")], Steps(start=2), id="missing copies are started"),
        pytest.param(level(1), [copy("a"), copy("b")], Steps(end=("b",)), id="the newest is surplus"),
        pytest.param(
            level(1), [copy("a", **STARTING), copy("b")], Steps(end=("a",)), id="one that is not ready is surplus first"
        ),
        pytest.param(
            level(2),
            [copy("a", **FAILED), copy("b", **STARTING), copy("c")],
            Steps(end=("a",)),
            id="a failed one is surplus before all others",
        ),
        pytest.param(level(1, "drain"), [copy("a"), copy("b")], Steps(drain=("b",)), id="surplus drains where told"),
        pytest.param(
            level(0, "drain"), [copy("a", draining=True)], Steps(), id="what drains goes on draining until told to end"
        ),
        pytest.param(level(0), [copy("a", draining=True)], Steps(end=("a",)), id="what drains ends when told"),
        pytest.param(
            level(0, "drain"),
            [copy("a", **FAILED), copy("b", **STARTING, pid=None)],
            Steps(end=("a", "b")),
            id="a copy without a process has nothing to drain",
        ),
        pytest.param(
            level(2, "drain"),
            [copy("a"), copy("b", draining=True), copy("c", draining=True)],
            Steps(recall=("b",)),
            id="a warm copy is taken back before one is started",
        ),
        pytest.param(
            level(1),
            [copy("a", draining=True, ready=False), copy("b", draining=True)],
            Steps(recall=("b",), end=("a",)),
            id="a ready one is taken back before one that is not",
        ),
        pytest.param(
            level(1),
            [copy("a", ending=True)],
            Steps(start=1),
            id="what is ending is past recall and counts for nothing",
        ),
        pytest.param(level(1), [copy("a", **FAILED)], Steps(), id="a failed copy is not replaced"),
        pytest.param(
            level(2, placement={"a": 1, "b": 1}),
            [copy("a"), copy("b"), copy("c", host="b")],
            Steps(end=("b",)),
            id="surplus is where the placement has fewer",
        ),
        pytest.param(level(2, placement={"b": 2}), [copy("a"), copy("b")], Steps(), id="a serving copy is never moved"),
    ],
)
def test_steps_to_a_level(wanted: CopiesLevel, there: list[CopyRecord], steps: Steps) -> None:
    assert steps_to(wanted, there) == steps


def exits(record: CopyRecord, times: int) -> CopyRecord | None:
    """The record after so many exits in a row, started again after each."""
    for _ in range(times):
        ended = after_exit(record, "Exited", "why", NOON)
        if ended is None or ended.failed:
            return ended
        record = after_spawn(ended, 100, 1.0, NOON)
    return ended


def test_a_third_exit_before_ever_being_ready_is_a_failure() -> None:
    fresh = copy("a", **STARTING)
    assert [ended.state for n in (1, 2, 3) if (ended := exits(fresh, n))] == [
        CopyState.STARTING, CopyState.STARTING, CopyState.FAILED,
    ]  # fmt: skip


def test_a_copy_that_was_ready_once_never_fails_for_good() -> None:
    ended = exits(copy("a"), 50)
    assert ended is not None
    assert (ended.state, ended.restarts) == (CopyState.UNREADY, 50)
    assert ended.not_before == NOON + timedelta(seconds=BACKOFF_MOST)


def test_a_copy_that_served_long_enough_has_its_exits_forgiven() -> None:
    crashed = exits(copy("a"), 9)
    assert crashed is not None
    healed = after_ready(after_spawn(crashed, 100, 1.0, NOON), NOON)
    soon = after_exit(healed, "Exited", "why", NOON + timedelta(seconds=HEALTHY_AFTER / 2))
    late = after_exit(healed, "Exited", "why", NOON + timedelta(seconds=HEALTHY_AFTER))
    assert soon is not None
    assert late is not None
    assert (soon.exits, late.exits) == (10, 1)


def test_an_exit_of_a_copy_that_drains_or_ends_is_its_end() -> None:
    assert after_exit(copy("a", draining=True), "Exited", "why", NOON) is None
    assert after_exit(copy("a", ending=True), "Exited", "why", NOON) is None


def test_back_off_doubles_and_is_bounded() -> None:
    assert [backoff(n) for n in (1, 2, 3, 6, 7, 8, 10_000)] == [0.5, 1, 2, 16, 30, 30, 30]


GPUS = tuple(Device(key=f"GPU-{n}", memory_gib=memory, cuda=f"GPU-{n}") for n, memory in enumerate((24, 80, 80)))


@pytest.mark.parametrize(
    ("declared", "found", "keys"),
    [
        pytest.param([], GPUS, {"here": ["GPU-0", "GPU-1", "GPU-2"]}, id="without declarations, what NVML finds"),
        pytest.param([], (), {"here": []}, id="without a GPU, a host with none"),
        pytest.param(
            [Host(name="a", accelerators=1, accelerator_memory_gib=40), Host(name="b", accelerators=1)],
            GPUS,
            {"a": ["GPU-1"], "b": ["GPU-0"]},
            id="declared ones are real GPUs that suffice, each once",
        ),
        pytest.param(
            [Host(name="a", accelerators=4)],
            GPUS,
            {"a": ["t/a/0", "t/a/1", "t/a/2", "t/a/3"]},
            id="too few real ones, and all are virtual",
        ),
    ],
)
def test_places_of_a_target(declared: list[Host], found: tuple[Device, ...], keys: dict[str, list[str]]) -> None:
    places = places_of("t", declared, "here", found)
    assert {host.name: [device.key for device in host.devices] for host in places} == keys


def slot_on(free: dict[str, int], accelerators: int, **more: Any) -> str | None:
    """The host of a slot where hosts have so many free accelerators."""
    hosts = places_of("t", [Host(name=name, accelerators=count) for name, count in free.items()], "here", ())
    slot = place(hosts, set(), Resources(accelerators=accelerators), **{"wanted": {}, "serving": {}, **more})
    return slot and slot.host


@pytest.mark.parametrize(
    ("free", "accelerators", "more", "host"),
    [
        pytest.param({"a": 4, "b": 2}, 2, {}, "b", id="the least room that suffices"),
        pytest.param({"b": 2, "a": 2}, 1, {}, "a", id="of equals the first by name"),
        pytest.param({"a": 1, "b": 1}, 2, {}, None, id="a copy never spans hosts"),
        pytest.param({"a": 1, "b": 4}, 1, {"wanted": {"b": 1}}, "b", id="the caller's placement before best fit"),
        pytest.param({"a": 1, "b": 4}, 1, {"wanted": {"b": 1}, "serving": {"b": 1}}, "a", id="but not beyond it"),
        pytest.param({"a": 1, "b": 0}, 1, {"wanted": {"b": 1}}, "a", id="a placement without room is not waited for"),
        pytest.param({"a": 0, "b": 0}, 0, {"serving": {"a": 2, "b": 1}}, "b", id="without accelerators, spread evenly"),
    ],
)
def test_the_host_of_a_new_copy(
    free: dict[str, int], accelerators: int, more: dict[str, Any], host: str | None
) -> None:
    assert slot_on(free, accelerators, **more) == host


@pytest.mark.parametrize(
    ("cpus", "load", "chosen"),
    [
        pytest.param(None, {}, (), id="without a number, all"),
        pytest.param(1.0, {}, (0,), id="the first"),
        pytest.param(1.0, {0: 1}, (1,), id="the least used"),
        pytest.param(1.5, {0: 1}, (1, 2), id="whole ones, rounded up"),
        pytest.param(4.0, {}, (), id="as many as there are is all"),
    ],
)
def test_the_cpus_of_a_copy(cpus: float | None, load: dict[int, int], chosen: tuple[int, ...]) -> None:
    assert choose_cpus({0, 1, 2, 3}, load, cpus) == chosen
