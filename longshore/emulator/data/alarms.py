"""CloudWatch's metric alarms: kept, judged over the emulator's time, and followed by what they are to set off.

Source: the shapes `PutMetricAlarmInput` and `MetricAlarm`; CloudWatch User Guide, "Alarm evaluation". Composite alarms
and those on anomalies are not emulated.
"""

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.emulator.clock import Clock
from longshore.emulator.data.judging import COMPARISONS, EXTRA_PERIODS, Rule, State, judge
from longshore.emulator.data.queries import answered, check_period, metric_of, period_of, values_of
from longshore.emulator.data.series import Series
from longshore.emulator.data.tagging import Tagging, as_map
from longshore.emulator.errors import AwsError
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import ACCOUNT, instant

_MINUTE = 60
_MISSING = ("missing", "ignore", "breaching", "notBreaching")
_ACTIONS: dict[State, str] = {
    "ALARM": "AlarmActions",
    "OK": "OKActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}

Params = Mapping[str, Any]


@dataclass
class Alarm:
    """One alarm: as it was put, and what became of it."""

    name: str
    arn: str
    given: Params
    """A `PutMetricAlarmInput`."""
    configured: float
    state: State = "INSUFFICIENT_DATA"
    reason: str = "Unchecked: Initial alarm creation"
    updated: float = 0.0
    transitioned: float = 0.0
    value: float | None = None
    """The newest datapoint that there is."""
    fresh: bool = False
    """Whether that is the last period's."""
    acted: float = -math.inf
    """When its actions were last set off."""
    judged: int = -1
    """The period in which it was last judged."""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def period(self) -> int:
        """Seconds of one datapoint."""
        metrics = self.given.get("Metrics")
        return period_of(metrics) if metrics else int(self.given["Period"])


Fire = Callable[[str, Alarm], None]
"""Sets off an action, by its ARN."""


class Alarms:
    """Every alarm; may be used from any thread."""

    def __init__(self, series: Series, clock: Clock) -> None:
        self._series = series
        self._clock = clock
        self._lock = threading.Lock()
        self._alarms: dict[str, Alarm] = {}
        self.fire: Fire = lambda _arn, _alarm: None
        """What actions do."""

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "PutMetricAlarm": self.put,
            "DescribeAlarms": self.describe,
            "DeleteAlarms": self.delete,
            "SetAlarmState": self.set_state,
            "EnableAlarmActions": lambda _, params: self._enable(params["AlarmNames"], enabled=True),
            "DisableAlarmActions": lambda _, params: self._enable(params["AlarmNames"], enabled=False),
            **Tagging(self._tags_of, pairs=True).handlers(),
        }

    def state(self, _region: str, name: str) -> State | None:
        """An alarm's state; None if there is no such alarm."""
        alarm = self._alarms.get(name)
        return alarm.state if alarm is not None else None

    def all(self) -> list[Alarm]:
        """All there are, by name."""
        with self._lock:
            return [alarm for _, alarm in sorted(self._alarms.items())]

    def put(self, caller: Caller, params: Params) -> None:
        """Make an alarm, or change what one of that name watches; its state is kept."""
        _check(params)
        name, now = params["AlarmName"], self._clock.now()
        with self._lock:
            known = self._alarms.get(name)
            if known is not None:
                known.given, known.configured = params, now
            else:
                arn = f"arn:aws:cloudwatch:{caller.region}:{ACCOUNT}:alarm:{name}"
                alarm = Alarm(name, arn, params, now, updated=now, transitioned=now)
                alarm.tags |= as_map(params.get("Tags", []))
                self._alarms[name] = alarm

    def describe(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of alarms."""
        if "MetricAlarm" not in params.get("AlarmTypes", ["MetricAlarm"]):
            return {"MetricAlarms": [], "CompositeAlarms": []}
        found = [alarm for alarm in self.all() if _matches(alarm, params)]
        start, size = int(params.get("NextToken") or 0), params.get("MaxRecords", 50)
        more = str(start + size) if len(found) > start + size else None
        shown = [_shown(alarm) for alarm in found[start : start + size]]
        return {"MetricAlarms": shown, "CompositeAlarms": [], "NextToken": more}

    def delete(self, _: Caller, params: Params) -> None:
        """Delete alarms; those that are not there are no error."""
        with self._lock:
            for name in params["AlarmNames"]:
                self._alarms.pop(name, None)

    def set_state(self, _: Caller, params: Params) -> None:
        """Set a state by hand, until the next evaluation; its actions are set off."""
        with self._lock:
            alarm = self._alarms.get(params["AlarmName"])
            if alarm is None:
                raise AwsError("ResourceNotFound", f"There is no alarm {params['AlarmName']}.", 404)
            self._becomes(alarm, params["StateValue"], params["StateReason"])
        self._act(alarm)

    def judge_all(self) -> bool:
        """Judge the alarms that are due and set off their actions; True if a state has changed.

        An alarm is due once in every minute, or in every period where that is shorter.
        """
        now = self._clock.now()
        with self._lock:
            due = [alarm for alarm in self._alarms.values() if _term(alarm, now) != alarm.judged]
            before = [alarm.state for alarm in due]
            for alarm in due:
                alarm.judged = _term(alarm, now)
                self._judge(alarm, now)
        for alarm, state in zip(due, before, strict=True):
            # A scaling action is repeated every minute while its alarm stands, and not for what was long ago.
            stands = alarm.state == "ALARM" and alarm.fresh
            if alarm.state != state or (stands and now - alarm.acted >= _MINUTE):
                self._act(alarm)
        return [alarm.state for alarm in due] != before

    def _judge(self, alarm: Alarm, now: float) -> None:
        given, period = alarm.given, alarm.period
        end = math.floor(now / period) * period
        instants = range(end - (given["EvaluationPeriods"] + EXTRA_PERIODS) * period, end, period)
        values = self._values(given, (instants.start, instants.stop))
        datapoints = [values.get(at) for at in instants]
        rule = Rule(
            given["ComparisonOperator"],
            given["Threshold"],
            given["EvaluationPeriods"],
            given.get("DatapointsToAlarm", given["EvaluationPeriods"]),
            given.get("TreatMissingData", "missing"),
        )
        state = judge(rule, datapoints, alarm.state)
        alarm.fresh = datapoints[-1] is not None
        alarm.value = next((value for value in reversed(datapoints) if value is not None), None)
        if state != alarm.state:
            recent = [value for value in datapoints if value is not None][-rule.periods :]
            self._becomes(alarm, state, f"Datapoints {recent} by {rule.comparison} {rule.threshold}")

    def _values(self, given: Params, span: tuple[int, int]) -> dict[int, float]:
        if "Metrics" in given:
            watched = next(query for query in given["Metrics"] if query.get("ReturnData", True))
            return answered(self._series, given["Metrics"], span)[watched["Id"]]
        statistic = given.get("ExtendedStatistic") or given["Statistic"]
        return values_of(self._series, metric_of(given), statistic, span, given["Period"])

    def _becomes(self, alarm: Alarm, state: State, reason: str) -> None:
        now = self._clock.now()
        if state != alarm.state:
            alarm.transitioned = now
        alarm.state, alarm.reason, alarm.updated = state, reason, now

    def _act(self, alarm: Alarm) -> None:
        """Outside of the lock: whoever acts may ask for alarms."""
        alarm.acted = self._clock.now()
        if alarm.given.get("ActionsEnabled", True):
            for arn in alarm.given.get(_ACTIONS[alarm.state], ()):
                self.fire(arn, alarm)

    def _tags_of(self, arn: str) -> dict[str, str] | None:
        return next((alarm.tags for alarm in self.all() if alarm.arn == arn), None)

    def _enable(self, names: list[str], *, enabled: bool) -> None:
        with self._lock:
            for name in names:
                if name in self._alarms:
                    alarm = self._alarms[name]
                    alarm.given = {**alarm.given, "ActionsEnabled": enabled}


def _check(params: Params) -> None:
    if params["ComparisonOperator"] not in COMPARISONS or "ThresholdMetricId" in params:
        raise AwsError("ValidationError", "The emulator has no alarms on anomalies.")
    if "Threshold" not in params:
        raise AwsError("ValidationError", "Threshold is required.")
    if params.get("TreatMissingData", "missing") not in _MISSING:
        raise AwsError("ValidationError", f"Option {params['TreatMissingData']} is not supported.")
    if params.get("DatapointsToAlarm", 1) > params["EvaluationPeriods"]:
        raise AwsError("ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if "Metrics" in params:
        if sum(query.get("ReturnData", True) for query in params["Metrics"]) != 1:
            raise AwsError("ValidationError", "Exactly one element of the metrics list should return data.")
        return
    needed = {"MetricName", "Namespace", "Period"}
    if not needed <= params.keys() or ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise AwsError(
            "ValidationError",
            "MetricName, Namespace, Period and one of Statistic and ExtendedStatistic are needed, or Metrics.",
        )
    check_period(params["Period"])


def _term(alarm: Alarm, now: float) -> int:
    return int(now // min(alarm.period, _MINUTE))


def _matches(alarm: Alarm, params: Params) -> bool:
    actions = [arn for kind in _ACTIONS.values() for arn in alarm.given.get(kind, ())]
    return (
        ("AlarmNames" not in params or alarm.name in params["AlarmNames"])
        and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
        and params.get("StateValue", alarm.state) == alarm.state
        and ("ActionPrefix" not in params or any(arn.startswith(params["ActionPrefix"]) for arn in actions))
    )


def _shown(alarm: Alarm) -> dict[str, Any]:
    given = {name: value for name, value in alarm.given.items() if name != "Tags"}
    return {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **given,
        "Dimensions": [] if "Metrics" in given else given.get("Dimensions", []),
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": instant(alarm.configured),
        "StateValue": alarm.state,
        "StateReason": alarm.reason,
        "StateReasonData": json.dumps({"recentDatapoint": alarm.value}),
        "StateUpdatedTimestamp": instant(alarm.updated),
        "StateTransitionedTimestamp": instant(alarm.transitioned),
    }
