"""The serving ledger: who served at any instant, who asked for it, and what checks measured."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from api_world import NOW, problem, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.api.answers import LedgerAnswer
from longshore.api.serving import spans_of, with_proof
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.store.database import Database
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, Record
from longshore.store.store import Store

ROLLOUT = "digits/rollout-2"
PATH = "/v1/deployments/digits/ledger"
KNOWN = DeploymentRow(
    name="digits", target="workstation", model="digits", spec=spec(), operation=ROLLOUT, sequence=1, updated_at=NOW
)


def ago(minutes: float) -> datetime:
    """Minutes before the tests' clock."""
    return NOW - timedelta(minutes=minutes)


def operation(number: int, kind: OperationKind, started: float, actor: str = "bob") -> OperationRow:
    return OperationRow(
        id=f"digits/{kind}-{number}",
        deployment="digits",
        number=number,
        kind=kind,
        model="digits",
        target="workstation",
        to_revision=2 if kind is OperationKind.ROLLOUT else None,
        phase=Phase.PROGRESSING,
        actor=actor,
        started_at=ago(started),
        step=1,
    )


def shift(minutes: float, cause: str = "a batch", **shares: int) -> LedgerChange:
    weights = {version.removeprefix("v"): share for version, share in shares.items()}
    return LedgerChange(at=ago(minutes), deployment="digits", model="digits", shares=weights, cause=cause)


def measured(minutes: float, type: EventType, check: str = "errors", **evidence: Any) -> Event:
    given = {"check": check, "enforced": True, "value": 0.001, "baseline": None, "samples": 100} | evidence
    return Event(at=ago(minutes), deployment="digits", type=type, batch=1, message="as told", evidence=given)


@pytest.fixture
async def rolled(store: Store) -> None:
    """Onboarded 60 minutes ago; a rollout that went to 25% and back, with its checks; then retired."""
    told: list[tuple[str, OperationRow | None, LedgerChange | None, tuple[Event, ...]]] = [
        ("digits/onboard-1", operation(1, OperationKind.ONBOARD, 61, "ada"), shift(60, "onboarded", v1=100), ()),
        (ROLLOUT, operation(2, OperationKind.ROLLOUT, 50), None, (measured(45, EventType.CHECK_PASSED, "golden"),)),
        (ROLLOUT, None, shift(40, "25% to version 2", v1=75, v2=25), ()),
        (ROLLOUT, None, None, (measured(35, EventType.CHECK_PASSED), measured(30, EventType.CHECK_FAILED, value=0.2))),
        (ROLLOUT, None, shift(29, "rollback", v1=100), ()),
        ("digits/retire-3", operation(3, OperationKind.RETIRE, 10, "eve"), shift(9, "retired"), ()),
    ]
    await store.record(Record(source="deployment/digits", step=1, deployment=KNOWN))
    for step, (source, row, ledger, events) in enumerate(told, start=2):
        await store.record(Record(source=source, step=step, operation=row, ledger=ledger, events=events))


async def spans(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_spans_follow_each_other_from_the_first_shares_to_nobody(client: httpx.AsyncClient, rolled: None) -> None:
    found = await spans(client)
    assert [(span["shares"], span["cause"]) for span in found] == [
        ({"1": 100}, "onboarded"),
        ({"1": 75, "2": 25}, "25% to version 2"),
        ({"1": 100}, "rollback"),
        ({}, "nobody serves"),
    ]
    assert [span["until"] for span in found] == [*(span["since"] for span in found[1:]), None]
    assert [span["model"] for span in found] == ["digits"] * 4


async def test_each_span_says_who_asked_for_what(client: httpx.AsyncClient, rolled: None) -> None:
    assert [(one["actor"], one["operation"], one["kind"], one["revision"]) for one in await spans(client)] == [
        ("ada", "digits/onboard-1", "onboard", None),
        ("bob", ROLLOUT, "rollout", 2),
        ("bob", ROLLOUT, "rollout", 2),
        ("eve", "digits/retire-3", "retire", None),
    ]


async def test_each_span_has_what_let_it_begin_and_what_was_measured_in_it(
    client: httpx.AsyncClient, rolled: None
) -> None:
    def told(checks: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
        return [(one["check"], one["outcome"], one["value"]) for one in checks]

    passed, failed = ("errors", "passed", 0.001), ("errors", "failed", 0.2)
    assert [(told(span["checksBefore"]), told(span["checks"])) for span in await spans(client)] == [
        ([], []),
        ([("golden", "passed", 0.001)], [passed, failed]),
        ([passed, failed], []),
        ([], []),
    ]


INSTANTS: list[tuple[float, dict[str, int]]] = [
    (60, {"1": 100}),
    (40.01, {"1": 100}),
    (40, {"1": 75, "2": 25}),
    (29.01, {"1": 75, "2": 25}),
    (29, {"1": 100}),
    (9, {}),
    (0, {}),
]


@pytest.mark.parametrize(("minutes", "shares"), INSTANTS)
async def test_at_an_instant_it_is_the_span_that_holds_it(
    client: httpx.AsyncClient, rolled: None, minutes: float, shares: dict[str, int]
) -> None:
    (found,) = await spans(client, at=ago(minutes).isoformat())
    assert found["shares"] == shares
    assert found in await spans(client)


async def test_a_clock_a_little_ahead_is_now_and_one_far_ahead_is_the_future(
    client: httpx.AsyncClient, rolled: None
) -> None:
    ahead = [(NOW + timedelta(seconds=seconds)).isoformat() for seconds in (4, 6)]
    assert len(await spans(client, at=ahead[0])) == 1
    refusal = problem(await client.get(PATH, params={"at": ahead[1]}), 400, "InvalidInstant")
    assert refusal["detail"] == ("2026-05-04T12:00:06Z is still to come: the ledger ends now, at 2026-05-04T12:00:00Z")


async def test_before_the_first_shares_nobody_was_served(client: httpx.AsyncClient, rolled: None) -> None:
    refusal = problem(await client.get(PATH, params={"at": ago(61).isoformat()}), 404, "NotFound")
    assert refusal["detail"] == "digits served nobody before 2026-05-04T11:00:00Z, when its ledger begins"


async def test_a_deployment_that_never_served_says_so(client: httpx.AsyncClient, store: Store) -> None:
    await store.record(Record(source="deployment/digits", step=1, deployment=KNOWN))
    assert await spans(client) == []
    refusal = problem(await client.get(PATH, params={"at": NOW.isoformat()}), 404, "NotFound")
    assert refusal["detail"] == "digits has never served: its ledger is empty"


async def test_an_instant_without_zone_is_refused(client: httpx.AsyncClient, rolled: None) -> None:
    problem(await client.get(PATH, params={"at": "2026-05-04T11:30:00"}), 422, "InvalidRequest")


async def test_spans_come_in_pages_with_the_same_proof(client: httpx.AsyncClient, rolled: None) -> None:
    paged: list[dict[str, Any]] = []
    cursor: str | None = None
    while cursor is not None or not paged:
        page = (await client.get(PATH, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        paged += page["items"]
        cursor = page["next"]
    assert paged == await spans(client)


# -- what always holds --------------------------------------------------------------------------------------------

SHARES = st.one_of(
    st.just(dict[str, int]()),
    st.sampled_from(["1", "2", "3"]).map(lambda version: {version: 100}),
    st.integers(1, 99).map(lambda share: {"1": share, "2": 100 - share}),
)
CHANGES = st.lists(st.tuples(st.integers(0, 30), SHARES), min_size=1, max_size=10)
"""Seconds after the first, in whatever order clocks of several machines tell them."""


async def answered(changes: list[tuple[int, dict[str, int]]]) -> list[LedgerAnswer]:
    database = Database.connect("sqlite+aiosqlite://")
    try:
        await database.create_all()
        store = Store(database)
        for step, (seconds, shares) in enumerate(changes, start=1):
            at = NOW + timedelta(seconds=seconds)
            change = LedgerChange(at=at, deployment="digits", model="digits", shares=shares, cause="a batch")
            await store.record(Record(source=ROLLOUT, step=step, ledger=change))
        return await with_proof(store, "digits", spans_of(await store.ledger.list("digits")))
    finally:
        await database.dispose()


@settings(max_examples=40, deadline=None)
@given(CHANGES)
def test_there_is_never_a_gap_or_an_overlap_and_the_last_word_lasts(changes: list[tuple[int, dict[str, int]]]) -> None:
    found = asyncio.run(answered(changes))

    assert all(one.until == other.since for one, other in pairwise(found))
    assert all(one.until is None or one.since < one.until for one in found)
    assert all(sum(one.shares.values()) in {0, 100} for one in found)
    last = [span for span in found if span.until is None]
    assert last == found[-1:]
    assert (last[0].shares if last else {}) == changes[-1][1]


@settings(max_examples=40, deadline=None)
@given(CHANGES.map(lambda changes: sorted(changes, key=lambda change: change[0])))
def test_at_every_instant_it_tells_the_last_change_before_it(changes: list[tuple[int, dict[str, int]]]) -> None:
    found = asyncio.run(answered(changes))
    for seconds in range(31):
        at = NOW + timedelta(seconds=seconds)
        told = [one.shares for one in found if one.since <= at and (one.until is None or at < one.until)]
        changed = [shares for when, shares in changes if when <= seconds]
        assert (told or [{}])[0] == (changed or [{}])[-1]
        assert len(told) <= 1
