"""Whatever is asked of an endpoint, in whatever order: nothing is given away twice, and nothing is left behind."""

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from longshore.emulator.clock import ManualClock
from longshore.emulator.control.service import hosting
from longshore.emulator.errors import AwsError
from longshore.emulator.placement import MIB_A_GIB
from longshore.emulator.protocol import Caller
from longshore.emulator.state import CopyState
from longshore.emulator.world import World

NAMES = ("one", "two", "three")
CALLER = Caller("us-east-1", "AKIDEXAMPLE")
MOST = 3
REST_SECONDS = 4 * 3600

names = st.sampled_from(NAMES)
counts = st.integers(0, 6)
Step = Callable[["Account"], None]


class Account:
    """One endpoint with managed scaling, and operations on it that may be refused."""

    def __init__(self) -> None:
        self.clock = ManualClock(0)
        self.world = World(self.clock)
        self.alarmed = False
        self.world.alarm_state = lambda _region, _name: "ALARM" if self.alarmed else "OK"
        self._handlers = hosting(self.world)._handlers
        self.config("config-0")
        self.call("CreateEndpoint", EndpointName="shared", EndpointConfigName="config-0")
        self.clock.advance(200)

    def call(self, operation: str, **params: Any) -> None:
        with contextlib.suppress(AwsError):
            self._handlers[operation](CALLER, params)
        self.check()

    def config(self, name: str, kind: str = "ml.g5.12xlarge") -> None:
        scaling = {
            "Status": "ENABLED",
            "MinInstanceCount": 1,
            "MaxInstanceCount": MOST,
            "ScaleInPolicy": {"Strategy": "CONSOLIDATION", "CooldownInMinutes": 5},
        }
        variant = {"VariantName": "main", "InstanceType": kind, "InitialInstanceCount": 1}
        self.call(
            "CreateEndpointConfig",
            EndpointConfigName=name,
            ExecutionRoleArn="arn:aws:iam::123456789012:role/r",
            ProductionVariants=[{**variant, "ManagedInstanceScaling": scaling}],
        )

    def advance(self, seconds: int) -> None:
        """Turn the clock in small steps, looking at every one."""
        for _ in range(0, seconds, 10):
            self.clock.advance(10)
            self.check()

    def check(self) -> None:
        """What must hold at any instant."""
        for endpoint in self.world.endpoints.values():
            for fleet in endpoint.all_fleets():
                assert len(fleet.instances) <= MOST
                for instance in fleet.instances:
                    here = fleet.on(instance)
                    indices = [index for copy in here for index in copy.accelerators]
                    assert len(indices) == len(set(indices)) <= instance.room.accelerators
                    assert sum(copy.need.memory_mib for copy in here) <= instance.room.memory_gib * MIB_A_GIB

    def check_at_rest(self) -> None:
        """What must hold once nothing moves any more."""
        endpoint = self.world.endpoints["shared"]
        assert endpoint.status == "InService"
        assert not endpoint.incoming
        for component in self.world.components.values():
            assert component.status in {"InService", "Failed"}
            own = [copy for copy in self.world.copies() if copy.component == component.name]
            assert all(copy.state is CopyState.READY for copy in own)
            if component.status == "InService":
                assert all(copy.blueprint is component.blueprint for copy in own)
                assert len(own) <= component.desired
        assert all(copy.component in self.world.components for copy in self.world.copies())


def specification(accelerators: int, image: str) -> dict[str, Any]:
    return {
        "Container": {"Image": image},
        "ComputeResourceRequirements": {
            "NumberOfAcceleratorDevicesRequired": accelerators,
            "MinMemoryRequiredInMb": 1024,
        },
    }


def create(name: str, copies: int, accelerators: int) -> Step:
    return lambda account: account.call(
        "CreateInferenceComponent",
        InferenceComponentName=name,
        EndpointName="shared",
        Specification=specification(accelerators, "image:1"),
        RuntimeConfig={"CopyCount": copies},
    )


def scale(name: str, copies: int) -> Step:
    return lambda account: account.call(
        "UpdateInferenceComponentRuntimeConfig",
        InferenceComponentName=name,
        DesiredRuntimeConfig={"CopyCount": copies},
    )


def update(name: str, accelerators: int, percent: int) -> Step:
    policy = {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": percent}, "WaitIntervalInSeconds": 60}
    alarms = {"Alarms": [{"AlarmName": "errors"}]}
    return lambda account: account.call(
        "UpdateInferenceComponent",
        InferenceComponentName=name,
        Specification=specification(accelerators, "image:2"),
        DeploymentConfig={"RollingUpdatePolicy": policy, "AutoRollbackConfiguration": alarms},
    )


def delete(name: str) -> Step:
    return lambda account: account.call("DeleteInferenceComponent", InferenceComponentName=name)


def other_fleet(number: int) -> Step:
    def step(account: Account) -> None:
        account.config(f"config-{number}", "ml.g6.12xlarge")
        account.call("UpdateEndpoint", EndpointName="shared", EndpointConfigName=f"config-{number}")

    return step


def alarm(alarmed: bool) -> Step:  # noqa: FBT001 - a state, not a switch
    return lambda account: setattr(account, "alarmed", alarmed)


def capacity(instances: int) -> Step:
    return lambda account: account.world.faults.set(capacity={"ml.g5.12xlarge": instances})


def sick(images: list[str]) -> Step:
    return lambda account: account.world.faults.set(unhealthy=images)


def lose(number: int) -> Step:
    def step(account: Account) -> None:
        instances = account.world.fleets.instances()
        if instances:
            account.world.fleets.lose(instances[number % len(instances)]["id"])
            account.world.touch()
        account.check()

    return step


def advance(seconds: int) -> Step:
    return lambda account: account.advance(seconds)


steps = st.one_of(
    st.builds(create, names, st.integers(1, 6), st.integers(1, 4)),
    st.builds(scale, names, counts),
    st.builds(update, names, st.integers(1, 4), st.sampled_from([5, 25, 50])),
    st.builds(delete, names),
    st.builds(other_fleet, st.integers(1, 3)),
    st.builds(alarm, st.booleans()),
    st.builds(capacity, st.integers(0, MOST)),
    st.builds(sick, st.sampled_from([[], ["image:2"]])),
    st.builds(lose, st.integers(0, MOST)),
    st.builds(advance, st.sampled_from([10, 60, 200, 700])),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=14))
@example([create("one", 1, 1), advance(200), other_fleet(1), advance(200), delete("one")])
def test_nothing_is_given_away_twice_nothing_left_behind_and_all_comes_to_rest(story: list[Step]) -> None:
    account = Account()
    for step in story:
        step(account)
    account.world.faults.clear()
    account.alarmed = False
    account.advance(REST_SECONDS)
    account.check_at_rest()
