"""What the demo makes of its clients' answers, and what it counts as not observed."""

from dataclasses import replace

import pytest

from longshore.demo.answers import Answer, by_version, percentile, recovery, tally
from longshore.demo.report import Report, Rollout
from longshore.demo.story import caught_by


def answer(done: float, version: str | None = "2", *, took: float = 0.01, **how: bool) -> Answer:
    return Answer(sent=done - took, done=done, version=version, **how)


GOOD = [answer(1.0), answer(2.0)]
BACK = [answer(9.0), answer(10.0)]


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        pytest.param([*GOOD, answer(4.0, "3", wrong=True), *BACK], 5.0, id="from a wrong answer to the next good one"),
        pytest.param([*GOOD, answer(3.0, "3"), answer(4.0, "3", wrong=True), *BACK], 5.0, id="a good one is not bad"),
        pytest.param([*GOOD, answer(4.0, "3", took=0.2), *BACK], 5.0, id="a slow answer is bad"),
        pytest.param([*GOOD, answer(4.0, "3", failed=True), *BACK], 5.0, id="a failed answer is bad"),
        pytest.param([*GOOD, answer(4.0, "3", wrong=True), answer(5.0), answer(8.5, "3"), *BACK], 5.0, id="stragglers"),
        pytest.param([*BACK, answer(4.0, "3", wrong=True), *GOOD], 5.0, id="in whichever order they are noted"),
        pytest.param(
            [*GOOD, answer(4.0, "3", wrong=True), *BACK, answer(11.0, None, failed=True)], None, id="not back"
        ),
        pytest.param([*GOOD, answer(4.0, "3", wrong=True)], None, id="nobody saw the traffic come back"),
        pytest.param([*GOOD, answer(4.0, "3"), *BACK], None, id="there was no bad answer"),
        pytest.param([answer(4.0, wrong=True), *BACK], None, id="a wrong answer of the good version is not meant"),
        pytest.param([], None, id="no traffic"),
    ],
)
def test_recovery_is_from_the_first_bad_answer_until_all_traffic_is_good_again(
    answers: list[Answer], seconds: float | None
) -> None:
    assert recovery(answers, bad="3", good="2", slow=100) == seconds


def test_a_tally_counts_one_version_and_times_only_what_was_answered() -> None:
    answers = [answer(at, took=0.001 * at) for at in range(1, 101)]
    answers += [answer(200, took=50.0, failed=True), answer(1, "1", wrong=True), answer(3, wrong=True, took=0.003)]

    seen = tally(answers, "2")

    assert (seen.requests, seen.failed, seen.wrong) == (102, 1, 1)
    assert (round(seen.p50), round(seen.p99)) == (50, 99)
    assert seen.wrong_share == 1 / 101
    assert tally([], "2").wrong_share == 0.0


def test_requests_that_no_version_answered_belong_to_none() -> None:
    assert by_version([answer(1, "2"), answer(2, "1"), answer(3, "2"), answer(4, None, failed=True)]) == {
        "1": 1,
        "2": 2,
    }


@pytest.mark.parametrize(
    ("values", "quantile", "expected"), [([], 0.5, 0.0), ([7.0], 0.01, 7.0), ([1.0, 2.0], 0.5, 1.0), ([1, 2], 0.51, 2)]
)
def test_a_percentile_is_a_value_that_was_seen(values: list[float], quantile: float, expected: float) -> None:
    assert percentile(values, quantile) == expected


def test_the_check_that_caught_a_version_is_the_one_it_was_rolled_back_for() -> None:
    events = [
        {"type": "CheckFailed", "check": "slow", "message": "latency-p99 30"},
        {"type": "CheckFailed", "check": "right", "message": "accuracy 0.6"},
        {"type": "RolledBack", "message": "check right: accuracy 0.6"},
    ]

    assert caught_by({"message": "check right: accuracy 0.6"}, events) == "right"
    assert caught_by({"message": "0 of 1 copies were ready within 90 s"}, events) is None


def rollout(to: str, phase: str) -> Rollout:
    return Rollout("digits", "1", to, phase, batches=1, seconds=1.0, peak_accelerators=5)


WHOLE = Report(
    deployment="digits",
    urls={},
    onboarded=True,
    rollouts=[rollout("2", "Succeeded"), rollout("3", "RolledBack")],
    requests=300,
    by_version={"1": 100, "2": 100, "3": 100},
    caught_by="right",
    recovery_seconds=2.0,
    back=True,
)


def test_nothing_is_missing_from_a_whole_story() -> None:
    assert list(WHOLE.missing()) == []


@pytest.mark.parametrize(
    "gap",
    [
        {"onboarded": False},
        {"rollouts": []},
        {"rollouts": [rollout("2", "RolledBack"), rollout("3", "RolledBack")]},
        {"rollouts": [rollout("2", "Succeeded"), rollout("3", "Succeeded")]},
        {"caught_by": None},
        {"recovery_seconds": None},
        {"failed": 1},
        {"by_version": {"1": 100, "2": 200}},
        {"back": False},
        {"stopped_by": "digits/rollout-2 is paused"},
    ],
    ids=lambda gap: next(iter(gap)),
)
def test_whatever_was_not_observed_is_said(gap: dict[str, object]) -> None:
    assert list(replace(WHOLE, **gap).missing())
