"""Levels against a real agent and real processes."""

from collections import Counter

import pytest
from machine import Machine, nothing_left, ready, states

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import CopyState


async def test_a_level_starts_copies_that_become_ready_on_accelerators_and_ports_of_their_own(machine: Machine) -> None:
    first = await machine.backend.ensure(machine.level(copies=3))
    assert states(first) == Counter({CopyState.STARTING: 3})

    seen = await machine.until(ready(3))
    assert sorted(copy.accelerators for copy in seen.copies) == [(0,), (1,), (2,)]
    assert len({copy.address for copy in seen.copies}) == 3
    assert all(copy.ready_at is not None and copy.reason is None for copy in seen.copies)
