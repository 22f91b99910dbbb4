"""An emulator that serves, its clients, and components on it: what the tests of the data plane begin with."""

import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from longshore.emulator.clock import ManualClock
from longshore.emulator.data.credentials import OWN
from longshore.emulator.data.images import Images
from longshore.emulator.data.serving import ServingEmulator
from longshore.emulator.durations import Durations

SERVER = Path(__file__).parent / "data_server.py"
IMAGES = Images.model_validate({"images": {"*/echo:*": {"command": [sys.executable, str(SERVER), "$(PORT)"]}}})
ECHO = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/echo:1"
BARE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/bare:1"
"""An image without a program: its copies are ready by the clock alone."""
ROLE = "arn:aws:iam::123456789012:role/serving"
INSTANCE = "ml.g5.12xlarge"
PATIENCE = 30.0
QUICK = Durations(
    instance_launch=1,
    instance_end=1,
    copy_load=1,
    copy_cached_load=1,
    copy_start=1,
    copy_drain=1,
    adapter_load=1,
    weights=1,
)


def until(what: Callable[[], Any]) -> Any:
    """Wait for something that a process or a thread does."""
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


class Town:
    """One emulator with a clock that stands still."""

    def __init__(self) -> None:
        # A whole minute, so that tests can say at which second something falls into which period.
        self.clock = ManualClock(time.time() // 60 * 60)
        self.aws = ServingEmulator(clock=self.clock, durations=QUICK, images=IMAGES)
        self.client = cache(self._client)

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    @property
    def runtime(self) -> Any:
        """A client of the port that is for calls alone."""
        return self.client("sagemaker-runtime", self.aws.runtime_url)

    def _client(self, service: str, url: str | None = None, config: Config | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=url or self.aws.url,
            region_name="eu-central-1",
            aws_access_key_id=OWN.access_key,
            aws_secret_access_key=OWN.secret_key,
            config=config,
        )

    def model(self, name: str, image: str = ECHO, **container: Any) -> None:
        self.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": image, **container}
        )

    def endpoint(self, name: str = "fleet", output: dict[str, Any] | None = None, **variant: Any) -> None:
        """An endpoint in service; one for components unless the variant has a model."""
        first = {"VariantName": "main", "InstanceType": INSTANCE, "InitialInstanceCount": 1, **variant}
        more = {"AsyncInferenceConfig": output} if output is not None else {}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ExecutionRoleArn=ROLE, ProductionVariants=[first], **more
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.settle(lambda: self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")

    def component(self, name: str, model: str, copies: int = 1, endpoint: str = "fleet") -> None:
        """A component in service."""
        self.sagemaker.create_inference_component(
            InferenceComponentName=name,
            EndpointName=endpoint,
            VariantName="main",
            Specification={
                "ModelName": model,
                "ComputeResourceRequirements": {
                    "NumberOfAcceleratorDevicesRequired": 1,
                    "MinMemoryRequiredInMb": 1024,
                },
            },
            RuntimeConfig={"CopyCount": copies},
        )
        self.rested(name)

    def rested(self, name: str) -> dict[str, Any]:
        """A component once it is in service with the copies that it is to have."""

        def there() -> Any:
            found = self.sagemaker.describe_inference_component(InferenceComponentName=name)
            config = found["RuntimeConfig"]
            rests = found["InferenceComponentStatus"] == "InService"
            return found if rests and config["CurrentCopyCount"] == config["DesiredCopyCount"] else None

        found: dict[str, Any] = self.settle(there)
        return found

    def scale(self, name: str, copies: int) -> None:
        """Another count of copies, by SageMaker's own operation."""
        self.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": copies}
        )
        self.rested(name)

    def settle(self, what: Callable[[], Any]) -> Any:
        """Let time pass, in the emulator and here, until something holds."""

        def passed() -> Any:
            found = what()
            if not found:
                self.clock.advance(1)
            return found

        return until(passed)

    def to_the_minute(self) -> None:
        """Let time pass to the next whole minute."""
        self.clock.advance(60 - self.clock.now() % 60)

    def invoke(
        self, component: str | None = "digits", body: bytes = b"ask", endpoint: str = "fleet", **more: Any
    ) -> bytes:
        if component is not None:
            more["InferenceComponentName"] = component
        answer: bytes = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)["Body"].read()
        return answer
