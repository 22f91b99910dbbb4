"""The worker is killed in the middle of a rollout on SageMaker that throttles, and answers with yesterday's state.

Every call is a level by a name that is its own: nothing is made twice there, and nothing is left behind.
"""

import pytest
from e2e_stack import eventually
from sagemaker_player import Player, told

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

NAME = "crashes"
COPIES = 3
POLICY = {
    "batch": 2,
    "bake": "4s",
    "drainTimeout": "20s",
    "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01, "interval": "3s", "minSamples": 5}],
}
MOMENTS = (("RolloutStarted", None), ("BatchStarted", 1), ("TrafficShifted", 1), ("BatchDone", 1), ("BatchReady", 2))
"""Something is being verified, created, shifted to, ended, and counted."""
OF_A_BATCH = ("BatchStarted", "BatchReady", "TrafficShifted", "BatchDone")
UNDISTURBED = ["RolloutStarted", *OF_A_BATCH, *OF_A_BATCH, "RolloutSucceeded"]
OURS = ["Create*", "Describe*", "List*", "Update*", "Delete*", "AddTags"]
"""Calls that are throttled: Longshore's, and not the clients' own."""
STALE_S = 60
"""Emulated seconds by which Describe lags: one real one."""


def test_a_worker_killed_at_every_step_makes_nothing_twice_and_leaves_nothing_behind(player: Player) -> None:
    stack, sagemaker = player.stack, player.client("sagemaker")
    player.given_endpoint(NAME, "ml.g5.48xlarge", 1)
    for version in ("1", "2"):
        player.given_version(NAME, version, {})
    stack.when_applied(NAME, target=NAME, model=NAME, version="1", copies=COPIES, rollout=POLICY)
    stack.then_serves(NAME, "1", COPIES)
    player.faults(throttle={"every": 4, "operations": OURS}, stale_seconds=STALE_S)

    with player.asked(NAME) as statuses, stack.following(NAME) as followed:
        stack.when_applied(NAME, version="2")
        for kind, batch in MOMENTS:
            followed.wait_for(kind, batch)
            restarts = stack.state["parts"]["worker"]["restarts"]
            stack.when_killed("worker")
            stack.then_back("worker", restarts + 1)
        followed.wait_for("RolloutSucceeded")
        stack.then_serves(NAME, "2", COPIES)

    assert [kind for kind, _, _ in told(stack.events(NAME, followed.after))] == UNDISTURBED
    assert set(statuses) == {200}, "no request was lost"
    player.faults()
    components = sagemaker.list_inference_components(EndpointNameEquals=NAME)["InferenceComponents"]
    assert len(components) == 1, "the old version's component is gone, and the new one's was made once"
    found = sagemaker.describe_inference_component(InferenceComponentName=components[0]["InferenceComponentName"])
    assert found["RuntimeConfig"]["CurrentCopyCount"] == COPIES
    served = found["Specification"]["ModelName"]
    eventually(
        lambda: [model["ModelName"] for model in sagemaker.list_models()["Models"]] == [served],
        "no model object is left that nobody uses: a reading removes it once its component is gone",
    )
