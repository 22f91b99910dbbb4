"""Simulated time: whole seconds, each a hundred of the test server's.

The server's clock skips what nobody works in, but while somebody works it runs on, as any clock does. So work done at
one instant would be seen at many, and how many would depend on the machine. Here a simulated second is long enough
for all the work of an instant, and whatever happens in it happens at it: instants are rounded down.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity, workflow
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import ScheduleActivity, WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from longshore.messages import TASK_QUEUE

START = datetime(2000, 1, 1, tzinfo=UTC)
"""0s of every rehearsal."""
STRETCH = 100
"""Seconds of the server for one that is simulated: more than any machine works at one instant."""
LONG_HISTORY = 40
"""Events after which a workflow continues as new. Every task replays them all, so they are what time is spent on."""
SOONEST = timedelta(milliseconds=1)


def simulated(seconds: float) -> datetime:
    """The instant so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def seconds_of(instant: datetime) -> float:
    """Seconds after the start."""
    return (instant - START).total_seconds()


class Clock:
    """Turns the server's time into simulated time, and back."""

    def __init__(self, origin: datetime, stretch: int = STRETCH, retry_stretch: int = STRETCH) -> None:
        self._origin = origin
        """The server's time at 0s."""
        self.stretch = stretch
        self.retry_stretch = retry_stretch
        """Of the waits between attempts of an activity."""

    def second(self, server: datetime) -> int:
        """The whole simulated second of an instant of the server."""
        return max(0, math.floor((server - self._origin).total_seconds() / self.stretch))

    def server(self, second: float) -> datetime:
        """The server's time at a simulated second."""
        return self._origin + timedelta(seconds=second * self.stretch)

    def now(self) -> datetime:
        """The simulated instant of the activity that asks: when this attempt of it was scheduled."""
        return simulated(self.second(activity.info().current_attempt_scheduled_time))


def rehearsal_plugin(clock: Clock) -> SimplePlugin:
    """Workflows see simulated time. They are the real ones, without the sandbox, which costs most of a task."""
    return SimplePlugin("longshore-rehearsal", workflow_runner=lambda _: _StretchedRunner(clock))


class _StretchedRunner(WorkflowRunner):
    """Makes workflows whose time is simulated."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runner = UnsandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _StretchedInstance(self._runner.create_instance(det), self._clock)


class _StretchedInstance(WorkflowInstance):
    """A workflow between the server's time and its own: instants come in rounded down, timers go out stretched."""

    def __init__(self, inner: WorkflowInstance, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        arrived = _instant(act.timestamp)
        second = self._clock.second(arrived)
        act.timestamp.FromDatetime(simulated(second))
        act.continue_as_new_suggested = act.history_length > LONG_HISTORY
        completion = self._inner.activate(act)
        for command in completion.successful.commands:
            self._stretch(command, second, arrived)
        return completion

    def _stretch(self, command: WorkflowCommand, second: int, arrived: datetime) -> None:
        _make_plain(command)
        if command.HasField("start_timer"):
            timeout = command.start_timer.start_to_fire_timeout
            due = self._clock.server(math.ceil(second + timeout.ToTimedelta().total_seconds()))
            timeout.FromTimedelta(max(SOONEST, due - arrived))
        elif command.HasField("schedule_activity"):
            # How long one attempt may take is left alone: it is worked on in real time.
            asked = command.schedule_activity
            _longer(asked.schedule_to_close_timeout, self._clock.stretch)
            _longer(asked.retry_policy.initial_interval, self._clock.retry_stretch)
            _longer(asked.retry_policy.maximum_interval, self._clock.retry_stretch)

    def get_info(self) -> workflow.Info:
        return self._inner.get_info()

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)


def _make_plain(command: WorkflowCommand) -> None:
    """Turn a local activity into a plain one.

    A worker that caches no workflow sometimes loses the task that the server gives it in return for the result of a
    local activity; ten real seconds go by until the server misses it (temporalio 1.35).
    """
    if command.HasField("schedule_local_activity"):
        local = command.schedule_local_activity
        plain = ScheduleActivity(
            seq=local.seq,
            activity_id=local.activity_id,
            activity_type=local.activity_type,
            task_queue=TASK_QUEUE,
            headers=local.headers,
            arguments=local.arguments,
            start_to_close_timeout=local.start_to_close_timeout,
            retry_policy=local.retry_policy,
            cancellation_type=local.cancellation_type,
            do_not_eagerly_execute=True,
        )
        command.schedule_activity.CopyFrom(plain)
    elif command.HasField("request_cancel_local_activity"):
        command.request_cancel_activity.seq = command.request_cancel_local_activity.seq


def _instant(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _longer(duration: Duration, times: int) -> None:
    if duration.ToNanoseconds():
        duration.FromTimedelta(duration.ToTimedelta() * times)
