"""Updates handed to the platform, by the real workflows and activities; the platform is simulated."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from test_worker_crashes import LostAttempts
from world import NAME, EventType, Phase, World, refusal_of

HANDED = {"delegate": "sagemaker", "batch": "25%", "bake": "30s", "alarms": ["errors"]}


async def test_an_update_is_handed_over_followed_and_told_as_it_came(env: WorkflowEnvironment) -> None:
    async with World(env) as world:
        await world.ended(await world.apply("1", **HANDED))
        row = await world.ended(await world.apply("2", **HANDED))
        assert (row.phase, world.copies()) == (Phase.SUCCEEDED, {"2": 4})
        assert [(entry.version, entry.share) for entry in await world.ledger()] == [("1", 100), ("2", 100)]
        started = next(event for event in await world.events() if event.revision == 2)
        assert "handed to SageMaker: batches of 25% (1 of 4), 30 s apart, back on alarm errors" in started.message
        # What is there is scaled, undone and retired as ever.
        assert (await world.ended(await world.ask("scale", copies=3))).phase is Phase.SUCCEEDED
        undone = await world.ended(await world.ask("undo"))
        assert (undone.phase, undone.strategy, world.copies()) == (Phase.SUCCEEDED, "rolling", {"1": 3})
        assert (await world.ended(await world.ask("retire"))).phase is Phase.SUCCEEDED
        assert world.copies() == {}
        assert world.fleet.platform.begun == 2


async def test_a_silent_rollback_holds_the_revision(env: WorkflowEnvironment) -> None:
    async with World(env) as world:
        await world.ended(await world.apply("1", **HANDED))
        world.fleet.platform.rolls_back["2"] = "Alarm errors went off"
        row = await world.ended(await world.apply("2", **HANDED))
        assert (row.phase, row.reason) == (Phase.ROLLED_BACK, "RolledBackByPlatform")
        assert "Alarm errors went off" in (row.message or "")
        assert [(entry.version, entry.share) for entry in await world.ledger()] == [("1", 100)]
        world.fleet.platform.rolls_back.clear()
        again = await world.ended(await world.ask("retry"))
        assert (again.phase, world.copies()) == (Phase.SUCCEEDED, {"2": 4})


async def test_what_the_platform_cannot_do_is_refused_and_a_newer_revision_waits_for_its_end(
    env: WorkflowEnvironment,
) -> None:
    async with World(env) as world:
        await world.ended(await world.apply("1", **HANDED))
        world.behave("2", startup=60.0)
        await world.apply("2", **HANDED)
        await world.until(EventType.ROLLOUT_STARTED, revision=2)
        for _ in range(60):
            if world.fleet.platform.begun:
                break
            await env.sleep(1)
        for verb in ("pause", "promote", "abort"):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await world.ask(verb)
            assert refusal_of(refused.value).reason == "HandedOver"
        await world.apply("3", **HANDED)
        assert (await world.ended_at(3)).phase is Phase.SUCCEEDED
        rows = await world.store.deployments.operations(NAME)
        assert [row.phase for row in rows if row.to_revision == 2] == [Phase.SUCCEEDED]
        assert world.copies() == {"3": 4}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_first_attempt_of_every_activity_may_be_lost(
    env: WorkflowEnvironment, tmp_path: Path, when: str
) -> None:
    attempts = LostAttempts(when)
    kept = f"sqlite+aiosqlite:///{tmp_path}/world.db"
    async with World(env, database=kept, interceptors=(attempts,), cached_workflows=0) as world:
        world.fleet.platform.rolls_back["3"] = None
        await world.ended(await world.apply("1", **HANDED))
        ends: list[tuple[Phase, dict[str, Any]]] = []
        for version in ("2", "3"):
            row = await world.ended(await world.apply(version, **HANDED))
            ends.append((row.phase, dict(world.copies())))
        assert ends == [(Phase.SUCCEEDED, {"2": 4}), (Phase.ROLLED_BACK, {"2": 4})]
        assert world.fleet.platform.begun == 2
    assert attempts.lost > {"delegate_update", "follow_update"}
