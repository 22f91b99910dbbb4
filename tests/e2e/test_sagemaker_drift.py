"""A person works on the same SageMaker endpoint: what that person made is imported, and what is changed is told."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from e2e_stack import eventually
from sagemaker_player import GPUS, IMAGE, ROLE, Player

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

SEEN_WITHIN_S = 60.0
"""What is promised of somebody else's change."""
NAME, TARGET, COMPONENT, MODEL = "persons", "shared", "Persons-Component", "persons-model"


class Person:
    """Somebody with boto3, who knows nothing of Longshore."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._sagemaker = player.client("sagemaker")

    def makes_a_component(self, copies: int) -> None:
        """A model object, and its component on the endpoint."""
        self._settled(lambda: self._sagemaker.describe_endpoint(EndpointName=TARGET)["EndpointStatus"])
        uri, _ = self._player.artifact(MODEL, {})
        source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "None"}
        container = {"Image": IMAGE, "ModelDataSource": {"S3DataSource": source}, "Environment": {"MODEL_VERSION": "1"}}
        self._sagemaker.create_model(ModelName=MODEL, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        self._sagemaker.create_inference_component(
            InferenceComponentName=COMPONENT,
            EndpointName=TARGET,
            VariantName="AllTraffic",
            Specification=specification(1024),
            RuntimeConfig={"CopyCount": copies},
        )
        self._settled(lambda: self.component["InferenceComponentStatus"])

    def sets_copies(self, copies: int) -> None:
        """Another number of copies."""
        self._sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=COMPONENT, DesiredRuntimeConfig={"CopyCount": copies}
        )

    def gives_more_memory(self) -> None:
        """Another specification, under which all copies start anew."""
        self._sagemaker.update_inference_component(InferenceComponentName=COMPONENT, Specification=specification(2048))
        self._settled(lambda: self.component["InferenceComponentStatus"])

    def deletes_the_component(self) -> None:
        """It goes with all of its copies."""
        self._sagemaker.delete_inference_component(InferenceComponentName=COMPONENT)

    @property
    def component(self) -> dict[str, Any]:
        """As it is described."""
        found: dict[str, Any] = self._sagemaker.describe_inference_component(InferenceComponentName=COMPONENT)
        return found

    @property
    def left(self) -> tuple[int, list[str]]:
        """How many components there are, and which models."""
        components = self._sagemaker.list_inference_components(EndpointNameEquals=TARGET)["InferenceComponents"]
        return len(components), [model["ModelName"] for model in self._sagemaker.list_models()["Models"]]

    def _settled(self, status: Callable[[], str]) -> None:
        eventually(lambda: _is_in_service(status), "it is in service", within=120)


def _is_in_service(status: Callable[[], str]) -> bool:
    try:
        return status() == "InService"
    except ClientError:  # the endpoint is not there yet: the worker beside the target makes it
        return False


def specification(memory: int) -> dict[str, Any]:
    compute = {
        "NumberOfAcceleratorDevicesRequired": 1.0,
        "NumberOfCpuCoresRequired": 1.0,
        "MinMemoryRequiredInMb": memory,
    }
    return {"ModelName": MODEL, "ComputeResourceRequirements": compute}


def seen(player: Player, what: str) -> None:
    """Within a minute the deployment says what somebody else changed."""

    def drifted() -> bool:
        found = player.stack.read("get", "deployment", NAME)
        return found["reason"] == "ChangedOutside" and what in found["message"]

    eventually(drifted, f"{what} is seen", within=SEEN_WITHIN_S)


def asked(player: Player) -> int:
    return httpx.post(f"http://{player.stack.gateway}/v1/models/{NAME}/", json={}, timeout=30).status_code


def test_what_a_person_made_is_imported_and_what_a_person_changes_is_undone_or_accepted(player: Player) -> None:
    stack, person = player.stack, Person(player)
    player.given_endpoint(TARGET, GPUS[4], 1)
    person.makes_a_component(copies=2)
    modified = person.component["LastModifiedTime"]

    manifests = stack.run("import", TARGET, COMPONENT)
    stack.run("import", TARGET, COMPONENT, "--as", NAME, "--model", NAME, "--wait")
    stack.then_serves(NAME, "1", 2)
    assert asked(player) == 200
    assert person.component["LastModifiedTime"] == modified

    person.sets_copies(3)
    seen(player, "CopyCount of version 1 is 3, not 2")
    ours = manifests.replace("name: persons-component", f"name: {NAME}").replace("persons-component", NAME)
    assert json.loads(stack.run("apply", "-f", "-", "-o", "json", stdin=ours))["items"][1]["result"] == "unchanged"
    stack.run("apply", "-f", "-", "--take", "--wait", stdin=ours)
    stack.then_serves(NAME, "1", 2)
    assert person.component["RuntimeConfig"]["DesiredCopyCount"] == 2

    person.gives_more_memory()
    seen(player, "MinMemoryRequiredInMb of version 1 is 2048, not 1024")
    stack.run("adopt", NAME, exits=1)
    stack.run("adopt", NAME, "--as", "1-larger", "--wait")
    stack.then_serves(NAME, "1-larger", 2)
    assert asked(player) == 200
    assert stack.then_ledger_is_whole(NAME) == [{"1": 100}, {"1-larger": 100}]

    person.deletes_the_component()
    seen(player, "version 1-larger was deleted")
    stack.run("adopt", NAME, "--wait")
    assert stack.read("get", "deployment", NAME)["health"] == "ScaledToZero"

    stack.run("delete", NAME, "--wait")
    eventually(lambda: person.left == (0, [MODEL]), "only what the person made is left")
    told = [event["type"] for event in stack.events(NAME) if event["type"] != "TrafficShifted"]
    assert told == [
        "Adopted",
        *("Drifted", "DriftEnded", "Scaled"),
        *("Drifted", "DriftEnded", "Adopted"),
        *("Drifted", "DriftEnded", "Adopted"),
        "Retired",
    ]
