"""The autoscaler is handed on through the real workflows, whatever activity is lost before or after it was done."""

from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor
from world import NAME, Phase, World

POLICY = {"min": 1, "max": 5, "goal": 4}
CHECKED = {"bake": "10s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}


class Lost(Interceptor):
    """The first attempt of every telling of the autoscaler is lost, before or after it was done."""

    def __init__(self, when: str) -> None:
        self.when = when
        self.lost = 0

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Lost(next, self)


class _Lost(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, attempts: Lost) -> None:
        super().__init__(next)
        self._attempts = attempts

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        losing = info.activity_type == "steer_autoscaler" and info.attempt == 1
        self._attempts.lost += losing
        if losing and self._attempts.when == "before":
            raise ConnectionError("the worker died")
        answer = await self.next.execute_activity(input)
        if losing:
            raise ConnectionError("the worker died")
        return answer


def chooses(world: World) -> tuple[str | None, bool]:
    """Whose copies the autoscaler chooses, and whether it holds still."""
    told = world.fleet.autoscalers[NAME]
    return told.version, told.suspended


@pytest.mark.parametrize("when", ["before", "after"])
async def test_copies_that_it_chose_are_moved_and_handed_on(
    env: WorkflowEnvironment, tmp_path: Path, when: str
) -> None:
    attempts, kept = Lost(when), f"sqlite+aiosqlite:///{tmp_path}/world.db"
    async with World(env, database=kept, interceptors=(attempts,), cached_workflows=0) as world:
        world.behave("3", error_rate=0.3)
        await world.ended(await world.apply("1", copies=2, scaling=POLICY))
        assert chooses(world) == ("1", False)
        with await world.outside():
            world.fleet.autoscale(NAME, 4)

        row = await world.ended(await world.apply("2", copies=2, scaling=POLICY, bake="0s"))
        assert (row.phase, world.copies(), chooses(world)) == (Phase.SUCCEEDED, {"2": 4}, ("2", False))

        row = await world.ended(await world.apply("3", copies=2, scaling=POLICY, **CHECKED))
        assert (row.phase, world.copies(), chooses(world)) == (Phase.ROLLED_BACK, {"2": 4}, ("2", False))

        row = await world.ended(await world.ask("retire"))
        assert (row.phase, world.copies(), chooses(world)) == (Phase.SUCCEEDED, {}, (None, False))
    assert attempts.lost == 6
