"""Rollouts on the real workflows: a simulated fleet, simulated traffic, skipped time."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from world import NAME, EventType, Phase, World, refusal_of

ERRORS = {"checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}


async def test_a_first_version_is_onboarded_with_all_its_copies(world: World) -> None:
    row = await world.ended(await world.apply("1"))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"1": 4}
    assert world.traffic.history == [(NAME, {"1": 100})]
    assert await world.story() == [
        "RolloutStarted", "BatchStarted", "BatchReady", "TrafficShifted", "BatchDone", "RolloutSucceeded",
    ]  # fmt: skip
    view = await world.view()
    assert (view.row.revision, view.row.version, view.row.rollout_to) == (1, "1", None)


async def test_an_update_goes_batch_by_batch_and_needs_one_batch_of_spare_accelerators(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", startup=20.0)
    row = await world.ended(await world.apply("2", batch=2, **ERRORS))

    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 4}
    assert [weights for _, weights in world.traffic.history] == [
        {"1": 100}, {"1": 50, "2": 50}, {"2": 100}, {"2": 100},
    ]  # fmt: skip
    assert world.fleet.most_accelerators == 6
    batch = ["BatchStarted", "BatchReady", "TrafficShifted", "CheckPassed", "BatchDone"]
    assert (await world.story())[6:] == ["RolloutStarted", *batch, *batch, "RolloutSucceeded"]


async def test_a_bad_version_is_rolled_back_and_held(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", error_rate=0.2)
    row = await world.ended(await world.apply("2", **ERRORS))

    assert (row.phase, row.reason) == (Phase.ROLLED_BACK, "CheckFailed")
    assert world.copies() == {"1": 4}
    assert world.traffic.history[-1] == (NAME, {"1": 100})
    assert (await world.story())[-5:] == [
        "TrafficShifted", "CheckFailed", "RollbackStarted", "TrafficShifted", "RolledBack",
    ]  # fmt: skip
    again = await world.apply("2", **ERRORS)
    assert not again.changed
    assert "retry" in again.message


async def test_a_version_that_goes_bad_late_gives_traffic_back_as_fast_as_capacity_allows(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("1", startup=10.0)
    answer = await world.apply("2", **ERRORS)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=3, revision=2)
    world.behave("2", error_rate=0.5)
    row = await world.ended(answer)

    assert row.phase is Phase.ROLLED_BACK
    assert world.copies() == {"1": 4}
    shares = [weights.get("1", 0) for _, weights in world.traffic.history]
    assert shares[:4] == [100, 75, 50, 25]
    assert shares[4:] == sorted(shares[4:])
    assert shares[-1] == 100
    assert world.fleet.most_accelerators <= 5


async def test_a_batch_that_is_never_ready_is_rolled_back_at_its_deadline(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", never_ready=True)
    row = await world.ended(await world.apply("2", deadline="2m"))

    assert (row.phase, row.reason) == (Phase.ROLLED_BACK, "DeadlineExceeded")
    assert world.copies() == {"1": 4}
    assert "TrafficShifted" not in (await world.story())[6:]


async def test_a_copy_that_keeps_exiting_fails_its_batch_before_the_deadline(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", crashes=True)
    row = await world.ended(await world.apply("2", deadline="10h"))

    assert (row.phase, row.reason) == (Phase.ROLLED_BACK, "ExitedAtStart")
    assert row.ended_at is not None
    assert row.ended_at - row.started_at < timedelta(minutes=1)


async def test_without_room_an_onboarding_waits_untouched_and_goes_on_by_itself(world: World) -> None:
    answer = await world.apply("1", copies=12)
    blocked = await world.until(EventType.ROLLOUT_BLOCKED)
    assert blocked.evidence["reason"] == "InsufficientAccelerators"
    assert world.copies() == {}
    view = await world.view()
    assert view.operation is not None
    assert view.operation.phase is Phase.PENDING

    (host,) = world.fleet.hosts
    world.fleet.hosts = (host.model_copy(update={"accelerators": 12}),)
    await world.look()
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED


async def test_without_spare_accelerators_the_dip_is_drained_first(world: World) -> None:
    await world.ended(await world.apply("1", copies=8))
    row = await world.ended(await world.apply("2", copies=8, batch=4, maxUnavailable=2))

    assert row.phase is Phase.SUCCEEDED
    assert world.fleet.most_accelerators == 8
    assert world.copies() == {"2": 8}
    started = [event.evidence for event in await world.events() if event.type is EventType.BATCH_STARTED]
    assert [(one["add"], one["drainFirst"]) for one in started[1:]] == [(2, 2)] * 4


async def test_a_pause_holds_everything_and_stops_the_bake_and_the_deadline(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="60s", deadline="2m")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.ask("pause")
    before = await world.newest()
    await world.env.sleep(timedelta(hours=3))
    assert await world.story(since=before) == []
    view = await world.view()
    assert view.operation is not None
    assert (view.operation.phase, view.operation.reason) == (Phase.PAUSED, "PausedByUser")

    await world.ask("resume")
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED


async def test_a_failed_check_rolls_back_a_paused_rollout(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", **ERRORS)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.ask("pause")
    world.behave("2", error_rate=0.3)
    row = await world.ended(answer)
    assert row.phase is Phase.ROLLED_BACK


async def test_a_metric_outage_pauses_and_asks_a_person_and_never_promotes(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.traffic.down = True
    answer = await world.apply("2", bake="10s", **ERRORS)
    paused = await world.until(EventType.ROLLOUT_PAUSED)
    assert paused.evidence["reason"] == "CheckError"
    before = await world.newest()
    await world.env.sleep(timedelta(minutes=3))
    assert await world.story(since=before) == [], "an outage that goes on is no news"
    world.traffic.down = False
    await world.ask("resume")
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED


async def test_too_little_traffic_is_inconclusive_and_a_person_may_promote(world: World) -> None:
    world.traffic.rates[NAME] = 0.5
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", batch=4, **ERRORS)
    paused = await world.until(EventType.ROLLOUT_PAUSED)
    assert paused.evidence["reason"] == "CheckInconclusive"
    await world.ask("promote")
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED


async def test_promote_full_skips_every_further_bake_and_check(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h", **ERRORS)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.ask("promote", full=True)
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED
    assert row.ended_at is not None
    assert row.ended_at - row.started_at < timedelta(hours=1)


async def test_an_abort_returns_to_the_stable_version_and_retry_tries_the_held_one_again(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10m")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=2, revision=2)
    await world.ask("abort")
    row = await world.ended(answer)
    assert row.phase is Phase.ABORTED
    assert world.copies() == {"1": 4}
    assert (await world.story())[-1] == "RolloutAborted"

    again = await world.ask("retry")
    assert again.revision == answer.revision
    assert (await world.ended(again)).phase is Phase.SUCCEEDED
    assert (await world.view()).row.version == "2"


async def test_undo_is_a_rollout_to_the_version_before_under_a_new_revision(world: World) -> None:
    await world.ended(await world.apply("1"))
    await world.ended(await world.apply("2", bake="0s"))
    answer = await world.ask("undo")
    row = await world.ended(answer)
    assert (row.phase, row.kind, answer.revision) == (Phase.SUCCEEDED, "rollback", 3)
    assert world.copies() == {"1": 4}
    view = await world.view()
    assert (view.row.revision, view.row.version) == (3, "1")


@pytest.mark.parametrize("copies", [7, 1, 0])
async def test_scale_brings_the_copies_to_the_number(world: World, copies: int) -> None:
    await world.ended(await world.apply("1"))
    row = await world.ended(await world.ask("scale", copies=copies))
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == ({"1": copies} if copies else {})
    assert (await world.story())[-1] == "Scaled"
    assert (await world.view()).row.spec.copies == copies


async def test_retire_removes_the_route_and_every_copy_and_a_later_apply_begins_a_new_life(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.ask("retire")
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {}
    assert world.traffic.history[-1] == (NAME, {})
    assert (await world.view()).row.retired
    assert (await world.ledger())[-1].until is not None

    await world.client.get_workflow_handle(f"deployment/{NAME}").result()
    row = await world.ended(await world.apply("2"))
    assert (row.phase, row.kind) == (Phase.SUCCEEDED, "onboard")
    assert row.number > 2


async def test_retire_ends_a_rollout_under_way_without_restoring(world: World) -> None:
    await world.ended(await world.apply("1"))
    rollout = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.ended(await world.ask("retire"))
    assert world.copies() == {}
    row = await world.store.deployments.operation(rollout.operation or "")
    assert row is not None
    assert (row.phase, row.reason) == (Phase.ABORTED, "Retired")


async def test_onboarding_that_fails_leaves_no_copy_and_says_there_is_nothing_to_return_to(world: World) -> None:
    world.behave("1", crashes=True)
    row = await world.ended(await world.apply("1"))
    assert (row.phase, row.reason) == (Phase.FAILED, "NothingToReturnTo")
    assert world.copies() == {}
    assert world.traffic.history == []
    world.behave("1")
    assert (await world.ended(await world.ask("retry"))).phase is Phase.SUCCEEDED


async def test_a_smoke_test_that_fails_keeps_a_first_version_from_traffic(world: World) -> None:
    await world.register("9", server={"smoke": {"path": "/v2/health/live"}})
    world.behave("9", answers=False)
    row = await world.ended(await world.apply("9"))
    assert row.phase is Phase.FAILED
    assert "smoke test" in (row.message or "")
    assert world.traffic.history == []


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("pause", "NothingUnderWay"), ("abort", "NothingUnderWay"), ("undo", "NothingToUndo"), ("retry", "NothingHeld")],
)
async def test_a_verb_that_makes_no_sense_now_is_refused_and_says_why(world: World, verb: str, reason: str) -> None:
    await world.ended(await world.apply("1"))
    before = await world.newest()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await world.ask(verb)
    assert refusal_of(refused.value).reason == reason
    assert await world.story(since=before) == []


async def test_the_same_key_twice_is_one_request(world: World) -> None:
    first = await world.apply("1", key="once")
    await world.ended(first)
    again = await world.apply("1", key="once")
    assert again == first
    assert world.fleet.started == 4


async def test_a_throttled_backend_changes_nothing_about_the_outcome(world: World) -> None:
    world.fleet.throttle(3)
    await world.ended(await world.apply("1"))
    row = await world.ended(await world.apply("2", **ERRORS))
    assert row.phase is Phase.SUCCEEDED
    assert world.copies() == {"2": 4}
    assert world.fleet.most_accelerators == 5


async def test_a_cancel_from_the_temporal_ui_means_abort(world: World) -> None:
    await world.ended(await world.apply("1"))
    answer = await world.apply("2", bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    await world.client.get_workflow_handle(f"deployment/{answer.operation}").cancel()
    row = await world.ended(answer)
    assert row.phase is Phase.ABORTED
    assert world.copies() == {"1": 4}


async def test_a_lost_copy_is_replaced_before_the_rollout_goes_on(world: World) -> None:
    await world.ended(await world.apply("1"))
    world.behave("2", startup=15.0)
    answer = await world.apply("2", bake="60s", **ERRORS)
    await world.until(EventType.TRAFFIC_SHIFTED, batch=2, revision=2)
    await world.lose("2")
    row = await world.ended(answer)
    assert row.phase is Phase.SUCCEEDED
    assert world.fleet.most_accelerators == 5


async def test_a_one_copy_deployment_is_one_batch_with_two_copies_at_peak(world: World) -> None:
    await world.ended(await world.apply("1", copies=1))
    row = await world.ended(await world.apply("2", copies=1, batch="25%"))
    assert row.phase is Phase.SUCCEEDED
    assert world.fleet.most_accelerators == 2
    assert [weights for _, weights in world.traffic.history][1:] == [{"2": 100}, {"2": 100}]


async def test_the_ledger_of_an_update_has_no_gap_and_no_overlap(world: World) -> None:
    await world.ended(await world.apply("1"))
    await world.ended(await world.apply("2", **ERRORS))
    entries = await world.ledger()
    instants = sorted({entry.since for entry in entries})
    for instant in instants:
        held = [
            entry.share
            for entry in entries
            if entry.since <= instant and (entry.until is None or instant < entry.until)
        ]
        assert sum(held) == 100


async def test_a_long_bake_keeps_no_more_readings_than_later_windows_need(world: World) -> None:
    await world.ended(await world.apply("1"))
    slow = {"name": "slow", "metric": "latency-p99", "compare": "baseline", "maxIncrease": "20%", "interval": "30s"}
    answer = await world.apply("2", batch=2, bake="15m", checks=[*ERRORS["checks"], slow])
    await world.until(EventType.TRAFFIC_SHIFTED, revision=2)
    await world.env.sleep(timedelta(minutes=14))
    kept = {sample.at for sample in await world.store.traffic.samples(answer.operation or "", 1)}
    assert len(kept) <= 129
    assert (await world.ended(answer)).phase is Phase.SUCCEEDED
