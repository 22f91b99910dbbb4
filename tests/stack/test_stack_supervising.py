"""Small decisions of the supervisor, and its logs."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from longshore.stack.logs import KEPT, last_line, rotate
from longshore.stack.supervisor import FIRST_WAIT, LONGEST_WAIT, BackOff


def test_waits_double_up_to_ten_seconds() -> None:
    back_off = BackOff()
    assert [round(back_off.wait(), 1) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


@given(st.integers(0, 100))
def test_a_part_that_was_ready_is_started_again_at_once(failures: int) -> None:
    back_off = BackOff()
    for _ in range(failures):
        assert back_off.wait() <= LONGEST_WAIT
    back_off.reset()
    assert back_off.wait() == FIRST_WAIT


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("line\n")
    assert not rotate(log, most=100)
    assert log.read_text() == "line\n"
    assert not rotate(tmp_path / "none.log", most=0)


def test_a_writer_goes_on_after_its_log_was_rotated(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        for number in range(KEPT + 2):
            writer.write(f"line {number}\n")
            writer.flush()
            assert rotate(log, most=1)
        writer.write("newest\n")
    assert log.read_text() == "newest\n"
    assert [Path(f"{log}.{number}").read_text() for number in range(1, KEPT + 1)] == [
        "line 4\n",
        "line 3\n",
        "line 2\n",
    ]
    assert len(list(tmp_path.iterdir())) == KEPT + 1


def test_the_last_line_that_says_something_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("first\nOSError: no space left\n\n  \n")
    assert last_line(log) == "OSError: no space left"
    log.write_text("x" * 20_000)
    assert len(last_line(log)) == 300
    assert last_line(tmp_path / "none.log") == ""
