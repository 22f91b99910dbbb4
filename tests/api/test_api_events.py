"""The event log: in pages, and followed over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from api_world import DEADLINE, NOW, Eventually, Seed, free_port, problem
from fastapi import FastAPI

from longshore.api.dependencies import Dependencies
from longshore.api.routes import events
from longshore.planning.words import Event, EventType
from longshore.store.database import Database
from longshore.store.records import Record
from longshore.store.store import Store


async def happen(store: Store, number: int, deployment: str = "digits", **evidence: object) -> None:
    event = Event(at=NOW, deployment=deployment, type=EventType.BATCH_READY, batch=number, evidence=evidence)
    await store.record(Record(source=f"{deployment}/rollout-2", step=number, events=(event,)))


class Stream:
    """Server-sent events of one connection."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def block(self) -> dict[str, str]:
        """The next event's or comment's fields."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE):
            async for line in self._lines:
                if not line:
                    return fields
                name, _, value = line.partition(":")
                fields[name or "comment"] = value.strip()
        return {"end": ""}

    async def event(self) -> tuple[int, dict[str, object]]:
        """The next event with data."""
        while "data" not in (fields := await self.block()):
            assert "end" not in fields
        return int(fields["id"]), json.loads(fields["data"])


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """On Postgres: its notices are what streams follow, and a reader that leaves must not disturb the others."""
    database = Database.connect(postgres_url)
    yield Store(database)
    await database.dispose()


@pytest.fixture
async def served(app: FastAPI, key: str, eventually: Eventually) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server on a real port: streams need one."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=DEADLINE) as client:
        yield client
    server.should_exit = True
    async with asyncio.timeout(DEADLINE):
        await running


async def test_events_come_in_pages_and_evidence_lies_beside_them(client: httpx.AsyncClient, store: Store) -> None:
    for number in (1, 2, 3):
        await happen(store, number, check="errors", value=0.5, message="of the evidence")
    json_only = {"Accept": "application/json"}
    page = (await client.get("/v1/events?limit=2", headers=json_only)).json()
    assert [item["batch"] for item in page["items"]] == [1, 2]
    first = page["items"][0]
    assert (first["check"], first["value"], first["message"], first["operation"]) == (
        "errors",
        0.5,
        "",
        "digits/rollout-2",
    )
    rest = (await client.get("/v1/events", params={"cursor": page["next"]}, headers=json_only)).json()
    assert ([item["batch"] for item in rest["items"]], rest["next"]) == ([3], None)
    after = (await client.get("/v1/events?after=1&deployment=digits", headers=json_only)).json()
    assert [item["batch"] for item in after["items"]] == [2, 3]
    problem(await client.get("/v1/events?cursor=x", headers=json_only), 400, "InvalidCursor")


async def test_a_deployments_events_are_only_its_own(client: httpx.AsyncClient, store: Store, seed: Seed) -> None:
    await seed()
    await happen(store, 1, "other")
    items = (await client.get("/v1/deployments/digits/events")).json()["items"]
    assert [item["type"] for item in items] == ["RolloutStarted", "RolloutSucceeded"]


async def test_a_stream_begins_now_and_says_where_before_anything_happens(
    served: httpx.AsyncClient, store: Store
) -> None:
    await happen(store, 1)
    async with served.stream("GET", "/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        assert (await stream.block())["id"] == "1"
        await happen(store, 2)
        assert (await stream.event())[0] == 2


async def test_a_stream_resumes_after_the_last_event_seen(served: httpx.AsyncClient, store: Store) -> None:
    for number in (1, 2, 3):
        await happen(store, number)
    async with served.stream("GET", "/v1/events", headers={"Last-Event-ID": "1"}) as answer:
        stream = Stream(answer)
        assert [(await stream.event())[1]["batch"] for _ in range(2)] == [2, 3]
    async with served.stream("GET", "/v1/events?after=0", headers={"Last-Event-ID": "2"}) as answer:
        assert (await Stream(answer).event())[0] == 3


async def test_a_stream_may_be_of_one_deployment(served: httpx.AsyncClient, store: Store) -> None:
    await happen(store, 1, "other")
    await happen(store, 1)
    async with served.stream("GET", "/v1/events?deployment=digits&after=0") as answer:
        assert (await Stream(answer).event())[1]["deployment"] == "digits"


async def test_a_quiet_stream_has_heartbeats(served: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.0)
    async with served.stream("GET", "/v1/events") as answer:
        stream = Stream(answer)
        assert "id" in await stream.block()
        assert "comment" in await stream.block()


async def test_a_stream_ends_when_the_process_is_told_to_end(
    served: httpx.AsyncClient, dependencies: Dependencies
) -> None:
    async with served.stream("GET", "/v1/events") as answer:
        stream = Stream(answer)
        await stream.block()
        dependencies.closing.set()
        assert await stream.block() == {"end": ""}


async def test_a_stream_hears_of_what_another_process_recorded(served: httpx.AsyncClient, postgres_url: str) -> None:
    theirs = Database.connect(postgres_url)
    async with served.stream("GET", "/v1/events") as answer:
        stream = Stream(answer)
        await stream.block()
        for number in range(1, 6):
            await happen(Store(theirs), number)
            assert (await stream.event())[0] == number
    await theirs.dispose()
