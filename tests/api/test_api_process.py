"""`python -m longshore.api` as a process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api_world import free_port

from longshore.store.database import Database
from longshore.store.store import Store

DEADLINE = 60.0


class Process:
    """An API process on free ports."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.port, self.discovery_port = free_port(), free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "LONGSHORE_HOME": str(home),
            "LONGSHORE_DATABASE_URL": database_url,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
            "LONGSHORE_API_LISTEN": f"127.0.0.1:{self.port}",
            "LONGSHORE_DISCOVERY_LISTEN": f"127.0.0.1:{self.discovery_port}",
        }
        self.log = home / "api.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "longshore.api"], env=environment, stderr=log)

    async def answers(self, client: httpx.AsyncClient) -> None:
        """Wait until it does."""
        async with asyncio.timeout(DEADLINE):
            while True:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    assert (await client.get("/healthz")).status_code == 200
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def ends(self) -> int:
        """Wait until it has; the exit code."""
        return await asyncio.wait_for(asyncio.to_thread(self.process.wait), DEADLINE)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for one in started:
        one.process.kill()
        one.process.wait()


async def test_it_starts_before_its_database_and_logs_json_without_secrets(
    tmp_path: Path, processes: list[Process]
) -> None:
    process = Process(f"postgresql://ada:hunter2@127.0.0.1:{free_port()}/longshore", tmp_path)
    processes.append(process)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=DEADLINE) as client:
        await process.answers(client)
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.get("/v1/targets", headers={"Authorization": "Bearer lsk_0123_s3cret"})
        assert answer.status_code == 503
    _, gateway = await asyncio.open_connection("127.0.0.1", process.discovery_port)
    gateway.close()
    process.process.send_signal(signal.SIGTERM)
    assert await process.ends() == 0
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert {line["part"] for line in lines} == {"api"}
    assert not any("color_message" in line for line in lines)
    assert any(line.get("request") == answer.headers["x-request-id"] for line in lines)
    assert "hunter2" not in process.log.read_text()
    assert "s3cret" not in process.log.read_text()


async def test_told_to_end_it_lets_followers_go_and_ends(
    tmp_path: Path, processes: list[Process], postgres_url: str
) -> None:
    database = Database.connect(postgres_url)
    _, key = await Store(database).keys.create("ada")
    await database.dispose()
    process = Process(postgres_url, tmp_path)
    processes.append(process)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=DEADLINE) as client:
        await process.answers(client)
        async with client.stream("GET", "/v1/events", headers=headers) as answer:
            chunks = answer.aiter_bytes()
            assert b"id: 0" in await anext(chunks)
            process.process.send_signal(signal.SIGTERM)
            assert await process.ends() == 0
            assert b"".join([chunk async for chunk in chunks]).replace(b": ping\n\n", b"") == b""


@pytest.mark.parametrize(
    ("environment", "code", "says"),
    [
        ({}, 2, "LONGSHORE_DATABASE_URL"),
        ({"LONGSHORE_DATABASE_URL": "mysql://ada:hunter2@localhost/x"}, 2, "postgresql://"),
        ({"LONGSHORE_DATABASE_URL": "postgresql://x", "LONGSHORE_API_LISTEN": "8470"}, 2, "write host:port"),
        ({"LONGSHORE_DATABASE_URL": "postgresql://x", "LONGSHORE_DISCOVERY_LISTEN": "{taken}"}, 1, "address in use"),
    ],
)
def test_what_it_cannot_start_with_is_one_line(
    tmp_path: Path, environment: dict[str, str], code: int, says: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        given = {name: value.format(taken=address) for name, value in environment.items()}
        ended = subprocess.run(
            [sys.executable, "-m", "longshore.api"],
            env={"PATH": os.environ["PATH"], "LONGSHORE_HOME": str(tmp_path)} | given,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert ended.returncode == code
    assert says in ended.stderr
    assert "hunter2" not in ended.stderr
    assert [json.loads(line)["level"] for line in ended.stderr.splitlines() if line.startswith("{")] == ["error"]
    assert "Traceback" not in ended.stderr
