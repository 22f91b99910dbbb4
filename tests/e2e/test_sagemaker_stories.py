"""The rollout stories of `tests/scenarios` on SageMaker as the emulator has it: the same events, and the same ends.

They are played side by side, each on an endpoint of its own: a platform that serves one model at a time is none.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from e2e_stack import Stack
from sagemaker_player import Player, Story

IMAGE = "stories:1"
CONTAINER = Path(__file__).with_name("e2e_container.py")
STORIES = (
    "one-copy",
    "bad-version-is-rolled-back",
    "no-spare-accelerator",
    "abort-retry-promote",
    "undo-returns-to-the-version-before",
    "scale-then-retire",
    "a-version-that-never-starts-then-a-good-one",
    "blue-green-that-fails-after-the-switch-is-switched-back",
    "a-newer-version-during-a-rollout",
    "scale-while-paused-and-while-baking",
)
AT_ONCE = 5
"""More would keep two cores from answering in time."""

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    """A stack with the emulator in it, whose one image is a server of the standard library."""
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))  # short, for sockets lie in it
    images = home / "images.json"
    images.write_text(json.dumps({"images": {IMAGE: {"command": [sys.executable, "-I", "-S", str(CONTAINER)]}}}))
    stack = Stack(home, LONGSHORE_EMULATE="sagemaker", LONGSHORE_EMULATOR_IMAGES=str(images))
    try:
        stack.up()
        yield Player(stack, stack.aws, IMAGE)
    finally:
        stack.run("down", "--purge")
        shutil.rmtree(home, ignore_errors=True)
    left = [process.pid for process in psutil.process_iter() if str(CONTAINER) in " ".join(_command(process))]
    assert left == []


def test_they_end_as_rehearsed(player: Player) -> None:
    stories = [Story(name) for name in STORIES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = {story.name: pool.submit(player.play, story) for story in stories}
    wrong = {name: str(end.exception()) for name, end in ends.items() if end.exception()}
    assert wrong == {}


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
