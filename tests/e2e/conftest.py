"""One stack for each file of stories, in a short home of its own; nothing is left behind."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from e2e_stack import Stack
from sagemaker_player import CONTAINER, IMAGE, Player


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack that is up, with a target."""
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))  # short, for sockets lie in it
    stack = Stack(home)
    try:
        stack.up()
        stack.given_target()
        yield stack
    finally:
        stack.run("down", "--purge")
        left = [life["pid"] for life in stack.lives.living()]
        shutil.rmtree(home, ignore_errors=True)
    left += [process.pid for process in psutil.process_iter() if str(home) in " ".join(_command(process))]
    assert left == []


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    """A stack with the SageMaker emulator in it, whose one image is a server of the standard library."""
    home = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    images = home / "images.json"
    command = [sys.executable, "-I", "-S", str(CONTAINER), f"--of={home}"]  # so that what is left of it can be told
    images.write_text(json.dumps({"images": {IMAGE: {"command": command}}}))
    stack = Stack(home, LONGSHORE_EMULATE="sagemaker", LONGSHORE_EMULATOR_IMAGES=str(images))
    try:
        stack.up()
        yield Player(stack, stack.aws)
    finally:
        stack.run("down", "--purge")
        shutil.rmtree(home, ignore_errors=True)
    left = [process.pid for process in psutil.process_iter() if str(home) in " ".join(_command(process))]
    assert left == []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
