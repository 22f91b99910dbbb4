"""Truths that hold for every rehearsal, on the very workflows that will run; `soak.py` plays many more."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parent))

from drawn import rehearsals
from rehearsed import answer_of, wrong_with

EACH = settings(
    max_examples=5,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # one takes seconds: `soak.py --shrink FILE` makes what went wrong smaller
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("number", range(1, 6))
def test_whatever_is_asked_and_whatever_breaks_it_is_all_true(number: int) -> None:
    @seed(number)
    @EACH
    @given(rehearsals())
    def all_true(document: dict[str, Any]) -> None:
        assert wrong_with(document) == [], yaml.safe_dump(document, sort_keys=False)

    all_true()


def test_the_same_rehearsal_gives_the_same_answer() -> None:
    @seed(7)
    @settings(EACH, max_examples=2)
    @given(rehearsals())
    def the_same(document: dict[str, Any]) -> None:
        assert answer_of(document) == answer_of(document), yaml.safe_dump(document, sort_keys=False)

    the_same()
