"""What an alarm that is there says of a rollout."""

from dataclasses import dataclass
from datetime import timedelta

from longshore.planning.checks import Measurement, Outcome, could_not_measure
from longshore.planning.cloudwatch.periods import Bake
from longshore.planning.cloudwatch.queries import asked
from longshore.spec.deployment import Check


@dataclass(frozen=True)
class Alarm:
    """An alarm as it stands."""

    state: str
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""
    reason: str = ""
    """Why, in CloudWatch's own words."""
    looks_back: float = 0.0
    """Seconds of data that its state tells of; 0 where that is not known, as of a composite alarm."""


def measure_alarm(check: Check, bake: Bake, alarm: Alarm | None) -> Measurement:
    """Measure a check of an alarm: ALARM is failed, whatever it is about, and OK is passed.

    OK counts once the alarm has seen nothing but the time since the shift, which may take longer than the bake: before,
    it tells of the old version. INSUFFICIENT_DATA is too little to tell: not yet, and inconclusive in the end.
    """
    name = asked(check).alarm
    if alarm is None:
        return could_not_measure(check, f"there is no alarm {name}: name one that is there, in its region", bake.now)
    knows_at = bake.not_before + timedelta(seconds=alarm.looks_back + asked(check).delay)
    if alarm.state == "ALARM":
        outcome, said = Outcome.FAILED, f"alarm {name} is in ALARM: {alarm.reason}".rstrip(": ")
    elif bake.now < knows_at:
        outcome, said = Outcome.NOT_YET, f"alarm {name} looks back to before the shift until {knows_at:%H:%M:%S}"
    elif alarm.state == "OK":
        outcome, said = Outcome.PASSED, f"alarm {name} is OK"
    else:
        outcome = Outcome.INCONCLUSIVE if bake.over else Outcome.NOT_YET
        said = f"alarm {name} has {alarm.state}: it has too few data to tell"
    return Measurement(check=check.name, outcome=outcome, at=bake.now, message=said)
