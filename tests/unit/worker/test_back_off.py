"""When an observer tries again what failed."""

from hypothesis import given
from hypothesis import strategies as st

from worker.observer import INTERVAL, LONGEST, BackOff


@given(st.integers(min_value=0, max_value=40))
def test_each_failure_waits_longer_up_to_a_limit_and_a_success_begins_anew(failures: int) -> None:
    now = [0.0]
    back_off = BackOff(lambda: now[0])
    waits = [_waited(back_off, now) for _ in range(failures)]
    assert waits == [min(INTERVAL * 2**number, LONGEST) for number in range(failures)]
    back_off.failed()
    back_off.went_well()
    assert back_off.due


def _waited(back_off: BackOff, now: list[float]) -> float:
    """Fail once, and turn the clock until the next attempt is due."""
    failed_at = now[0]
    back_off.failed()
    for _ in range(int(LONGEST / INTERVAL) + 1):
        if back_off.due:
            break
        now[0] += INTERVAL
    return now[0] - failed_at
