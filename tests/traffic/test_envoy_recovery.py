"""Everything may be restarted, and one bad deployment holds up nobody."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from traffic_rig import ModelServer, Rig, rig_of, until

from longshore.planning.windows import WindowError, readings, unbroken
from longshore.store.database import Database, native_url
from longshore.store.store import Store
from longshore.store.tables import routes
from longshore.traffic.port import TrafficError
from longshore.traffic.server import DiscoveryServer

REFUSED_BY_ENVOY = "[fe80::1%nowhere]:80"
"""An address that passes for one here and not at Envoy: the gap through which a refusal can be seen."""


async def test_a_restarted_discovery_server_goes_on_where_it_was(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies)
    await rig.publish({"1": 100})
    await rig.server.stop()
    assert (await rig.get("/x")).status == 200
    revision = await rig.send({"2": 100})
    assert not (await rig.plane.status(revision, 0)).acked
    await rig.start_server_anew()
    await rig.acked(revision)
    assert (await rig.get("/x")).headers["x-longshore-version"] == "2"


async def test_a_restarted_envoy_is_told_everything_and_counts_anew(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies)
    await rig.publish({"1": 100})
    await rig.get("/x")
    before = await rig.plane.sample("digits", ("1",))
    await rig.envoy.kill()
    with pytest.raises(TrafficError, match="gateway gateway-1 cannot be read"):
        await rig.plane.sample("digits", ("1",))
    await rig.envoy.start()
    await rig.serves(rig.envoy)
    assert (await rig.get("/x")).status == 200
    after = await rig.plane.sample("digits", ("1",))
    with pytest.raises(WindowError, match="counters of gateway gateway-1 began anew"):
        unbroken(readings([*before, *after]))


async def test_every_envoy_must_ack_and_is_measured(rig: Rig, copies: list[ModelServer]) -> None:
    second = await rig.add_envoy("gateway-2")
    await rig.observe(*copies)
    revision = await rig.publish({"1": 100})
    assert (await rig.plane.status(revision, 0)).gateways == 2
    await rig.get("/x")
    await rig.get("/x", envoy=second)
    await rig.get("/x", envoy=second)
    samples = await rig.plane.sample("digits", ("1",))
    assert {sample.gateway: sample.requests for sample in samples} == {"gateway-1": 1, "gateway-2": 2}
    assert len({sample.at for sample in samples}) == 1

    await second.kill()

    async def left() -> bool:
        return not await _connected(rig, "gateway-2")

    await until(left, "gateway-2 is known to have left")
    revision = await rig.send({"2": 100})
    status = await rig.plane.status(revision, 0.2)
    assert (status.acked, status.gateways) == (False, 2)


async def test_a_refused_deployment_is_reported_and_the_others_go_on(rig: Rig, copies: list[ModelServer]) -> None:
    a1, a2, b1, _ = copies
    await rig.observe(a1, b1)
    await rig.publish({"1": 100})
    bad = a2.copy().model_copy(update={"deployment": "broken", "address": REFUSED_BY_ENVOY})
    await rig.observe(a1, b1, more=(bad,))
    refused = await rig.send({"1": 100}, deployment="broken")
    status = await rig.status(refused)
    assert not status.acked
    assert status.rejected is not None
    assert "malformed IP address" in status.rejected

    await rig.publish({"2": 100})
    assert (await rig.get("/x")).headers["x-longshore-version"] == "2"
    assert (await rig.status(refused)).rejected == status.rejected
    assert await _acked_weights(rig) == {"digits": {"2": 100}, "broken": {}}

    await rig.observe(a1, b1)
    await rig.publish({"1": 50, "2": 50})
    status = await rig.status(refused)
    assert (status.acked, status.rejected) == (True, None)


async def test_two_changes_of_which_one_is_refused_are_told_apart(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.server.stop()
    bad = copies[1].copy().model_copy(update={"deployment": "broken", "address": REFUSED_BY_ENVOY})
    await rig.observe(copies[0], more=(bad,))
    good = await rig.send({"1": 100})
    refused = await rig.send({"1": 100}, deployment="broken")
    await rig.start_server_anew()
    assert (await rig.status(refused)).rejected
    await rig.acked(good)
    assert (await rig.get("/x")).status == 200


async def test_an_address_in_use_is_reported_until_it_is_free(rig: Rig) -> None:
    revision = await rig.publish({}, "1")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        envoy = await rig.start_envoy("gateway-2", f"127.0.0.1:{holder.getsockname()[1]}")
        await until(lambda: _connected(rig, "gateway-2"), "gateway-2 is connected")
        rejected = (await rig.status(revision)).rejected
        assert rejected is not None
        assert "Address already in use" in rejected
    await rig.serves(envoy)
    assert (await rig.status(revision)).acked


async def test_while_postgres_is_down_gateways_are_served_on(
    postgres_url: str, copies: list[ModelServer], tmp_path: Path
) -> None:
    database = Database.connect(postgres_url)
    async with rig_of(Store(database), tmp_path, "gateway-1") as rig:
        await rig.observe(*copies)
        revision = await rig.publish({"1": 100})
        with _without_connections(postgres_url):
            with pytest.raises(TrafficError, match="the store did not answer"):
                await rig.plane.revision()
            await rig.envoy.kill()
            await rig.envoy.start()

            async def answers() -> bool:
                return (await rig.get("/x")).status == 200

            await until(answers, "an Envoy that was started without Postgres serves")
        await rig.acked(revision)
        await rig.publish({"2": 100})
        assert (await rig.get("/x")).headers["x-longshore-version"] == "2"
    await database.dispose()


async def test_a_discovery_server_that_knows_nothing_yet_tells_nothing(
    postgres_url: str, copies: list[ModelServer], tmp_path: Path
) -> None:
    database = Database.connect(postgres_url)
    async with rig_of(Store(database), tmp_path, "gateway-1") as rig:
        await rig.observe(*copies)
        await rig.publish({"1": 100})
        await rig.server.stop()
        with _without_connections(postgres_url):
            await rig.start_server_anew()
            await asyncio.sleep(1)  # an empty configuration would be there by now
            assert (await rig.get("/x")).status == 200
        await rig.publish({"2": 100})
        assert (await rig.get("/x")).headers["x-longshore-version"] == "2"
    await database.dispose()


async def test_two_servers_never_share_an_address(store: Store) -> None:
    async with DiscoveryServer(store.traffic, "127.0.0.1:0") as first:
        with pytest.raises(OSError, match="is the address in use"):
            await DiscoveryServer(store.traffic, first.address).start()


async def _acked_weights(rig: Rig) -> dict[str, dict[str, int]]:
    """What people are told has traffic."""
    async with rig.store.database.transaction() as connection:
        rows = await connection.execute(select(routes.c.deployment, routes.c.acked_weights))
        return {row.deployment: row.acked_weights for row in rows}


async def _connected(rig: Rig, node: str) -> bool:
    return any(gateway.node == node and gateway.connected for gateway in await rig.store.traffic.gateways())


@contextmanager
def _without_connections(postgres_url: str) -> Iterator[None]:
    """The database refuses everyone while the block runs, as a Postgres that is down does."""
    database = make_url(postgres_url)
    name = database.database
    server = native_url(database.set(database="postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
