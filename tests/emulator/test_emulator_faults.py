"""Faults that are injected, programmatically and over the admin path."""

import httpx
import pytest
from emulated import Hosting, client, refused
from pydantic import ValidationError


def test_every_nth_call_of_an_operation_is_throttled(aws: Hosting) -> None:
    aws.aws.faults.set(throttle={"every": 3, "operations": ["List*"]})
    for _ in range(2):
        aws.api.list_endpoints()
    with refused("ThrottlingException", "Rate exceeded"):
        aws.api.list_endpoints()
    aws.api.list_endpoints()
    for _ in range(4):
        aws.model(f"model-{_}")  # another operation is not meant


def test_boto3_tries_a_throttled_call_again(aws: Hosting) -> None:
    aws.aws.faults.set(throttle={"every": 2})
    patient = client(aws.aws, "sagemaker", attempts=3)
    patient.list_endpoints()
    assert patient.list_endpoints()["ResponseMetadata"]["RetryAttempts"] == 1


def test_capacity_is_counted_over_all_endpoints(aws: Hosting) -> None:
    aws.aws.faults.set(capacity={"ml.g5.12xlarge": 1})
    aws.endpoint("first")
    aws.api.create_endpoint(EndpointName="second", EndpointConfigName="first-config")
    aws.clock.advance(600)
    assert aws.status("second") == "Creating"
    aws.api.delete_endpoint(EndpointName="first")
    aws.clock.advance(300)
    assert aws.status("second") == "InService"


def test_a_stuck_component_stays_creating_until_the_fault_is_gone(aws: Hosting) -> None:
    aws.aws.faults.set(stuck=["ll*"])
    aws.endpoint()
    aws.component()
    aws.clock.advance(10_000)
    assert aws.component_status("llm") == "Creating"
    aws.aws.faults.clear()
    aws.clock.advance(30)
    assert aws.component_status("llm") == "InService"


def test_a_slow_image_loads_as_many_times_longer(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("usual", wait=0)
    usual = aws.until(lambda: aws.component_status("usual") == "InService", step=5)
    aws.aws.faults.set(slow={"*slow*": 4})
    aws.component("other", image="slow:1", wait=0)
    assert aws.until(lambda: aws.component_status("other") == "InService", step=5) > 3 * usual


def test_stale_reads_answer_with_what_was_true_a_while_ago(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("old")
    aws.aws.faults.set(stale_seconds=30)
    assert aws.copies("old") == 1
    aws.scale("old", 2)
    aws.component("new", wait=0)
    assert aws.component_status("old") == "InService"
    with refused("ValidationException", "Could not find inference component"):
        aws.describe("new")
    aws.clock.advance(30)
    assert aws.component_status("old") == "Updating"
    assert aws.component_status("new") == "Creating"
    aws.aws.faults.clear()
    aws.clock.advance(100)
    assert aws.copies("old") == 2


def test_a_deleted_component_is_still_described_by_stale_reads(aws: Hosting) -> None:
    aws.endpoint()
    aws.component()
    aws.aws.faults.set(stale_seconds=60)
    aws.describe("llm")
    aws.api.delete_inference_component(InferenceComponentName="llm")
    aws.clock.advance(20)
    assert aws.component_status("llm") == "InService"
    aws.clock.advance(60)
    with refused("ValidationException", "Could not find inference component"):
        aws.describe("llm")


def test_faults_are_put_changed_and_cleared_over_the_admin_path(aws: Hosting) -> None:
    url = f"{aws.aws.url}/_emulator/faults"
    put = httpx.put(url, json={"stuck": ["llm"], "capacity": {"ml.g5.12xlarge": 2}}).json()
    assert (put["stuck"], put["capacity"]) == (["llm"], {"ml.g5.12xlarge": 2})
    assert httpx.patch(url, json={"stuck": []}).json()["capacity"] == {"ml.g5.12xlarge": 2}
    assert httpx.get(url).json()["stuck"] == []
    assert httpx.delete(url).json()["capacity"] == {}
    refusal = httpx.put(url, json={"nonsense": 1})
    assert refusal.status_code == 400
    assert "nonsense" in refusal.json()["message"]


def test_a_lost_instance_is_replaced_and_its_copies_come_back(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    url = f"{aws.aws.url}/_emulator/instances"
    [instance] = httpx.get(url).json()["instances"]
    assert (instance["endpoint"], instance["type"], instance["state"]) == ("shared", "ml.g5.12xlarge", "Ready")
    left = httpx.delete(f"{url}/{instance['id']}").json()["instances"]
    assert [(each["id"] != instance["id"], each["state"]) for each in left] == [(True, "Launching")]
    assert (aws.copies("llm"), aws.component_status("llm"), aws.status("shared")) == (0, "InService", "InService")
    aws.until(lambda: aws.copies("llm") == 2)
    assert httpx.delete(f"{url}/{instance['id']}").status_code == 404


def test_an_instance_lost_in_an_update_delays_it(aws: Hosting) -> None:
    aws.classic(count=2)
    update = aws.classic_config("classic-two", model="two", count=2)
    aws.api.update_endpoint(EndpointName="classic", EndpointConfigName=update)
    aws.clock.advance(200)
    [_, new] = aws.aws.world.fleets_of("classic", "main")
    aws.aws.world.fleets.lose(new.instances[0].id)
    aws.until(lambda: aws.status("classic") == "InService")
    assert aws.api.describe_endpoint(EndpointName="classic")["EndpointConfigName"] == "classic-two"
    assert aws.instances("classic") == 2


def test_a_fault_that_does_not_exist_is_an_error(aws: Hosting) -> None:
    with pytest.raises(ValidationError):
        aws.aws.faults.set(nonsense=True)
