"""One machine a test, with an agent that runs."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from machine import Machine, new_home


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    """An agent that runs and knows its hosts; nothing of it is left afterwards."""
    home = new_home()
    made = Machine(home)
    try:
        made.start()
        await made.answering()
        yield made
    finally:
        await made.close()
        shutil.rmtree(home)
