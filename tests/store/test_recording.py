"""What a step of a workflow wrote is written once, and never replaces what is newer."""

from datetime import timedelta

import pytest
from examples import NOON, deployment, event, operation, revision, shares

from longshore.planning.observed import Sample
from longshore.planning.words import EventType, Phase
from longshore.store.records import Record
from longshore.store.store import Store

WHOLE = Record(
    source="d/rollout-1",
    step=1,
    events=(
        event(EventType.ROLLOUT_STARTED, actor="ada", revision=2),
        event(EventType.CHECK_PASSED, batch=1, message="0.001 ≤ 0.01", evidence={"check": "errors", "value": 0.001}),
    ),
    operation=operation(progress={"batches": [{"number": 1}]}),
    deployment=deployment(labels={"team": "search"}, rollout_to={"revision": 2, "version": "2"}),
    revisions=(revision(1, phase=Phase.SUCCEEDED), revision(2)),
    ledger=shares(0, v1=100),
)


async def everything(store: Store) -> list[object]:
    return [
        await store.events.list("d"),
        await store.deployments.deployment_record("d"),
        await store.ledger.list("d"),
    ]


async def test_what_was_recorded_is_read_back(store: Store) -> None:
    assert await store.record(WHOLE)

    events = await store.events.list("d")
    assert [(it.sequence, it.type, it.operation) for it in events] == [
        (1, "RolloutStarted", "d/rollout-1"),
        (2, "CheckPassed", "d/rollout-1"),
    ]
    assert events[1].evidence == {"check": "errors", "value": 0.001}
    assert events[1].at == NOON
    record = await store.deployments.deployment_record("d")
    assert record is not None
    assert record.deployment == WHOLE.deployment
    assert record.operation == WHOLE.operation
    assert record.revisions == WHOLE.revisions


async def test_a_retry_of_a_step_writes_nothing_twice(store: Store) -> None:
    await store.record(WHOLE)
    before = await everything(store)

    assert not await store.record(WHOLE)
    assert await everything(store) == before


async def test_a_late_retry_of_an_older_step_changes_nothing(store: Store) -> None:
    await store.record(WHOLE)
    later = operation(step=2, phase=Phase.SUCCEEDED)
    held = revision(2, phase=Phase.ROLLED_BACK, held=True)
    await store.record(Record(source="d/rollout-1", step=2, operation=later, revisions=(held,)))
    before = await everything(store)

    await store.record(WHOLE)
    assert await everything(store) == before


async def test_an_operation_row_of_an_older_step_does_not_replace_a_newer_one(store: Store) -> None:
    await store.record(Record(source="d/rollout-1", step=2, operation=operation(step=2, phase=Phase.SUCCEEDED)))
    await store.record(Record(source="d/rollout-1", step=1, operation=operation(step=1)))
    stored = await store.deployments.operation("d/rollout-1")
    assert stored is not None
    assert stored.phase is Phase.SUCCEEDED


async def test_an_older_saying_of_a_deployment_does_not_replace_a_newer_one(store: Store) -> None:
    newer = deployment(sequence=5, revision=2)
    await store.record(Record(source="deployment/d", step=5, deployment=newer, revisions=(revision(1, held=True),)))
    await store.record(
        Record(source="deployment/d", step=4, deployment=deployment(sequence=4), revisions=(revision(1),))
    )
    record = await store.deployments.deployment_record("d")
    assert record is not None
    assert record.deployment == newer
    assert record.revisions == (revision(1, held=True),)


async def test_a_deployment_named_deployment_is_told_from_what_others_say_of_themselves(store: Store) -> None:
    theirs = event(deployment="deployment")
    ours = event(deployment="rollout-1")
    assert await store.record(Record(source="deployment/rollout-1", step=1, events=(theirs,)))
    assert await store.record(Record(source="deployment/rollout-1", step=1, events=(ours,)))
    assert [(it.deployment, it.operation) for it in await store.events.list()] == [
        ("deployment", "deployment/rollout-1"),
        ("rollout-1", None),
    ]


async def test_a_record_that_fails_half_way_leaves_nothing(store: Store) -> None:
    await store.record(Record(source="d/rollout-1", step=1, operation=operation(number=1)))
    same_number = operation(number=1, id="d/scale-1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.record(Record(source="d/scale-1", step=1, events=(event(),), operation=same_number))
    assert await store.events.list() == []
    assert await store.record(Record(source="d/scale-1", step=1, events=(event(),)))


@pytest.mark.parametrize(
    "record",
    [
        Record(source="d/rollout-1", step=1),
        Record(source="d/rollout-1", step=1, events=(event(deployment="d"), event(deployment="e"))),
    ],
    ids=["none", "two"],
)
async def test_a_record_speaks_of_one_deployment(store: Store, record: Record) -> None:
    with pytest.raises(ValueError, match="speaks of one deployment"):
        await store.record(record)


async def test_the_end_of_an_operation_forgets_its_samples(store: Store) -> None:
    sample = Sample(gateway="g", version="1", at=NOON, epoch="1", requests=9, errors=1, latency=((10.0, 8), (20.0, 9)))
    other = sample.model_copy(update={"version": "2"})
    for _ in "twice":
        await store.traffic.append_samples("d/rollout-1", 1, [sample, other])
    await store.traffic.append_samples("d/rollout-1", 2, [sample])
    assert await store.traffic.samples("d/rollout-1", 1) == [sample, other]

    await store.record(Record(source="d/rollout-1", step=1, operation=operation(phase=Phase.SUCCEEDED)))
    assert await store.traffic.samples("d/rollout-1", 1) == []
    assert await store.traffic.samples("d/rollout-1", 2) == []


async def test_a_revision_keeps_the_instant_at_which_it_was_accepted(store: Store) -> None:
    await store.record(Record(source="deployment/d", step=1, deployment=deployment(), revisions=(revision(1),)))
    later = revision(1, at=NOON + timedelta(hours=1), phase=Phase.SUCCEEDED)
    await store.record(Record(source="deployment/d", step=2, revisions=(later,)))

    (kept,) = await store.deployments.revisions("d")
    assert (kept.at, kept.phase) == (NOON, Phase.SUCCEEDED)
