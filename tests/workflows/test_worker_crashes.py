"""A worker that dies before or after any activity, or before any workflow task, changes nothing about the course."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from world import EventType, Phase, World

CHECKED = {"bake": "10s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}


class LostAttempts(Interceptor):
    """The first attempt of every activity is lost: before anything was done, or after all was, but was not told."""

    def __init__(self, when: str) -> None:
        self.when = when
        self.lost: set[str] = set()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Lost(next, self)


class _Lost(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, attempts: LostAttempts) -> None:
        super().__init__(next)
        self._attempts = attempts

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self._pass("before")
        answer = await self.next.execute_activity(input)
        self._pass("after")
        return answer

    def _pass(self, when: str) -> None:
        info = activity.info()
        if info.attempt == 1 and when == self._attempts.when:
            self._attempts.lost.add(info.activity_type)
            raise ConnectionError("the worker died")


async def a_whole_life(world: World) -> list[Any]:
    """Onboard, roll out, roll back, undo, scale up and down, retire: all that there was of it, but for the instants."""
    await world.register("4", server={"smoke": {"path": "/v2/health/live"}})
    ended = []
    for request in (
        lambda: world.apply("4", copies=2),
        lambda: world.apply("2", copies=2, **CHECKED),
        lambda: world.apply("3", copies=2, **CHECKED),
        lambda: world.ask("undo"),
        lambda: world.ask("scale", copies=3),
        lambda: world.ask("scale", copies=1),
        lambda: world.ask("retire"),
    ):
        row = await world.ended(await request())
        ended.append((row.id, row.phase, row.reason, world.copies()))
    shares = [(entry.version, entry.share) for entry in await world.ledger()]
    events = [(event.type, event.batch, event.revision) for event in await world.events()]
    return [ended, shares, events, world.traffic.history, world.fleet.started, world.fleet.most_accelerators]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_same_life_is_lived_when_every_activity_is_lost_once(
    env: WorkflowEnvironment, tmp_path: Path, when: str
) -> None:
    async with World(env) as calm:
        calm.behave("3", error_rate=0.3)
        expected = await a_whole_life(calm)
        await calm.client.get_workflow_handle("deployment/codegen").result()
    assert [phase for _, phase, _, _ in expected[0]].count(Phase.SUCCEEDED) == 6
    kept = f"sqlite+aiosqlite:///{tmp_path}/world.db"
    attempts = LostAttempts(when)
    async with World(env, database=kept, interceptors=(attempts,), cached_workflows=0) as stormy:
        stormy.behave("3", error_rate=0.3)
        lived = await a_whole_life(stormy)
    assert lived == expected
    # The rest is lost in the rehearsals of tests/scenarios/test_deaths.py; this is the one life with a smoke test.
    assert attempts.lost > {"smoke_test", "measure_checks", "record_step", "withdraw_route"}


@pytest.mark.parametrize("moment", [EventType.BATCH_STARTED, EventType.TRAFFIC_SHIFTED, EventType.ROLLBACK_STARTED])
async def test_a_rollout_goes_on_where_it_was_when_both_workers_die(
    env: WorkflowEnvironment, tmp_path: Path, moment: EventType
) -> None:
    # The time-skipping server keeps offering tasks to the sticky queue of a worker that is gone: keep no cache.
    async with World(env, database=f"sqlite+aiosqlite:///{tmp_path}/world.db", cached_workflows=0) as world:
        await _survive(world, moment)


async def _survive(world: World, moment: EventType) -> None:
    await world.ended(await world.apply("1"))
    world.behave("1", startup=4.0)
    world.behave("2", startup=4.0, error_rate=0.3 if moment is EventType.ROLLBACK_STARTED else 0.0)
    answer = await world.apply("2", copies=4, batch=2, **CHECKED)
    await world.until(moment, revision=2)
    await world.kill_workers()
    await world.start_workers()

    row = await world.ended(answer)

    rolled_back = moment is EventType.ROLLBACK_STARTED
    assert row.phase is (Phase.ROLLED_BACK if rolled_back else Phase.SUCCEEDED)
    assert world.copies() == {"1" if rolled_back else "2": 4}
    started = [event.batch for event in await world.events() if event.type is EventType.BATCH_STARTED]
    assert started == ([1, 1] if rolled_back else [1, 1, 2])
    assert world.fleet.most_accelerators == 6
    assert row.ended_at is not None
    assert row.ended_at - row.started_at < timedelta(minutes=2)
