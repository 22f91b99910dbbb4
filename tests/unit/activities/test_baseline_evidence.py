"""Which readings of a batch a comparison with the old version is made from."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.inputs import MeasureInput
from activities.measuring import evidence_of
from longshore.planning.checks import measure
from longshore.planning.observed import Sample
from longshore.spec.deployment import Check

SHIFTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RATE = 10
"""Requests a second of each version, 5 ms each, as long as it has traffic."""
COMPARED = Check(name="slow", metric="latency-p90", compare="baseline", max_increase=0.2, interval=2.0, min_samples=20)


def reading(version: str, seconds: float, requests: float) -> Sample:
    """A reading so many seconds after the shift."""
    at = SHIFTED + timedelta(seconds=seconds)
    latency = ((4.0, 0), (5.0, int(requests)))
    return Sample(gateway="g", version=version, at=at, epoch="1", requests=int(requests), errors=0, latency=latency)


def old_until_the_shift(*instants: float) -> list[Sample]:
    """Readings of an old version that lost all its traffic at the shift."""
    return [reading("1", at, 1000 + RATE * min(at, 0.0)) for at in instants]


def new_since_the_shift(*instants: float) -> list[Sample]:
    return [reading("2", at, RATE * max(at, 0.0)) for at in instants]


def outcome(samples: list[Sample], earlier: list[Sample]) -> str:
    asked = MeasureInput(
        target="t",
        deployment="d",
        model="m",
        operation="d/rollout-2",
        batch=4,
        new="2",
        old="1",
        checks=(COMPARED,),
        not_before=SHIFTED,
        bake_ended=True,
    )
    now = SHIFTED + timedelta(seconds=5)
    return measure(COMPARED, evidence_of(asked, samples, earlier, now)).outcome.value


@pytest.mark.parametrize(
    ("before", "earlier", "expected"),
    [
        pytest.param([-6.0], [], "passed", id="a batch that was long in starting has its own window before the shift"),
        pytest.param([-0.5], [-9.0], "passed", id="a batch that started at once borrows from the batch before it"),
        pytest.param([-0.5], [], "inconclusive", id="too little before the shift stays too little"),
    ],
)
def test_the_last_batch_leaves_the_old_version_no_traffic(
    before: list[float], earlier: list[float], expected: str
) -> None:
    since = [0.01, 2.0, 4.0]
    samples = [*old_until_the_shift(*before, *since), *new_since_the_shift(*before, *since)]
    assert outcome(samples, old_until_the_shift(*earlier)) == expected
