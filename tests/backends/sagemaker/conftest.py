"""The emulator, the store, and a target on both: the clock is turned by hand, the notebook is the store's own."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aws_fleet import Fleet
from aws_rights import action_of, allowed

from longshore.backends.sagemaker.client import Aws
from longshore.emulator.clock import ManualClock
from longshore.emulator.data.credentials import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from longshore.emulator.server import Emulator
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.store import Store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """SageMaker and the rest of AWS, on a port of its own; boto3 finds it by the environment."""
    with Emulator(clock=clock) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield running


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    database = Database.connect("sqlite+aiosqlite://")
    await database.create_all()
    store = Store(database)
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    yield store
    await database.dispose()


@pytest.fixture(autouse=True)
def held_to_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse, as AWS would, whatever the shipped policy does not allow."""
    call = Aws._call

    def within_rights(self: Aws, service: str, operation: str, *more: Any) -> dict[str, Any]:
        action = action_of(service, operation)
        assert action in allowed(), f"deploy/aws/longshore-policy.json does not allow {action}"
        return call(self, service, operation, *more)

    monkeypatch.setattr(Aws, "_call", within_rights)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each operation was called through the adapter."""
    counted: Counter[str] = Counter()
    call = Aws._call

    def counting(self: Aws, service: str, operation: str, *more: Any) -> dict[str, Any]:
        counted[operation] += 1
        return call(self, service, operation, *more)

    monkeypatch.setattr(Aws, "_call", counting)
    return counted


@pytest.fixture
async def fleet(store: Store, emulator: Emulator, clock: ManualClock) -> Fleet:
    """An endpoint of ours in service: one instance of four accelerators, and a second to be had."""
    return await Fleet(store, emulator, clock).ready()
