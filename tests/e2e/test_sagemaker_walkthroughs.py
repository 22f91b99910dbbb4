"""AWS's published walkthroughs, told by Longshore's command line on the whole stack, with the emulator for AWS.

What a person says goes through the installed `longshore`; what is true at AWS is read by boto3.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sagemaker_player import Player
from sagemaker_walker import Walker

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

ROLLED_BACK = 3
"""Exit code of a rollout that was rolled back."""
WHAT_IT_IS = ("InferenceComponentArn", "InferenceComponentStatus", "Specification", "RuntimeConfig")
"""Of a component's description; the rest is when it was touched."""
QUICK = {"batch": 1, "bake": "1s", "drainTimeout": "20s"}
"""A policy under which nothing is waited for but copies and requests."""
MODEL_ERROR = 424
"""What SageMaker answers when a container failed."""
GUARDRAILS: dict[str, dict[str, Any]] = {
    "canary": {"strategy": "canary", "steps": [{"weight": 25}]},
    "linear": {"strategy": "canary", "steps": [{"weight": 25}, {"weight": 50}, {"weight": 75}]},
    "rolling": {"strategy": "rolling", "batch": "25%"},
}
"""Deployment → its policy."""
AT_ONCE = 4
"""More would keep two cores from answering in time."""


def an_update_of_sagemakers_own_that_an_alarm_rolls_back_leaves_the_component_as_it_was(walker: Walker) -> None:
    """AWS: rolling updates of inference components, with CloudWatch alarms for auto-rollback."""
    player, name, alarm = walker.player, "alarmed", "alarmed-errors"
    walker.given_endpoint(name, "ml.g5.12xlarge", 1)
    walker.given_versions((name, "1"), (name, "3"))
    walker.given_versions((name, "2"), errorRate=0.5)
    walker.apply({"alarmed": {"target": name, "version": "1", "copies": 2}}, "--wait")
    component = walker.component_of(name)
    walker.alarm(alarm, InferenceComponentName=component)
    policy = {"delegate": "sagemaker", "batch": "50%", "bake": "3m", "alarms": [alarm]}

    before = walker.described(component)
    with player.asked(name):
        walker.apply({"alarmed": {"version": "2", "rollout": policy}}, "--wait", exits=ROLLED_BACK)
    told = walker.shows(name, phase="RolledBack", version="1", traffic={"1": 100}, ready={"1": 2}, drift="InSync")
    assert told["reason"] == "RolledBackByPlatform"
    assert {key: walker.described(component)[key] for key in WHAT_IT_IS} == {key: before[key] for key in WHAT_IT_IS}

    # Undone in silence: `InService`, no reason told, and boto3's users would take it for the new version.
    walker.rests(alarm)
    walker.faults(silent_rollback=[component])
    walker.apply({"alarmed": {"version": "3"}}, "--wait", exits=ROLLED_BACK)
    assert walker.described(component)["InferenceComponentStatus"] == "InService"
    assert walker.get(name)["phase"] == "RolledBack"
    assert walker.asks(name)["version"] == "1"

    walker.faults(silent_rollback=[])
    walker.stack.run("rollout", "retry", name, "--wait")
    walker.shows(name, phase="Succeeded", version="3", traffic={"3": 100}, ready={"3": 2}, drift="InSync")
    assert walker.component_of(name) == component, "whoever asks it directly goes on asking it"
    assert walker.asks(name)["version"] == "3"


def two_models_take_turns_on_four_accelerators_and_wait_for_each_other(walker: Walker) -> None:
    """AWS: swap models on one instance by their copy counts."""
    endpoint = "swap"
    walker.given_endpoint(endpoint, "ml.g5.12xlarge", 1)
    walker.given_versions(("ebb", "1"), ("flood", "1"), resources={"accelerators": 4})

    with walker.watched(endpoint) as watch:
        walker.apply({"ebb": {"target": endpoint, "version": "1", "copies": 1}}, "--wait")
        walker.apply({"flood": {"target": endpoint, "version": "1", "copies": 1}})
        walker.shows("flood", phase="Pending", reason="InsufficientAccelerators")
        walker.stack.run("scale", "ebb", "--copies", "0", "--wait")
        walker.shows("ebb", health="ScaledToZero", copies={})
        walker.serves("flood", "1", 1)
        assert walker.asks("flood")["version"] == "1"

        walker.stack.run("scale", "ebb", "--copies", "1")
        walker.shows("ebb", reason="InsufficientAccelerators")
        walker.stack.run("delete", "deployment", "flood", "--wait")
        walker.serves("ebb", "1", 1)
        assert walker.asks("ebb")["version"] == "1"

    assert max(watch.accelerators) == 4
    assert max(watch.instances) == 1
    assert len(walker.components(endpoint)) == 1


def one_of_many_models_on_two_instances_is_updated_and_nobody_else_notices(walker: Walker) -> None:
    """AWS: many models behind one endpoint, each as an inference component."""
    player, endpoint, rolled = walker.player, "many", "rolled"
    walker.given_endpoint(endpoint, "ml.g5.48xlarge", 2)
    neighbours = [f"neighbour-{number}" for number in range(1, 13)]
    walker.given_versions(*((model, "1") for model in (*neighbours, rolled)), (rolled, "2"))
    alone = {"target": endpoint, "version": "1", "copies": 1}
    everybody = {**dict.fromkeys(neighbours, alone), rolled: {**alone, "copies": 3, "rollout": QUICK}}
    walker.apply(everybody, "--wait")
    processes = {name: walker.asks(name)["process"] for name in neighbours}
    others = {walker.component_of(name) for name in neighbours}
    before = {name: one for name, one in walker.components(endpoint).items() if name in others}

    with asked(player, everybody, per_second=2) as statuses, walker.watched(endpoint) as watch:
        walker.apply({rolled: {"version": "2"}}, "--wait")
    walker.serves(rolled, "2", 3)

    assert {name: set(those) for name, those in statuses.items()} == {name: {200} for name in everybody}
    assert max(watch.accelerators) == 16, "both instances were full at the peak, and never fuller"
    assert {name: one for name, one in walker.components(endpoint).items() if name in others} == before
    assert {name: walker.asks(name)["process"] for name in neighbours} == processes, "nobody's process was restarted"


def without_capacity_it_drains_first_where_it_may_and_else_waits_until_there_is_room(walker: Walker) -> None:
    """AWS: an instance for the new copies that is not to be had."""
    types = {"frugal": "ml.g6.12xlarge", "strict": "ml.g6e.12xlarge"}
    walker.faults(capacity=dict.fromkeys(types.values(), 1))
    policies = {"frugal": {"maxUnavailable": 2}, "strict": {}}
    for name, type_ in types.items():
        walker.given_endpoint(name, type_, 1, most=2)
        walker.given_versions((name, "1"), (name, "2"))
    full = {"version": "1", "copies": 4}
    given = {
        name: {**full, "target": name, "rollout": {**QUICK, "batch": 2, **policy}} for name, policy in policies.items()
    }
    walker.apply(given, "--wait")

    with walker.watched("frugal") as frugal:
        walker.apply({"frugal": {"version": "2"}, "strict": {"version": "2"}})
        walker.happens("strict", "RolloutBlocked")
        walker.serves("frugal", "2", 4)
    assert max(frugal.accelerators) == 6, "SageMaker was asked for a surge, and refused it"
    assert max(frugal.instances) == 1

    blocked = walker.shows("strict", reason="InsufficientAccelerators", ready={"1": 4}, traffic={"1": 100})
    assert "There is not enough capacity on the endpoint's instances" in blocked["message"], "AWS's own words"
    assert "maxUnavailable: 1 would do" in blocked["message"]
    assert set(walker.components("strict")) == {walker.component_of("strict")}, "nothing is left of the attempt"

    walker.faults(capacity={})
    walker.made_by_hand("strict", "neighbour-by-hand")  # SageMaker starts the second instance for it
    walker.serves("strict", "2", 4)


def what_a_person_changes_at_aws_is_told_and_put_right_or_accepted_by_a_word(walker: Walker) -> None:
    """AWS: anybody with the console may change, delete and make inference components."""
    endpoint = "meddled"
    walker.given_endpoint(endpoint, "ml.g5.48xlarge", 1)
    copies = {"counted": 2, "patched": 1, "deleted": 1}
    walker.given_versions(*((model, "1") for model in copies))
    alone = {"target": endpoint, "version": "1"}
    walker.apply({name: {**alone, "copies": count} for name, count in copies.items()}, "--wait")
    counted, patched, deleted = (walker.component_of(name) for name in copies)

    walker.scaled_by_hand(counted, 1)
    walker.patched_by_hand(patched, LOG_LEVEL="debug")
    walker.sagemaker.delete_inference_component(InferenceComponentName=deleted)
    told = {name: walker.shows(name, drift="Drifted", reason="ChangedOutside")["message"] for name in copies}
    assert "RuntimeConfig.CopyCount of version 1 is 1, not 2" in told["counted"]
    assert "Specification.ModelName of version 1 is patched-" in told["patched"]
    assert "version 1 was deleted" in told["deleted"]
    assert all("longshore apply -f FILE --take" in words for words in told.values())

    walker.apply({"counted": {}, "deleted": {}}, "--take", "--wait")
    for name in ("counted", "deleted"):
        walker.serves(name, "1", copies[name])
        now = walker.described(walker.component_of(name))
        assert now["RuntimeConfig"]["CurrentCopyCount"] == copies[name]

    process = walker.asks("patched")["process"]
    walker.stack.run("adopt", "patched", "--as", "1-debug", "--wait")
    walker.serves("patched", "1-debug", 1)
    assert walker.component_of("patched") == patched
    assert walker.asks("patched")["process"] == process, "what is accepted is not started again"


def a_component_that_somebody_made_is_taken_over_while_it_serves(walker: Walker) -> None:
    """AWS: inference components that were there before Longshore."""
    player, endpoint = walker.player, "inherited"
    walker.given_endpoint(endpoint, "ml.g5.12xlarge", 1)
    component = walker.made_by_hand(endpoint, "by-hand")
    process = walker.invokes(endpoint, component)["process"]
    listed = walker.stack.read("import", endpoint)
    assert [one["component"] for one in listed["items"]] == [component]

    before = walker.described(component)
    walker.stack.run("import", endpoint, component, "--as", "inherited", "--wait")
    walker.serves("inherited", "1", 1)
    assert walker.described(component) == before
    assert walker.asks("inherited")["process"] == walker.invokes(endpoint, component)["process"] == process

    walker.given_versions(("inherited", "2"))
    with player.asked("inherited") as statuses:
        walker.apply({"inherited": {"target": endpoint, "version": "2", "copies": 1, "rollout": QUICK}}, "--wait")
    assert set(statuses) == {200}
    walker.serves("inherited", "2", 1)
    assert component not in walker.components(endpoint), "it is of no use any more"


def an_endpoint_of_one_model_is_updated_under_guardrails_and_the_truth_is_told_of_each_end(walker: Walker) -> None:
    """AWS: deployment guardrails; canary, linear and rolling, each with a bad version and then a good one."""
    player, target, copies = walker.player, "guarded", 4
    walker.given_classic_target(target, "ml.g5.xlarge", most=2 * copies * len(GUARDRAILS))
    walker.given_versions(*((name, version) for name in GUARDRAILS for version in ("1", "3")))
    walker.given_versions(*((name, "2") for name in GUARDRAILS), errorRate=0.5)
    walker.apply({name: {"target": target, "version": "1", "copies": copies} for name in GUARDRAILS}, "--wait")
    before = {name: walker.endpoint_of(name) for name in GUARDRAILS}
    for name, endpoint in before.items():
        walker.alarm(name, EndpointName=endpoint["EndpointName"], VariantName="AllTraffic")
    guarded = {"delegate": "sagemaker", "bake": "4m"}
    policies = {name: {**guarded, **policy, "alarms": [name]} for name, policy in GUARDRAILS.items()}

    with asked(player, GUARDRAILS) as statuses:
        walker.apply(
            {name: {"version": "2", "rollout": policies[name]} for name in GUARDRAILS}, "--wait", exits=ROLLED_BACK
        )
    for name in GUARDRAILS:
        old = {"version": "1", "traffic": {"1": 100}, "ready": {"1": copies}}
        walker.shows(name, phase="RolledBack", reason="RolledBackByPlatform", drift="InSync", **old)
        after = walker.endpoint_of(name)
        assert after["EndpointConfigName"] == before[name]["EndpointConfigName"]
        assert after["EndpointStatus"] == "InService", "which boto3's waiter takes for a success"
        assert set(statuses[name]) == {200, MODEL_ERROR}, "version 2 had its part of the requests, and lost no other"
        walker.rests(name)

    with asked(player, GUARDRAILS) as statuses:
        walker.apply({name: {"version": "3"} for name in GUARDRAILS}, "--wait")
    for name in GUARDRAILS:
        new = {"version": "3", "traffic": {"3": 100}, "ready": {"3": copies}}
        walker.shows(name, phase="Succeeded", drift="InSync", **new)
        after = walker.endpoint_of(name)
        assert after["EndpointConfigName"] != before[name]["EndpointConfigName"]
        assert way_of(after) == f"{name.upper()} 25%"
        assert set(statuses[name]) == {200}


@contextmanager
def asked(player: Player, names: Iterable[str], **rate: float) -> Iterator[dict[str, list[int]]]:
    """Requests to several deployments; gives their statuses as they come."""
    with ExitStack() as asking:
        yield {name: asking.enter_context(player.asked(name, **rate)) for name in names}


def way_of(endpoint: dict[str, Any]) -> str:
    """How AWS says that it brought an endpoint to what it is."""
    last = endpoint["LastDeploymentConfig"]
    if "RollingUpdatePolicy" in last:
        return f"ROLLING {last['RollingUpdatePolicy']['MaximumBatchSize']['Value']}%"
    routing = last["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    size = routing.get("CanarySize") or routing.get("LinearStepSize")
    return f"{routing['Type']} {size['Value']}%"


def an_idle_model_sleeps_and_is_woken_by_a_request_and_its_policy_rests_while_it_is_updated(walker: Walker) -> None:
    """AWS: scale an inference component to zero, and back by a step policy on requests that found no copy."""
    player, name = walker.player, "sleepy"
    walker.given_endpoint(name, "ml.g5.12xlarge", 1)
    walker.given_versions((name, "1"), (name, "2"))
    scaling = {"min": 0, "max": 2, "goal": 4, "scaleInCooldown": "1m"}
    given = {"target": name, "version": "1", "copies": 1, "scaling": scaling, "rollout": {**QUICK, "bake": "5s"}}
    walker.apply({name: given}, "--wait")
    first = walker.component_of(name)
    (registered,) = walker.scalable_targets(first)
    assert (registered["MinCapacity"], registered["MaxCapacity"]) == (0, 2)
    assert set(registered["SuspendedState"].values()) == {False}
    assert walker.policies(first) == {"TargetTrackingScaling", "StepScaling"}

    asleep = walker.shows(name, health="ScaledToZero", ready={})
    assert asleep["drift"] == "InSync", "what its own policy did is nobody else's change"
    assert walker.described(first)["RuntimeConfig"]["DesiredCopyCount"] == 0
    walker.wakes(name)
    with player.asked(name), walker.stack.following(name) as followed:  # it would sleep again if nobody asked
        walker.shows(name, health="Healthy", version="1", ready={"1": 1}, drift="InSync")
        walker.apply({name: {"version": "2"}})
        followed.wait_for("TrafficShifted")
        (held,) = walker.scalable_targets(first)
        assert set(held["SuspendedState"].values()) == {True}, "one of the two changes copies at a time"
        followed.wait_for("RolloutSucceeded")
        walker.serves(name, "2", 1)
    second = walker.component_of(name)
    assert walker.scalable_targets(first) == []
    (moved,) = walker.scalable_targets(second)
    assert (moved["MinCapacity"], moved["MaxCapacity"]) == (0, 2)
    assert set(moved["SuspendedState"].values()) == {False}
    assert walker.policies(second) == {"TargetTrackingScaling", "StepScaling"}

    walker.stack.run("delete", "deployment", name, "--wait")
    assert walker.scalable_targets(second) == []


WALKS: tuple[Callable[[Walker], None], ...] = (
    one_of_many_models_on_two_instances_is_updated_and_nobody_else_notices,
    without_capacity_it_drains_first_where_it_may_and_else_waits_until_there_is_room,
    an_endpoint_of_one_model_is_updated_under_guardrails_and_the_truth_is_told_of_each_end,
    an_idle_model_sleeps_and_is_woken_by_a_request_and_its_policy_rests_while_it_is_updated,
    an_update_of_sagemakers_own_that_an_alarm_rolls_back_leaves_the_component_as_it_was,
    what_a_person_changes_at_aws_is_told_and_put_right_or_accepted_by_a_word,
    a_component_that_somebody_made_is_taken_over_while_it_serves,
    two_models_take_turns_on_four_accelerators_and_wait_for_each_other,
)
"""The longest first."""


@pytest.fixture(scope="module")
def ends(player: Player, request: pytest.FixtureRequest) -> Iterator[dict[Callable[[Walker], None], Future[None]]]:
    """How the walks that were asked for end: they go side by side, each on endpoints of its own."""
    here = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {walk: pool.submit(walk, Walker(player)) for walk in (item.callspec.params["walk"] for item in here)}


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.replace("_", "-"))
def test_as_aws_walks_through_it(
    walk: Callable[[Walker], None], ends: dict[Callable[[Walker], None], Future[None]]
) -> None:
    ends[walk].result()
