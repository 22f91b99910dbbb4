"""Looking ahead: what a planner decides at later instants while nothing changes but the clock.

A simulated target knows how long its copies and counters stay as they were read, and says so. Then an operation need
not look every second, or at every check's interval: it asks its planner what it would decide at later instants, and
waits until the first at which it would do or say something. What then happens is what would have happened anyway.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.observed import Observation
from longshore.planning.operation import Action, Decision, Facts, Measure, Observe
from longshore.planning.words import Phase
from longshore.spec.base import Value
from longshore.spec.deployment import Check

ROUNDS: Final = 3
"""A planner that only looks on has looked after so many decisions."""
GRAIN: Final = timedelta(seconds=1)
"""Simulated instants are whole seconds."""

GOOD: Final = {Outcome.PASSED, Outcome.NOT_YET}

Advance = Callable[[dict[str, Any], Facts], Decision]
"""A planner with its order: state and facts in, a decision out."""


class Foresight(Value):
    """What measuring the checks of one bake would say before `until`: these outcomes, whenever it is done."""

    measurements: tuple[Measurement, ...]
    batch: int
    not_before: datetime
    until: datetime

    def answer(self, action: Measure, now: datetime, phase: Phase) -> tuple[Measurement, ...] | None:
        """What the measurement would say; None when it is not known, or could make a difference."""
        if now >= self.until or action.bake_ended or (action.batch, action.not_before) != (self.batch, self.not_before):
            return None
        known = {measurement.check: measurement for measurement in self.measurements}
        if not all(_idle(check, known.get(check.name), phase) for check in action.checks):
            return None
        return tuple(known[check.name] for check in action.checks)


def _idle(check: Check, known: Measurement | None, phase: Phase) -> bool:
    """Whether the same measurement once more changes nothing."""
    if known is None:
        return False
    paused_already = phase is Phase.PAUSED and known.outcome is Outcome.ERROR
    return known.outcome in GOOD or check.mode == "observe" or paused_already


class Known(Value):
    """What an operation knows of the time to come."""

    observation: Observation
    foresight: Foresight | None = None

    def answer(self, actions: tuple[Action, ...], now: datetime, phase: Phase) -> dict[str, Any] | None:
        """The facts that these actions would give; None when they are not known, or would change something."""
        if self.observation.steady_until is None or now >= self.observation.steady_until:
            return None
        given: dict[str, Any] = {"answered": True, "observation": self.observation, "fresh": True}
        for action in actions:
            if isinstance(action, Measure):
                measured = self.foresight and self.foresight.answer(action, now, phase)
                if measured is None:
                    return None
                given["measurements"] = measured
            elif not isinstance(action, Observe):
                return None
        return given


def still(advance: Advance, last: Decision, known: Known, now: datetime) -> Decision | None:
    """What is decided at `now` if it is only to go on waiting; None when it is anything else, or not known."""
    state, facts = last.state, Facts(now=now, observation=known.observation)
    for _ in range(ROUNDS):
        decision = advance(state, facts)
        if _is_news(last, decision):
            return None
        if not decision.actions:
            return decision if decision.wait_until is not None and decision.wait_until > now else None
        given = known.answer(decision.actions, now, decision.phase)
        if given is None:
            return None
        state, facts = decision.state, Facts(now=now, **given)
    return None


def _is_news(last: Decision, decision: Decision) -> bool:
    said = (decision.phase, decision.reason, decision.message) != (last.phase, last.reason, last.message)
    return said or bool(decision.events or decision.shares or decision.result or decision.acknowledged)


def ahead(advance: Advance, last: Decision, known: Known) -> Decision:
    """The last decision to wait before there is something to do or to say; `last` itself when that is next.

    A limit once passed stays passed, so the last still instant is found by halving.
    """
    first, horizon = last.wait_until, known.observation.steady_until
    if first is None or horizon is None or (found := still(advance, last, known, first)) is None:
        return last
    low, high = 0, int((horizon - first) / GRAIN)
    ends = found.progress.bake_ends
    end = high if ends is None else int((ends - first) / GRAIN)
    guesses = [end, end - 1]  # mostly right, and then there is nothing to halve
    while high - low > 1:
        middle = guesses.pop() if guesses else (low + high) // 2
        if low < middle < high:
            there = still(advance, last, known, first + middle * GRAIN)
            low, high, found = (low, middle, found) if there is None else (middle, high, there)
    return found
