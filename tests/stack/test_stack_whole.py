"""The whole stack: all parts, well by the doctor's word, and well again after each was killed."""

import asyncio
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from stack_processes import eventually, processes_of

from longshore.backends.local.backend import LocalBackend
from longshore.backends.port import CopiesLevel
from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState
from longshore.settings import Settings
from longshore.spec.model_version import ModelVersionSpec
from longshore.stack.doctor import doctor
from longshore.stack.down import down
from longshore.stack.state import StackState, read
from longshore.stack.temporal import WORKER_DEPLOYMENT
from longshore.stack.up import up
from worker.main import DEPLOYMENT_NAME

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def stack() -> Iterator[Settings]:
    """A whole stack, shared by the tests of this file; each leaves it well."""
    folder = Path(tempfile.mkdtemp(prefix="ls-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("LONGSHORE_", "TEMPORAL_"))]:
            patch.delenv(name)
        patch.setenv("LONGSHORE_HOME", str(folder))
        patch.setenv("LONGSHORE_PORT_BASE", "auto")
        settings = Settings.from_environment()
        try:
            up(settings)
            yield Settings.from_environment()
        finally:
            down(settings, purge=True)
            shutil.rmtree(folder, ignore_errors=True)
    assert processes_of(folder) == []


def state_of(stack: Settings) -> StackState:
    state = read(stack.home / "run" / "stack.json")
    assert state is not None
    return state


def test_doctor_finds_everything_well(stack: Settings) -> None:
    report = doctor(stack)
    assert report.ok, "\n".join(report.lines())
    looked_at = {check.name for check in report.checks}
    assert looked_at >= {"temporal", "postgres", "envoy", "home", "disk", "ports", "worker", "routes", "api", "agent"}


def test_the_admin_key_of_the_home_opens_the_api_and_nobody_else_may_read_it(stack: Settings) -> None:
    url = f"{stack.api_url}/v1/deployments"
    assert httpx.get(url).status_code == 401
    answer = httpx.get(url, headers={"Authorization": f"Bearer {stack.api_key()}"})
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert stack.admin_key_file.stat().st_mode & 0o077 == 0


def test_another_up_changes_neither_processes_nor_key(stack: Settings) -> None:
    before, key = state_of(stack), stack.api_key()
    assert not up(stack).started
    assert state_of(stack) == before
    assert stack.api_key() == key


def test_the_stack_and_the_worker_mean_the_same_worker_deployment() -> None:
    assert WORKER_DEPLOYMENT == DEPLOYMENT_NAME


@pytest.mark.parametrize("victim", ["postgres", "temporal", "envoy", "api", "worker", "agent"])
def test_a_killed_part_comes_back_and_all_is_well_again(stack: Settings, victim: str) -> None:
    before = state_of(stack).parts[victim]
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: state_of(stack).parts[victim].restarts > before.restarts and state_of(stack).ready)
    assert state_of(stack).parts[victim].pid != before.pid
    eventually(lambda: doctor(stack).ok)


def test_copies_end_with_down_and_come_back_with_up(stack: Settings, tmp_path: Path) -> None:
    backend = LocalBackend("machine", stack.agent_socket)
    artifact = tmp_path / "model"
    artifact.write_text("weights")
    (first,) = asyncio.run(ready_copies(backend, level_of(artifact, copies=1)))
    assert first.address is not None
    down(stack)
    assert listener_of(first.address) is None
    up(stack)
    (second,) = asyncio.run(ready_copies(backend, None))
    assert second.address is not None
    assert httpx.get(f"http://{second.address}/").status_code == 200
    asyncio.run(backend.ensure(level_of(artifact, copies=0)))


def level_of(artifact: Path, copies: int) -> CopiesLevel:
    digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "$(PORT)"]
    spec = {
        "artifact": {"uri": f"file://{artifact}", "digest": f"sha256:{digest}"},
        "server": {"command": command, "ready": "/", "protocol": "http"},
    }
    return CopiesLevel(
        deployment="kept",
        model="kept",
        version="1",
        copies=copies,
        spec=ModelVersionSpec.model_validate(spec),
        fence=Fence(operation=1, step=2 - copies),
    )


async def ready_copies(backend: LocalBackend, level: CopiesLevel | None) -> tuple[Copy, ...]:
    """Bring the level about, if one is given, and wait until every copy is ready."""
    if level is not None:
        await backend.ensure(level)
    deadline = time.monotonic() + 30
    while True:
        copies = (await backend.observe("kept")).copies
        if copies and all(copy.state is CopyState.READY for copy in copies):
            return copies
        assert time.monotonic() < deadline, copies
        await asyncio.sleep(0.1)


def listener_of(address: str) -> int | None:
    port = int(address.rpartition(":")[2])
    connections = psutil.net_connections(kind="tcp")
    return next((one.pid for one in connections if one.status == psutil.CONN_LISTEN and one.laddr.port == port), None)
