"""One agent for all tests that leave it alive, a target each; and an agent of its own for those that do not."""

import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from machine import Agent, Machine

_targets = count(1)


@pytest.fixture(scope="session")
def shared_agent() -> Iterator[Agent]:
    """An agent that no test may kill."""
    agent = Agent()
    agent.start()
    try:
        yield agent
        assert agent.processes() == [], "a test left copies running"
    finally:
        agent.close()


@pytest.fixture
async def machine(shared_agent: Agent) -> AsyncIterator[Machine]:
    """A target of its own with one host of four accelerators."""
    made = Machine(shared_agent, f"target-{next(_targets)}")
    await made.declared()
    yield made
    await made.clear()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent to be started and killed."""
    made = Agent()
    try:
        yield made
    finally:
        made.close()
