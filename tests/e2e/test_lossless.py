"""A steady load through every lifecycle operation: no request fails but those a bad version answers badly itself."""

import pytest
from e2e_load import Load
from e2e_stack import Stack, eventually

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("e2e-lossless")]

NAME = "digits"
COPIES = 3
ERRORS = {"name": "errors", "metric": "error-rate", "max": 0.2, "interval": "1s", "minSamples": 5}
POLICY = {"batch": 2, "bake": "2s", "deadline": "60s", "checks": [ERRORS]}


def test_no_request_is_lost_from_the_first_answer_to_the_last(stack: Stack) -> None:
    stack.given_version(NAME, "1", startup=0.3)
    stack.given_version(NAME, "2", startup=0.3)
    stack.given_version(NAME, "3", startup=0.3, errors=0.5)
    stack.given_version("neighbour", "1")

    with stack.following(NAME) as followed:
        stack.when_applied(NAME, model=NAME, version="1", copies=COPIES, rollout=POLICY)
        followed.wait_for("TrafficShifted", 1)
    with Load(stack.gateway, NAME) as load:
        stack.then_serves(NAME, "1", COPIES)

        and_then(stack, NAME, "RolloutSucceeded", version="2")
        stack.then_serves(NAME, "2", COPIES)

        and_then(stack, "neighbour", "RolloutSucceeded", model="neighbour", version="1", copies=1, rollout=POLICY)

        and_then(stack, NAME, "RolledBack", version="3")
        stack.then_serves(NAME, "2", COPIES)

        stack.run("scale", NAME, "--copies", "5", "--wait")
        stack.then_serves(NAME, "2", 5)
        stack.run("scale", NAME, "--copies", "2", "--wait")
        stack.then_serves(NAME, "2", 2)

        stack.run("delete", "neighbour", "--wait")

        stack.run("rollout", "undo", NAME, "--wait")
        stack.then_serves(NAME, "1", 2)

    assert load.lost == []
    bad = load.own_errors("3")
    assert bad, "the bad version was asked, and answered badly"
    assert len(bad) == sum(not answer.good for answer in load.answers), "nobody else answered badly"
    answered = load.by_version()
    assert set(answered) == {"1", "2", "3"}
    assert {answer.path for answer in load.answers if answer.good} == {"/quick", "/slow", "/stream"}
    assert stack.then_ledger_is_whole(NAME)[-1] == {"1": 100}

    stack.run("delete", NAME, "--wait")
    eventually(lambda: not stack.lives.living(), "every copy is gone")
    assert stack.read("events", NAME)["items"][-1]["type"] == "Retired"


def and_then(stack: Stack, name: str, type: str, **changes: object) -> None:
    """Apply, and wait until it ended so."""
    with stack.following(name) as followed:
        stack.when_applied(name, **changes)
        followed.wait_for(type)
