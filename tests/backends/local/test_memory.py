"""A copy may hold the memory that its version asked for, and no more."""

import pytest
from machine import Machine, ready

from longshore.backends.local import memory
from longshore.planning.observed import CopyState

pytestmark = pytest.mark.skipif(not memory.LIMITED, reason="this system does not tell what a process holds")


def resources(gib: float) -> dict[str, object]:
    return {"resources": {"accelerators": 1, "acceleratorMemoryGiB": 16, "memoryGiB": gib}}


async def test_a_copy_that_outgrows_its_memory_is_ended_and_says_by_how_much(machine: Machine) -> None:
    await machine.ensure(flags=("--hoard", "300"), spec=resources(0.1))
    seen = await machine.until(lambda seen: any(copy.reason == "MemoryExceeded" for copy in seen.copies))
    (copy,) = seen.copies
    assert copy.state in {CopyState.UNREADY, CopyState.STARTING, CopyState.FAILED}
    assert copy.message is not None
    assert "memoryGiB allows 0.1" in copy.message


async def test_a_copy_within_its_memory_serves_on(machine: Machine) -> None:
    await machine.ensure(flags=("--hoard", "50"), spec=resources(2))
    (copy,) = (await machine.until(ready(1))).copies
    held = memory.held_gib(machine.process_of(copy).pid)
    assert 50 / 1024 < held < 0.2


def test_what_is_gone_holds_nothing() -> None:
    assert memory.held_gib(2**22 + 1) == 0
