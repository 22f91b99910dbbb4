"""Serving processes behind copies: the container contract, and an end that leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from longshore.emulator.data import reaper
from longshore.emulator.data.channel import FAILURES
from longshore.emulator.data.images import ImagesError, Program, default_images, read_images
from longshore.emulator.data.model_data import ModelData
from longshore.emulator.data.processes import Container, Work

SERVER = Path(__file__).parent / "data_server.py"
ECHO = Program(command=(sys.executable, str(SERVER), "$(PORT)"))
PATIENCE = 30.0


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - what happens in another process sets no event here
            await asyncio.sleep(0.02)


class Yard:
    """Makes containers, and knows what became of them."""

    def __init__(self, folder: Path, client: httpx.AsyncClient) -> None:
        self.mark = uuid.uuid4().hex
        self.changes: list[bool] = []
        self.containers: list[Container] = []
        self._folder = folder
        self._client = client

    def start(self, program: Program = ECHO, **more: Any) -> Container:
        defaults = {"model": None, "environment": {}, "accelerators": ()}
        work = Work(f"copy-{len(self.containers)}", program, **{**defaults, **more})
        made = Container(work, self._folder / work.copy, self.mark, bring, lambda one: self.changes.append(one.ready))
        made.start(self._client)
        self.containers.append(made)
        return made

    async def asked(self, container: Container, question: Any) -> Any:
        return (await self._client.post(f"{container.channel.url}/invocations", json=question)).json()


def bring(data: ModelData, folder: Path) -> None:
    (folder / "weights.txt").write_text(data.uri)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    async with httpx.AsyncClient(trust_env=False) as client:
        made = Yard(tmp_path, client)
        yield made
        await asyncio.gather(*(container.end(5) for container in made.containers))
        assert reaper.marked(made.mark) == []


async def test_a_copy_is_ready_once_its_ping_says_200(yard: Yard) -> None:
    never, ready = yard.start(environment={"NEVER_READY": "1"}), yard.start()
    await until(lambda: ready.ready)
    assert not never.ready
    assert yard.changes == [True]


async def test_a_container_is_told_what_sagemaker_tells(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of whoever started the emulator")
    copy = yard.start(
        model=ModelData("s3://models/digits"),
        environment={"ANSWER": "42", "SAGEMAKER_BIND_TO_PORT": "1"},
        accelerators=(2, 3),
    )
    await until(lambda: copy.ready)
    told = await yard.asked(copy, "environment")
    assert (told["ANSWER"], told["CUDA_VISIBLE_DEVICES"]) == ("42", "2,3")
    assert told["SAGEMAKER_BIND_TO_PORT"] == copy.channel.url.rpartition(":")[2]
    assert told["SM_MODEL_DIR"] == f"{told['SAGEMAKER_BASE_DIR']}/model"
    assert "AWS_SECRET_ACCESS_KEY" not in told
    assert await yard.asked(copy, "model") == {"weights.txt": "s3://models/digits"}


async def test_a_process_that_dies_is_started_again(yard: Yard) -> None:
    copy = yard.start()
    await until(lambda: copy.ready)
    first = copy.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: copy.ready and copy.pid != first)
    assert yard.changes == [True, False, True]


async def test_calls_one_after_another_share_a_connection_and_those_at_once_do_not(yard: Yard) -> None:
    copy = yard.start()
    await until(lambda: copy.ready)
    channel = copy.channel
    assert channel is not None

    async def ask() -> bytes:
        reply = await channel.post(b"x", {}, PATIENCE)
        try:
            return await reply.read()
        finally:
            await reply.close()

    assert {await ask() for _ in range(10)} == {b"x"}
    assert len(channel._idle) == 1
    assert set(await asyncio.gather(*(ask() for _ in range(5)))) == {b"x"}
    assert 1 < len(channel._idle) <= 5
    await copy.end(5)
    assert channel._idle == []
    with pytest.raises(FAILURES):
        await ask()


async def test_an_ended_copy_leaves_no_child_behind(yard: Yard) -> None:
    grandchild = "import subprocess,sys; subprocess.Popen([sys.executable,'-c','import time; time.sleep(600)']).wait()"
    copy = yard.start(Program(command=(sys.executable, "-c", grandchild)))
    await until(lambda: len(reaper.marked(yard.mark)) == 2)
    await copy.end(5)
    assert reaper.marked(yard.mark) == []


async def test_who_does_not_listen_to_sigterm_is_killed(yard: Yard) -> None:
    deaf = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    copy = yard.start(Program(command=(sys.executable, "-c", deaf)))
    log = yard._folder / copy.copy / "log"
    await until(lambda: log.exists() and "deaf" in log.read_text())
    await copy.end(0.2)
    assert reaper.marked(yard.mark) == []


async def test_a_program_that_is_not_there_is_told(yard: Yard) -> None:
    copy = yard.start(Program(command=("no-such-program",)))
    await until(lambda: copy.failure is not None)
    assert "no-such-program is not a program on this machine" in str(copy.failure)


async def test_an_environment_that_no_process_can_have_is_told(yard: Yard) -> None:
    copy = yard.start(environment={"ANSWER": "a\0b"})
    await until(lambda: copy.failure is not None)
    assert "null byte" in str(copy.failure)


def test_whoever_kills_the_emulator_kills_its_copies(tmp_path: Path) -> None:
    """The reaper's pipe closes with the emulator, however that ended."""
    mark = uuid.uuid4().hex
    served = subprocess.Popen([sys.executable, str(SERVER), "0"], env={**os.environ, reaper.MARK: mark})
    watching = reaper.start(mark, tmp_path)
    assert watching.stdin is not None
    assert psutil.pid_exists(served.pid)
    watching.stdin.close()
    assert served.wait(PATIENCE) == -signal.SIGKILL
    assert watching.wait(PATIENCE) == 0
    assert not tmp_path.exists()


def test_the_first_name_that_matches_an_image_names_its_program(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text('images:\n  "*/echo:1": {command: [python, one]}\n  "*/echo:*": {command: [python, any]}\n')
    images = read_images(file)
    assert images.program_of("123.dkr.ecr.eu-central-1.amazonaws.com/echo:1") == Program(command=("python", "one"))
    assert images.program_of("123.dkr.ecr.eu-central-1.amazonaws.com/echo:2") == Program(command=("python", "any"))
    assert images.program_of("123.dkr.ecr.eu-central-1.amazonaws.com/longshore-serve:0.3.0") is not None
    assert default_images().program_of("123.dkr.ecr.eu-central-1.amazonaws.com/echo:1") is None


@pytest.mark.parametrize("text", ["images: {a: {}}", "images: {a: {command: []}}", "images: [", "other: 1"])
def test_a_registry_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(text)
    with pytest.raises(ImagesError, match=r"images\.yaml") as told:
        read_images(file)
    assert "\n" not in str(told.value)


def test_no_shell_sees_what_a_command_holds() -> None:
    arguments = Program(command=("python", "$(PORT); rm -rf $(HOME)", "$(MODEL_DIR)")).arguments({"PORT": "80"})
    assert arguments[1:] == ["80; rm -rf $(HOME)", "$(MODEL_DIR)"]
