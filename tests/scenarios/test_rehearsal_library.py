"""The library of rehearsals: its page shows what each of them really says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

from paste_rehearsals import PAGE, pasted, rehearsals, timeline


def test_every_rehearsal_is_on_the_page_and_says_what_it_teaches() -> None:
    names = [path.stem for path in rehearsals()]
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| [")]

    assert sorted(pasted()) == names
    assert sorted(row.split("]")[0].removeprefix("| [") for row in rows) == names


@pytest.mark.parametrize("path", rehearsals(), ids=lambda path: path.stem)
def test_the_pasted_timeline_is_what_the_rehearsal_says(path: Path) -> None:
    assert timeline(path) == pasted()[path.stem], "python docs/paste_rehearsals.py pastes it anew"
