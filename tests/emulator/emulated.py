"""What tests of the emulator ask of it: unmodified boto3 clients, and what every story begins with."""

import re
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/longshore-serve:1"
GPUS_4 = "ml.g5.12xlarge"


def client(aws: Emulator, service: str, *, attempts: int = 1) -> Any:
    """An unmodified boto3 client; by default it does not try again by itself."""
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


class Hosting:
    """SageMaker over an emulator whose clock the test turns."""

    def __init__(self, aws: Emulator, clock: ManualClock) -> None:
        self.aws = aws
        self.clock = clock
        self.api = client(aws, "sagemaker")

    def config(self, name: str = "config", *, count: int = 1, kind: str = GPUS_4, **variant: Any) -> str:
        """An endpoint configuration of one variant for inference components."""
        self.api.create_endpoint_config(
            EndpointConfigName=name,
            ExecutionRoleArn=ROLE,
            ProductionVariants=[
                {"VariantName": "main", "InitialInstanceCount": count}
                | ({} if "InstancePools" in variant else {"InstanceType": kind})
                | variant
            ],
        )
        return name

    def endpoint(self, name: str = "shared", **config: Any) -> str:
        """An endpoint for inference components, in service."""
        self.api.create_endpoint(EndpointName=name, EndpointConfigName=self.config(f"{name}-config", **config))
        self.clock.advance(200)
        assert self.status(name) == "InService"
        return name

    def model(self, name: str, image: str = IMAGE) -> str:
        self.api.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": image})
        return name

    def classic(self, name: str = "classic", *, count: int = 4, model: str = "one", **variant: Any) -> str:
        """An endpoint with one model on each of its instances, in service."""
        self.classic_config(f"{name}-{model}", count=count, model=model, **variant)
        self.api.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-{model}")
        self.clock.advance(400)
        assert self.status(name) == "InService"
        return name

    def classic_config(self, name: str, *, count: int = 4, model: str, image: str = IMAGE, **variant: Any) -> str:
        self.model(model, image)
        return self.config(name, count=count, kind="ml.g5.xlarge", ModelName=model, **variant)

    def component(self, name: str = "llm", *, copies: int = 1, wait: float = 120, **changes: Any) -> str:
        """An inference component on the endpoint `shared`."""
        self.api.create_inference_component(
            InferenceComponentName=name,
            EndpointName=changes.pop("endpoint", "shared"),
            VariantName="main",
            Specification=specification(**changes),
            RuntimeConfig={"CopyCount": copies},
        )
        self.clock.advance(wait)
        return name

    def scale(self, name: str, copies: int) -> None:
        self.api.update_inference_component_runtime_config(
            InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": copies}
        )

    def describe(self, name: str) -> Any:
        return self.api.describe_inference_component(InferenceComponentName=name)

    def component_status(self, name: str) -> str:
        return str(self.describe(name)["InferenceComponentStatus"])

    def copies(self, name: str) -> int:
        return int(self.describe(name)["RuntimeConfig"]["CurrentCopyCount"])

    def status(self, endpoint: str) -> str:
        return str(self.api.describe_endpoint(EndpointName=endpoint)["EndpointStatus"])

    def variant(self, endpoint: str = "shared") -> Any:
        return self.api.describe_endpoint(EndpointName=endpoint)["ProductionVariants"][0]

    def instances(self, endpoint: str = "shared") -> int:
        return int(self.variant(endpoint)["CurrentInstanceCount"])

    def alarm(self, name: str = "errors", state: str = "OK") -> str:
        """An alarm in moto's CloudWatch, in a state."""
        cloudwatch = client(self.aws, "cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="Invocation5XXErrors",
            Namespace="AWS/SageMaker",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
        return name

    def until(self, holds: Callable[[], bool], *, limit: float = 4000, step: float = 10) -> float:
        """Turn the clock until something holds; how long that took."""
        passed = 0.0
        while not holds():
            assert passed < limit, "it never came to hold"
            self.clock.advance(step)
            passed += step
        return passed


def specification(
    *, image: str = IMAGE, accelerators: int = 1, memory: int = 1024, placement: str | None = None, **more: Any
) -> dict[str, Any]:
    """A specification of one copy."""
    given: dict[str, Any] = {
        "Container": {"Image": image, "ArtifactUrl": "s3://models/llm.tar.gz"},
        "ComputeResourceRequirements": {
            "NumberOfAcceleratorDevicesRequired": accelerators,
            "MinMemoryRequiredInMb": memory,
        },
        **more,
    }
    return given | ({"SchedulingConfig": {"PlacementStrategy": placement}} if placement else {})


@contextmanager
def refused(code: str, words: str):  # noqa: ANN201 - pytest's own context manager
    """The call is refused with a code and words in its message."""
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
