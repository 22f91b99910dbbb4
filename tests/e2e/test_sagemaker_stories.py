"""The rollout stories of `tests/scenarios` on SageMaker as the emulator has it: the same events, and the same ends.

They are played side by side, each on an endpoint of its own: a platform that serves one model at a time is none.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sagemaker_player import Player, Story

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


def test_they_end_as_rehearsed(player: Player) -> None:
    stories = [Story(name) for name in STORIES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = {story.name: pool.submit(player.play, story) for story in stories}
    wrong = {name: str(end.exception()) for name, end in ends.items() if end.exception()}
    assert wrong == {}
