"""The bake of a batch: measure at absolute instants, judge, and say when the batch may go on (DESIGN, rule 14)."""

from datetime import datetime, timedelta

from longshore.planning.checks import CheckCounters, Measurement, Outcome, Verdict, judge, may_end_bake
from longshore.planning.operation import Measure
from longshore.planning.rollout.state import Bake, PauseReason
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import EventType
from longshore.spec.deployment import Check

EVENTS = {
    Outcome.FAILED: EventType.CHECK_FAILED,
    Outcome.INCONCLUSIVE: EventType.CHECK_INCONCLUSIVE,
    Outcome.ERROR: EventType.CHECK_ERROR,
    Outcome.PASSED: EventType.CHECK_PASSED,
}


def begin(turn: RolloutTurn, since: datetime) -> Bake:
    """A bake whose windows begin at `since`. Counters start anew, but those of checks that watch the whole rollout."""
    return Bake(
        since=since,
        ends=since + timedelta(seconds=0 if turn.state.skip else turn.policy.bake),
        due={check.name: since for check in checks(turn)},
        counters=_lasting(turn, turn.state.vigil),
        served={copy.id: copy.ready_at for copy in turn.facts.copies(turn.new)},
    )


def watch_on(turn: RolloutTurn) -> Bake | None:
    """What goes on being watched once a bake is over: its windows begin now, and nothing is due at once."""
    if turn.state.bake is None:
        return turn.state.vigil
    due = {check.name: turn.now + timedelta(seconds=check.interval) for check in checks(turn)}
    return begin(turn, turn.now).model_copy(update={"due": due, "counters": _lasting(turn, turn.state.bake)})


def _lasting(turn: RolloutTurn, watched: Bake | None) -> dict[str, CheckCounters]:
    lasting = {check.name for check in checks(turn) if check.during == "rollout"}
    return {name: counted for name, counted in (watched.counters if watched else {}).items() if name in lasting}


def checks(turn: RolloutTurn) -> tuple[Check, ...]:
    """The checks that this rollout still asks."""
    return () if turn.state.skip or turn.state.instant else turn.policy.checks


def count(turn: RolloutTurn, bake: Bake) -> tuple[Bake, Verdict]:
    """Take in what was just measured. The verdict is the gravest of the checks'."""
    gravest = Verdict(action="go_on")
    counters, latest = dict(bake.counters), dict(bake.latest)
    by_name = {check.name: check for check in checks(turn)}
    for measurement in turn.facts.measurements or ():
        check = by_name.get(measurement.check)
        if check is None:
            continue
        counters[check.name], verdict = judge(counters.get(check.name, CheckCounters()), measurement, check)
        before = latest.get(check.name)
        latest[check.name] = measurement
        bad = measurement.outcome in {Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.ERROR}
        acts = verdict.action == "roll_back" or (verdict.action == "pause" and turn.state.pause is None)
        if bad and (acts or before is None or before.outcome is not measurement.outcome):
            say(turn, check, measurement)
        if _gravity(verdict) > _gravity(gravest):
            gravest = verdict
    turn.become(measured={**turn.state.measured, **latest})
    return bake.model_copy(update={"counters": counters, "latest": latest}), gravest


def say(turn: RolloutTurn, check: Check, measurement: Measurement) -> None:
    """An event for one measurement, with its numbers."""
    evidence = measurement.model_dump(
        mode="json", include={"value", "baseline", "samples", "p_value", "window_start", "window_end"}
    )
    turn.emit(
        EVENTS[measurement.outcome],
        measurement.message,
        batch=turn.state.batch,
        check=check.name,
        enforced=check.mode == "enforce",
        value=evidence["value"],
        baseline=evidence["baseline"],
        samples=evidence["samples"],
        pValue=evidence["p_value"],
        windowStart=evidence["window_start"],
        windowEnd=evidence["window_end"],
    )


def say_passed(turn: RolloutTurn, bake: Bake) -> None:
    """An event for every check that let the batch go on."""
    for check in checks(turn):
        measurement = bake.latest.get(check.name)
        if measurement is not None and measurement.outcome is Outcome.PASSED:
            say(turn, check, measurement)


def due_now(turn: RolloutTurn, bake: Bake) -> tuple[Bake, Measure | None]:
    """One measurement of all the checks whose instant has come; None when there is none."""
    due = tuple(check for check in checks(turn) if bake.due[check.name] <= turn.now)
    if not due:
        return bake, None
    return _measured(turn, bake, due, over=False)


def last_call(turn: RolloutTurn, bake: Bake) -> tuple[Bake, Measure]:
    """The measurement of all checks at the end of the bake."""
    return _measured(turn, bake, checks(turn), over=True)


def _measured(turn: RolloutTurn, bake: Bake, asked: tuple[Check, ...], *, over: bool) -> tuple[Bake, Measure]:
    due = dict(bake.due)
    for check in checks(turn):
        due[check.name] = next_due(due[check.name], turn.now, check)
    measure = Measure(
        checks=asked,
        watched=checks(turn),
        batch=turn.state.batch,
        not_before=bake.since,
        bake_ended=over,
        until=None if turn.state.pause else bake.ends,
    )
    return bake.model_copy(update={"due": due, "last_call": over}), measure


def next_due(due: datetime, now: datetime, check: Check) -> datetime:
    """When a check is measured next: its first instant after now, always the last due plus whole intervals."""
    interval = timedelta(seconds=check.interval)
    return due if due > now else due + interval * ((now - due) // interval + 1)


def unfinished(turn: RolloutTurn, bake: Bake) -> bool:
    """Whether a check still has to be measured before the bake may end: an error never promotes."""
    return any(
        check.name not in bake.latest or not may_end_bake(check, bake.latest[check.name]) for check in checks(turn)
    )


def next_instant(bake: Bake, *, paused: bool) -> datetime | None:
    """When to look again; a paused bake has no end, only its checks."""
    instants = list(bake.due.values()) if paused else [*bake.due.values(), bake.ends]
    return min(instants, default=None)


def pause_reason(verdict: Verdict) -> PauseReason:
    """The pause a verdict asks for."""
    return PauseReason.ERROR if verdict.reason == "CheckError" else PauseReason.INCONCLUSIVE


def _gravity(verdict: Verdict) -> int:
    return {"go_on": 0, "pause": 1, "roll_back": 2}[verdict.action]
