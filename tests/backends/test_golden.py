"""Golden requests: an answer is right when it holds all that is expected, and a wrong one is told of."""

import json
from typing import Any

import pytest

from longshore.backends.golden import MOST_SHOWN, matches, mismatch
from longshore.backends.port import HttpAnswer

EXPECTED = {"outputs": [{"name": "predict", "data": [3]}]}


def answer(content: Any) -> HttpAnswer:
    return HttpAnswer(status=200, body=json.dumps(content).encode(), seconds=0.01)


@pytest.mark.parametrize(
    ("actual", "wrong"),
    [
        pytest.param(EXPECTED, None, id="an equal answer is right"),
        pytest.param({**EXPECTED, "id": "7"}, None, id="an answer may hold more than is expected"),
        pytest.param({"outputs": [{"name": "predict"}]}, "outputs[0].data is missing", id="a missing field is named"),
        pytest.param(
            {"outputs": [{"name": "predict", "data": [8]}]},
            "outputs[0].data[0] is 8, not 3",
            id="another value is named with its path",
        ),
        pytest.param(
            {"outputs": [*EXPECTED["outputs"], {"name": "proba"}]},
            "outputs has 2 items, not 1",
            id="a list is compared as a whole",
        ),
        pytest.param([3], 'the answer is [3], not {"outputs": [{"name": "predict", "data": [3]}]}', id="another shape"),
    ],
)
def test_a_wrong_answer_is_told_by_its_first_difference(actual: Any, wrong: str | None) -> None:
    assert mismatch(EXPECTED, answer(actual)) == wrong
    assert matches(EXPECTED, answer(actual)) is (wrong is None)


def test_an_answer_that_is_no_json_is_wrong() -> None:
    assert mismatch(EXPECTED, HttpAnswer(status=200, body=b"<html>", seconds=0.01)) == "the answer is not JSON"


def test_long_values_are_cut() -> None:
    told = mismatch({"text": "short"}, answer({"text": "x" * 1000}))

    assert told is not None
    assert len(told) < MOST_SHOWN + 40
