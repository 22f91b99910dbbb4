"""Any guarded update, with an alarm at any instant: all traffic is served, and the end is one version whole."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.emulator.clock import ManualClock
from longshore.emulator.control.service import hosting
from longshore.emulator.protocol import Caller
from longshore.emulator.state import CopyState, Fleet
from longshore.emulator.world import World

CALLER = Caller("us-east-1", "AKIDEXAMPLE")
LONGEST = 6 * 3600

counts = st.integers(1, 9)
waits = st.sampled_from([0, 30, 300])


@st.composite
def policies(draw: st.DrawFn, count: int) -> dict[str, Any] | None:
    """A deployment configuration that is allowed for so many instances; None for the default."""
    kind = draw(st.sampled_from([None, "ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"]))
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    wait = draw(waits)
    if kind is None:
        return None
    if kind == "ROLLING":
        size = {"Type": "INSTANCE_COUNT", "Value": draw(st.integers(1, max(1, count // 2)))}
        rollback = {"Type": "INSTANCE_COUNT", "Value": draw(st.integers(1, count))}
        policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait, "RollbackMaximumBatchSize": rollback}
        return {"RollingUpdatePolicy": policy, **alarms}
    percent = {"Type": "CAPACITY_PERCENT", "Value": draw(st.integers(10, 50))}
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    routing |= {"CANARY": {"CanarySize": percent}, "LINEAR": {"LinearStepSize": percent}}.get(kind, {})
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}, **alarms}


class Endpoint:
    """A classic endpoint under update."""

    def __init__(self, count: int) -> None:
        self.clock = ManualClock(0)
        self.world = World(self.clock)
        self.alarm_at: float | None = None
        self.world.alarm_state = lambda _region, _name: "ALARM" if self.alarmed() else "OK"
        self._handlers = hosting(self.world)._handlers
        self.count = count
        for version in ("old", "new"):
            container = {"Image": f"image:{version}"}
            self.call("CreateModel", ModelName=version, ExecutionRoleArn="arn", PrimaryContainer=container)
            variant = {
                "VariantName": "main",
                "ModelName": version,
                "InstanceType": "ml.g5.xlarge",
                "InitialInstanceCount": count,
                "ContainerStartupHealthCheckTimeoutInSeconds": 60,
            }
            self.call("CreateEndpointConfig", EndpointConfigName=version, ProductionVariants=[variant])
        self.call("CreateEndpoint", EndpointName="classic", EndpointConfigName="old")
        self.clock.advance(400)

    def alarmed(self) -> bool:
        return self.alarm_at is not None and self.clock.now() >= self.alarm_at

    def call(self, operation: str, **params: Any) -> None:
        self._handlers[operation](CALLER, params)

    @property
    def fleets(self) -> list[Fleet]:
        return self.world.fleets_of("classic", "main")

    def ready(self, fleet: Fleet) -> int:
        return sum(copy.state is CopyState.READY for copy in fleet.copies)

    def check(self) -> None:
        """At any instant all traffic has somewhere to go."""
        assert abs(sum(fleet.share for fleet in self.fleets) - 1) < 1e-9
        assert all(self.ready(fleet) for fleet in self.fleets if fleet.share > 0)
        assert sum(self.ready(fleet) for fleet in self.fleets) >= self.count


@settings(max_examples=60, deadline=None)
@given(data=st.data(), count=counts, alarm=st.none() | st.integers(0, 2000), sick=st.booleans())
def test_there_is_always_somebody_to_serve_and_the_end_is_one_version_whole(
    data: st.DataObject,
    count: int,
    alarm: int | None,
    sick: bool,  # noqa: FBT001 - a drawn case
) -> None:
    endpoint = Endpoint(count)
    policy = data.draw(policies(count))
    endpoint.alarm_at = None if alarm is None or policy is None else endpoint.clock.now() + alarm
    endpoint.world.faults.set(unhealthy=["image:new"] if sick else [])
    params = {} if policy is None else {"DeploymentConfig": policy}
    endpoint.call("UpdateEndpoint", EndpointName="classic", EndpointConfigName="new", **params)
    ends = endpoint.clock.now() + LONGEST
    tripped = False
    while endpoint.world.endpoints["classic"].status != "InService":
        assert endpoint.clock.now() < ends
        endpoint.clock.advance(10)
        tripped = tripped or endpoint.alarmed()
        endpoint.check()
    found = endpoint.world.endpoints["classic"]
    if sick or not tripped:  # an alarm may also come when all is done
        assert found.config == ("old" if sick else "new")
    [fleet] = endpoint.fleets
    assert (fleet.share, len(fleet.instances), endpoint.ready(fleet)) == (1.0, count, count)
    assert {copy.container.image for copy in fleet.copies} == {f"image:{found.config}"}
