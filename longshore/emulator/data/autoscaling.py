"""Application Auto Scaling of inference components and endpoint variants: its operations, and what alarms set off.

Source: the shapes of botocore's `application-autoscaling`; Application Auto Scaling User Guide. How far a policy scales
is in `scaling`; what it scales is changed through SageMaker's own operations. Scheduled and predictive scaling are not
emulated.
"""

import threading
import uuid
from typing import Any

import structlog

from longshore.emulator.clock import Clock
from longshore.emulator.data.alarms import Alarm, Alarms
from longshore.emulator.data.capacity import COMPONENT, Capacity
from longshore.emulator.data.scalable import (
    Key,
    Params,
    Scalable,
    check_namespace,
    key_of,
    missing,
    new_target,
    of_dimension,
    page,
    policy_arn,
    shown_target,
)
from longshore.emulator.data.scaling import DEFAULT_COOLDOWN, Last, Wish, stepped, tracked
from longshore.emulator.data.tagging import Tagging
from longshore.emulator.data.tracking import Policy, alarms_of
from longshore.emulator.errors import AwsError, invalid
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import instant

logger = structlog.get_logger(__name__)

_MOST_ACTIVITIES = 1000


class AutoScaling:
    """`RegisterScalableTarget` and its like. Used from any thread."""

    def __init__(self, clock: Clock, alarms: Alarms, capacity: Capacity) -> None:
        self._clock = clock
        self._alarms = alarms
        self._capacity = capacity
        self._lock = threading.RLock()
        self._targets: dict[Key, Scalable] = {}
        self._policies: dict[tuple[Key, str], Policy] = {}
        self._activities: list[dict[str, Any]] = []
        alarms.fire = self.fire

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "RegisterScalableTarget": self.register,
            "DescribeScalableTargets": self.targets,
            "DeregisterScalableTarget": self.deregister,
            "PutScalingPolicy": self.put_policy,
            "DescribeScalingPolicies": self.policies,
            "DeleteScalingPolicy": self.delete_policy,
            "DescribeScalingActivities": self.activities,
            **Tagging(self._tags_of, pairs=False).handlers(),
        }

    def register(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Make a resource scalable, or change between what bounds it is; a capacity outside of them is put right."""
        key = key_of(params)
        current = self._capacity.current(key[0])
        if current is None:
            raise invalid(f"Resource not found: {key[0]}")
        with self._lock:
            known = self._targets.get(key)
            least = params.get("MinCapacity", known.least if known else None)
            most = params.get("MaxCapacity", known.most if known else None)
            if least is None or most is None:
                raise invalid("Min capacity and max capacity are required to register a scalable target.")
            if least > most:
                raise invalid("Maximum capacity cannot be less than minimum capacity")
            if known is None:
                known = self._targets[key] = new_target(key, caller, params, self._clock.now())
            known.least, known.most = least, most
            known.suspended |= params.get("SuspendedState", {})
        if known.bounds().within(current) != current:
            self._move(known, known.bounds().within(current), "a changed minimum or maximum capacity")
        return {"ScalableTargetARN": known.arn}

    def targets(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of targets."""
        check_namespace(params)
        wanted = params.get("ResourceIds")
        with self._lock:
            found = [
                target
                for target in self._targets.values()
                if (wanted is None or target.key[0] in wanted) and of_dimension(target.key, params)
            ]
        return page(params, "ScalableTargets", [shown_target(target) for target in found])

    def deregister(self, caller: Caller, params: Params) -> None:
        """Scale a resource no more; its policies and their alarms go too."""
        key = key_of(params)
        with self._lock:
            if self._targets.pop(key, None) is None:
                raise missing("scalable target", key)
            names = [name for known, name in self._policies if known == key]
        for name in names:
            self.delete_policy(caller, {**params, "PolicyName": name})

    def put_policy(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Make or change a policy. One that tracks a target gets alarms of its own, which only it changes."""
        key, name = key_of(params), params["PolicyName"]
        kind = params.get("PolicyType", "StepScaling")
        with self._lock:
            if key not in self._targets:
                raise AwsError("ObjectNotFoundException", f"No scalable target registered for {key[0]} {key[1]}")
            known = self._policies.get((key, name))
            given = params.get(f"{kind}PolicyConfiguration")
            if kind not in {"StepScaling", "TargetTrackingScaling"} or given is None:
                raise invalid(f"{kind}PolicyConfiguration is required; predictive scaling is not emulated.")
            arn = known.arn if known is not None else policy_arn(caller, key, name)
            created = known.created if known is not None else self._clock.now()
            policy = Policy(key, name, arn, kind, given, created)
            policy.id = known.id if known is not None else uuid.uuid4().hex
            wanted = alarms_of(policy, self._capacity.names(key[0]))
            policy.alarms = tuple(alarm["AlarmName"] for alarm in wanted)
            self._policies[key, name] = policy
        gone = set(known.alarms) - set(policy.alarms) if known is not None else set()
        self._alarms.delete(caller, {"AlarmNames": sorted(gone)})
        for alarm in wanted:
            self._alarms.put(caller, alarm)
        return {"PolicyARN": arn, "Alarms": self._shown_alarms(policy)}

    def policies(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of policies."""
        check_namespace(params)
        names = params.get("PolicyNames")
        with self._lock:
            found = [
                policy
                for policy in self._policies.values()
                if params.get("ResourceId", policy.key[0]) == policy.key[0]
                and of_dimension(policy.key, params)
                and (names is None or policy.name in names)
            ]
        return page(params, "ScalingPolicies", [self._shown_policy(policy) for policy in found])

    def delete_policy(self, caller: Caller, params: Params) -> None:
        """Delete a policy and the alarms that it made."""
        key = key_of(params)
        with self._lock:
            policy = self._policies.pop((key, params["PolicyName"]), None)
        if policy is None:
            raise missing("scaling policy", key)
        self._alarms.delete(caller, {"AlarmNames": list(policy.alarms)})

    def activities(self, _: Caller, params: Params) -> dict[str, Any]:
        """What was scaled, the newest first."""
        check_namespace(params)
        wanted = params.get("ResourceId")
        found = [each for each in reversed(self._activities) if wanted in {None, each["ResourceId"]}]
        return page(params, "ScalingActivities", found)

    def fire(self, arn: str, alarm: Alarm) -> None:
        """An alarm sets off a policy; those that are nobody's here are somebody else's."""
        with self._lock:
            policy = next((known for known in self._policies.values() if known.arn == arn), None)
            target = self._targets.get(policy.key) if policy is not None else None
        if policy is None or target is None or alarm.state != "ALARM" or alarm.value is None:
            return
        current = self._capacity.current(target.key[0])
        if current is None:
            return
        wanted = self._wanted(policy, target, alarm, current)
        if wanted is not None:
            self._move(target, wanted, f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.name}")

    def _wanted(self, policy: Policy, target: Scalable, alarm: Alarm, current: int) -> int | None:
        value = alarm.value or 0.0
        step = policy.kind == "StepScaling"
        out = policy.given.get("Cooldown" if step else "ScaleOutCooldown", DEFAULT_COOLDOWN)
        wish = Wish(
            direction="out" if alarm.given["ComparisonOperator"].startswith("Greater") else "in",
            current=current,
            now=self._clock.now(),
            out_cooldown=out,
            in_cooldown=out if step else policy.given.get("ScaleInCooldown", DEFAULT_COOLDOWN),
            last_out=target.last_out,
            last_in=target.last_in,
        )
        if step:
            return stepped(wish, target.bounds(), policy.given, value - alarm.given["Threshold"])
        return tracked(wish, target.bounds(), value, policy.given["TargetValue"])

    def _move(self, target: Scalable, wanted: int, cause: str) -> None:
        """Change a capacity through SageMaker, and write down what became of it."""
        resource, now = target.key[0], self._clock.now()
        before = self._capacity.current(resource) or 0
        what = "copy count" if target.key[1] == COMPONENT else "instance count"
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": target.key[1],
            "Description": f"Setting desired {what} to {wanted}.",
            "Cause": cause,
            "StartTime": instant(now),
            "EndTime": instant(now),
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired {what} to {wanted}.",
        }
        try:
            self._capacity.change(resource, wanted)
        except AwsError as error:
            # As with an endpoint that is being updated. While the alarm stands it is tried again every minute.
            activity |= {"StatusCode": "Failed", "StatusMessage": f"Failed to set desired {what}: {error.message}"}
            logger.info("scaling failed", resource=resource, wanted=wanted, reason=error.message)
        else:
            last = Last(now, before, wanted)
            target.last_out, target.last_in = (last, target.last_in) if wanted > before else (target.last_out, last)
        with self._lock:
            self._activities = [*self._activities[-_MOST_ACTIVITIES:], activity]

    def _tags_of(self, arn: str) -> dict[str, str] | None:
        with self._lock:
            return next((target.tags for target in self._targets.values() if target.arn == arn), None)

    def _shown_policy(self, policy: Policy) -> dict[str, Any]:
        return {
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            "ServiceNamespace": "sagemaker",
            "ResourceId": policy.key[0],
            "ScalableDimension": policy.key[1],
            "PolicyType": policy.kind,
            f"{policy.kind}PolicyConfiguration": policy.given,
            "Alarms": self._shown_alarms(policy),
            "CreationTime": instant(policy.created),
        }

    def _shown_alarms(self, policy: Policy) -> list[dict[str, str]]:
        """Those that a policy made, and those of people that name it among their actions."""
        found = [alarm for alarm in self._alarms.all() if policy.arn in alarm.given.get("AlarmActions", ())]
        return [{"AlarmName": alarm.name, "AlarmARN": alarm.arn} for alarm in found]
