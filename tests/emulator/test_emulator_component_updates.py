"""Updates of inference components over the wire: batches, room, alarms, rollback."""

from collections.abc import Mapping
from typing import Any

from emulated import IMAGE, Hosting, refused, specification

OTHER = IMAGE.replace(":1", ":2")


def update(aws: Hosting, *, batch: Mapping[str, Any] | None = None, wait: int = 60, **changes: Any) -> None:
    """Ask for another image, rolling where a batch is given."""
    policy: dict[str, Any] = {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait}
    alarms, rollback, timeout = (changes.pop(each, None) for each in ("alarms", "rollback", "timeout"))
    policy |= {"RollbackMaximumBatchSize": rollback} if rollback else {}
    policy |= {"MaximumExecutionTimeoutInSeconds": timeout} if timeout else {}
    config: dict[str, Any] = {"RollingUpdatePolicy": policy}
    if alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    aws.api.update_inference_component(
        InferenceComponentName="llm",
        Specification=specification(image=changes.pop("image", OTHER), **changes),
        **({"DeploymentConfig": config} if batch else {}),
    )


def copies_of(aws: Hosting, image: str) -> int:
    return sum(copy.container.image == image for copy in aws.aws.world.copies_of_component("llm"))


def held(aws: Hosting) -> int:
    """Copies that hold accelerators now, in whatever state."""
    return sum(copy.instance is not None for copy in aws.aws.world.copies())


def image_of(aws: Hosting) -> str:
    return str(aws.describe("llm")["Specification"]["Container"]["DeployedImage"]["SpecifiedImage"])


ONE = {"Type": "COPY_COUNT", "Value": 1}


def test_a_rolling_update_starts_new_copies_bakes_and_then_ends_as_many_old_ones(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=3)
    update(aws, batch=ONE)
    assert aws.component_status("llm") == "Updating"
    assert image_of(aws) == IMAGE
    most = 0
    seen = set()
    while aws.component_status("llm") == "Updating":
        aws.clock.advance(5)
        most = max(most, held(aws))
        seen.add((copies_of(aws, IMAGE), copies_of(aws, OTHER)))
    assert most == 4
    assert {(3, 1), (2, 1), (2, 2), (1, 2), (1, 3), (0, 3)} <= seen
    assert min(old + new for old, new in seen) == 3
    assert image_of(aws) == OTHER
    assert aws.describe("llm")["LastDeploymentConfig"]["RollingUpdatePolicy"]["MaximumBatchSize"] == ONE


def test_one_batch_of_an_update_needs_its_own_room_and_asks_managed_scaling_for_it(aws: Hosting) -> None:
    aws.endpoint(ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2})
    aws.component(copies=4)
    update(aws, batch=ONE)
    aws.until(lambda: aws.instances() == 2)
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert image_of(aws) == OTHER
    aws.clock.advance(1000)
    assert aws.instances() == 2  # idle instances are released, but copies are not moved to make one idle


def test_without_room_for_a_batch_the_update_is_undone(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=4)
    update(aws, batch=ONE)
    aws.clock.advance(1900)
    assert aws.component_status("llm") == "InService"
    assert image_of(aws) == IMAGE
    assert copies_of(aws, IMAGE) == 4


def test_an_alarm_rolls_back_and_leaves_the_component_unchanged(aws: Hosting) -> None:
    aws.endpoint(kind="ml.g5.48xlarge")
    aws.component(copies=4)
    alarm = aws.alarm()
    before = aws.describe("llm")
    update(aws, batch=ONE, alarms=[alarm], wait=300)
    aws.until(lambda: copies_of(aws, OTHER) == 2)
    aws.alarm(alarm, "ALARM")
    aws.until(lambda: aws.component_status("llm") == "InService")
    after = aws.describe("llm")
    assert after["Specification"] == before["Specification"]
    assert after["RuntimeConfig"] == before["RuntimeConfig"]
    assert (copies_of(aws, IMAGE), copies_of(aws, OTHER)) == (4, 0)


def test_an_alarm_that_is_on_from_the_start_rolls_back(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    update(aws, batch=ONE, alarms=[aws.alarm(state="ALARM")])
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert image_of(aws) == IMAGE


def test_a_rollback_comes_in_batches_of_its_own(aws: Hosting) -> None:
    aws.endpoint(kind="ml.g5.48xlarge")
    aws.component(copies=4)
    aws.aws.faults.set(silent_rollback=["llm"])
    update(aws, batch={"Type": "CAPACITY_PERCENT", "Value": 50}, wait=0, rollback=ONE)
    aws.until(lambda: copies_of(aws, OTHER) == 4, step=1)
    most = 0
    while aws.component_status("llm") == "Updating":
        aws.clock.advance(1)
        most = max(most, held(aws))
    assert most <= 6  # four, one that comes back, and one that drains
    assert (copies_of(aws, IMAGE), image_of(aws)) == (4, IMAGE)


def test_a_version_that_never_passes_its_health_check_is_undone(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    aws.aws.faults.set(unhealthy=["*:2"])
    update(aws, batch=ONE, StartupParameters={"ContainerStartupHealthCheckTimeoutInSeconds": 60})
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert (copies_of(aws, IMAGE), image_of(aws)) == (2, IMAGE)


def test_an_update_past_its_timeout_is_undone(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=3)
    update(aws, batch=ONE, wait=3600, timeout=600)
    took = aws.until(lambda: aws.component_status("llm") == "InService")
    assert 600 <= took < 900
    assert image_of(aws) == IMAGE


def test_a_silent_rollback_ends_in_service_with_the_old_version(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    aws.aws.faults.set(silent_rollback=["llm"])
    update(aws, batch=ONE, wait=0)
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert image_of(aws) == IMAGE


def test_without_a_policy_all_new_copies_stand_before_the_old_ones_go(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    update(aws)
    aws.until(lambda: copies_of(aws, OTHER) == 2)
    assert copies_of(aws, IMAGE) in (0, 2)
    assert held(aws) == 4
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert (copies_of(aws, IMAGE), image_of(aws)) == (0, OTHER)


def test_a_batch_above_half_of_the_copies_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=4)
    for batch in ({"Type": "COPY_COUNT", "Value": 3}, {"Type": "CAPACITY_PERCENT", "Value": 51}):
        with refused("ValidationException", "MaximumBatchSize must be between 5% and 50%"):
            update(aws, batch=batch)
    assert aws.component_status("llm") == "InService"


def test_a_batch_below_five_percent_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=4)
    with refused("ValidationException", "MaximumBatchSize must be between 5% and 50%"):
        update(aws, batch={"Type": "CAPACITY_PERCENT", "Value": 4})


def test_a_single_copy_is_a_batch_of_its_own(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=1)
    update(aws, batch=ONE, wait=0)
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert image_of(aws) == OTHER


def test_a_component_without_copies_takes_its_new_version_at_once(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=1)
    aws.scale("llm", 0)
    aws.clock.advance(30)
    update(aws)
    assert aws.component_status("llm") == "InService"
    assert image_of(aws) == OTHER


def test_an_update_during_an_update_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    update(aws, batch=ONE)
    with refused("ValidationException", "in status Updating"):
        update(aws, batch=ONE)
