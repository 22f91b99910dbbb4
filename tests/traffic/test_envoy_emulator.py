"""The gateway before the emulator, whose runtime checks signatures as AWS does: two rooms that must agree."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.eventstream import EventStreamBuffer
from runtime_rig import COMPONENT, ENDPOINT, REGION, component
from traffic_rig import WAIT_S, Answer, Rig, Surroundings, ask, rig_of

from longshore.emulator.clock import ManualClock
from longshore.emulator.data.credentials import OWN
from longshore.emulator.data.images import Images
from longshore.emulator.data.serving import ServingEmulator
from longshore.planning.observed import Upstream
from longshore.store.store import Store

SERVER = Path(__file__).parents[1] / "emulator" / "data_server.py"
IMAGE = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/echo:1"
IMAGES = Images.model_validate({"images": {IMAGE: {"command": [sys.executable, str(SERVER), "$(PORT)"]}}})
KEYS = {"aws_access_key_id": OWN.access_key, "aws_secret_access_key": OWN.secret_key}


@pytest.fixture(scope="module")
def aws() -> Iterator[ServingEmulator]:
    """The endpoint `fleet` with a component of one copy for each of two versions, which say which they are."""
    clock = ManualClock()
    with ServingEmulator(clock=clock, images=IMAGES) as aws:
        sagemaker: Any = boto3.client("sagemaker", endpoint_url=aws.url, region_name=REGION, **KEYS)
        role = "arn:aws:iam::123456789012:role/serving"
        variant = {"VariantName": "main", "InstanceType": "ml.g5.12xlarge", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(
            EndpointConfigName="fleet", ExecutionRoleArn=role, ProductionVariants=[variant]
        )
        sagemaker.create_endpoint(EndpointName="fleet", EndpointConfigName="fleet")
        _passes(clock, lambda: sagemaker.describe_endpoint(EndpointName="fleet")["EndpointStatus"])
        for name in ("digits-1", "digits-2"):
            container = {"Image": IMAGE, "Environment": {"ANSWER": f"{name}: "}}
            sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
            needs = {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 1024}
            sagemaker.create_inference_component(
                InferenceComponentName=name,
                EndpointName="fleet",
                VariantName="main",
                Specification={"ModelName": name, "ComputeResourceRequirements": needs},
                RuntimeConfig={"CopyCount": 1},
            )

            def status(name: str = name) -> str:
                found = sagemaker.describe_inference_component(InferenceComponentName=name)
                return str(found["InferenceComponentStatus"])

            _passes(clock, status)
        yield aws


@pytest.fixture
async def rig(store: Store, aws: ServingEmulator, tmp_path: Path) -> Any:
    """An Envoy with the keys that the emulator knows; both versions are known, and a third that is not there."""
    environment = {name.upper(): value for name, value in KEYS.items()}
    async with rig_of(store, tmp_path, "gateway-1", surroundings=Surroundings(environment=environment)) as rig:
        versions = ("1", "2", "3")
        upstreams = tuple(_upstream(aws, version) for version in versions)
        await rig.observe(more=tuple(map(component, versions)), upstreams=upstreams)
        yield rig


@pytest.mark.parametrize("chunk", [None, 65_536], ids=["a body of known length", "a body in chunks"])
@pytest.mark.parametrize("size", [10, 20_000_000])
async def test_the_emulator_takes_what_the_gateway_signed(rig: Rig, size: int, chunk: int | None) -> None:
    await rig.publish({"1": 100})
    asked = "/v1/models/digits/v2/models/digits/infer?a=b%20c&a=&%C3%A4"
    answer = await ask(rig.envoy.address, asked, {"content-type": "image/png"}, b"x" * size, chunk)
    assert (answer.status, answer.body) == (200, b"digits-1: " + b"x" * size)


async def test_components_of_the_emulator_share_by_weight(rig: Rig) -> None:
    await rig.publish({"1": 30, "2": 70})
    answers = [await _post(rig, b"hello") for _ in range(60)]
    assert {(answer.status, answer.body, answer.headers["x-longshore-version"]) for answer in answers} == {
        (200, b"digits-1: hello", "1"),
        (200, b"digits-2: hello", "2"),
    }


async def test_a_stream_of_the_emulator_is_one_of_events(rig: Rig) -> None:
    await rig.publish({"1": 100})
    asked = json.dumps({"stream": ["one ", "two"]}).encode()
    answer = await ask(rig.envoy.address, "/v1/models/digits/invocations-response-stream", {}, asked)
    events = EventStreamBuffer()
    events.add_data(answer.body)
    assert b"".join(event.payload for event in events) == b"one two"


async def test_a_models_failure_is_an_error_and_a_missing_component_a_clients(rig: Rig) -> None:
    await rig.publish({"1": 50, "3": 50})
    failed = await _post(rig, json.dumps({"status": 500}).encode(), **{"x-longshore-version": "1"})
    missing = await _post(rig, b"hello", **{"x-longshore-version": "3"})
    assert (failed.status, missing.status) == (424, 400)
    counted = {one.version: (one.requests, one.errors) for one in await rig.plane.sample("digits", ("1", "3"))}
    assert counted == {"1": (1, 1), "3": (1, 0)}


def _upstream(aws: ServingEmulator, version: str) -> Upstream:
    address = aws.runtime_url.removeprefix("http://")
    return Upstream(
        deployment="digits",
        version=version,
        address=address,
        tls=False,
        host=address,
        path=ENDPOINT,
        headers={COMPONENT: f"digits-{version}"},
        signed_for=f"sagemaker/{REGION}",
    )


async def _post(rig: Rig, body: bytes, **headers: str) -> Answer:
    return await ask(rig.envoy.address, "/v1/models/digits/invocations", headers, body)


def _passes(clock: ManualClock, status: Any) -> None:
    """Let the emulator's time pass until something is in service."""
    deadline = time.monotonic() + WAIT_S
    while (said := status()) != "InService":
        assert time.monotonic() < deadline, f"still {said}"
        clock.advance(1)
        time.sleep(0.01)  # a copy is a process, which takes time of ours
