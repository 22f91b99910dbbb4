"""Fixtures of the emulator's tests: one emulator a test, over a clock that the test turns."""

from collections.abc import Iterator

import pytest
from emulated import Hosting

from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator


@pytest.fixture
def aws() -> Iterator[Hosting]:
    clock = ManualClock()
    with Emulator(clock=clock) as emulator:
        yield Hosting(emulator, clock)
