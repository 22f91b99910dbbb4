"""What holds for every rehearsal: the same file gives the same answer, and nothing of it outlives its caller."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

HERE = Path(__file__).parent
SHORT = HERE / "bad-version-is-rolled-back.yaml"
WITHIN = 60.0


def _burn() -> None:
    while True:
        sum(range(10_000))


@pytest.fixture
def load() -> Iterator[None]:
    """Two processes that only burn."""
    burners = [multiprocessing.get_context("fork").Process(target=_burn, daemon=True) for _ in range(2)]
    for burner in burners:
        burner.start()
    yield
    for burner in burners:
        burner.kill()
        burner.join()


def _command(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "longshore.cli", "rehearse", "-f", str(path), *options]


def _answer(path: Path) -> dict[str, Any]:
    ran = subprocess.run(_command(path, "-o", "json"), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.mark.usefixtures("load")
@pytest.mark.slow
def test_ten_runs_under_load_give_the_same_answer_to_the_byte() -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(_answer, [SHORT] * 10))

    assert [answer for answer in answers if answer != answers[0]] == []


def test_what_cannot_be_rehearsed_is_a_line_with_its_place_and_cure(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(SHORT.read_text().replace("do: apply", "do: aply"))

    ran = subprocess.run(_command(path), capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"{path}:14: spec.timeline[0].do: unknown verb `aply`")


def test_what_does_not_fit_is_said_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text(SHORT.read_text().replace("copies: 2", "copies: 20"))

    ran = subprocess.run(_command(path), capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("given codegen: 8 of 20 copies of version 1 fit on the hosts")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way of it, elsewhere a watching process's")
def test_a_rehearsal_whose_caller_is_killed_leaves_no_process() -> None:
    caller = subprocess.Popen(_command(SHORT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ours = _until(lambda: _below(caller.pid), lambda found: len(found) >= 3)

    os.kill(caller.pid, signal.SIGKILL)
    caller.communicate()

    assert (
        _until(lambda: [one for one in ours if one.is_running() and one.status() != "zombie"], lambda left: not left)
        == []
    )


def _below(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _until(look: Any, enough: Any) -> Any:
    deadline = time.monotonic() + WITHIN
    while not enough(found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
