"""The emulated time: in order, once, and as fast as asked."""

import threading

import pytest

from longshore.emulator.clock import ManualClock, RealClock
from longshore.emulator.scripts import Script, Scripts, Wait


def runner(clock: ManualClock) -> Scripts:
    def wake() -> None:
        scripts.look()

    scripts = Scripts(clock, wake)
    return scripts


def test_a_manual_clock_does_what_is_due_in_order_of_time() -> None:
    clock, done = ManualClock(0), []
    clock.call_later(20, lambda: done.append(("later", clock.now())))
    clock.call_later(10, lambda: done.append(("sooner", clock.now())))
    clock.advance(9)
    assert done == []
    clock.advance(11)
    assert done == [("sooner", 10), ("later", 20)]
    assert clock.now() == 20


def test_what_an_action_asks_for_within_the_time_is_done_too() -> None:
    clock, done = ManualClock(0), []
    clock.call_later(10, lambda: clock.call_later(10, lambda: done.append(clock.now())))
    clock.advance(30)
    assert done == [20]


def test_a_cancelled_timer_does_nothing() -> None:
    clock, done = ManualClock(0), []
    clock.call_later(10, lambda: done.append(1)).cancel()
    clock.advance(20)
    assert done == []


def test_one_broken_action_does_not_stop_the_others() -> None:
    clock, done = ManualClock(0), []
    clock.call_later(10, lambda: int("no number"))
    clock.call_later(20, lambda: done.append(1))
    clock.advance(20)
    assert done == [1]


def test_a_real_clock_runs_as_fast_as_asked() -> None:
    clock, done = RealClock(speed=1000), threading.Event()
    began = clock.now()
    clock.call_later(60, done.set)
    assert done.wait(timeout=20)
    assert clock.now() >= began + 60
    clock.stop()


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        RealClock(speed=0)


def test_a_story_waits_for_conditions_and_instants() -> None:
    clock, told, door = ManualClock(0), [], []
    scripts = runner(clock)

    def story() -> Script:
        told.append((yield Wait(seconds=10)))
        told.append((yield Wait(lambda: bool(door), seconds=100, look=5)))
        told.append((yield Wait(lambda: bool(door), seconds=100)))

    scripts.start("one", story())
    clock.advance(10)
    assert told == [False]
    door.append(1)
    clock.advance(5)
    scripts.look()
    assert told == [False, True, True]
    assert not scripts.runs("one")


def test_a_story_that_is_cancelled_ends_where_it_is() -> None:
    clock, told = ManualClock(0), []
    scripts = runner(clock)

    def story() -> Script:
        yield Wait(seconds=10)
        told.append("end")

    scripts.start("one", story())
    scripts.cancel("one")
    clock.advance(20)
    assert told == []
