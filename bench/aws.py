"""SageMaker as the benchmarks have it: the emulator in this process, counting who asks it for what, and one version."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from measured import waited
from werkzeug.wrappers import Request

from longshore.emulator.data.credentials import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from longshore.emulator.server import Emulator, caller_of
from longshore.spec.model_version import ModelVersionSpec

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/serve"
INSTANCE_TYPE = "ml.g5.48xlarge"
ACCELERATORS = 8
"""Of one such instance."""
VARIANT = "AllTraffic"
IMAGE = "serve:1"
SLOW = "serve:slow"
"""An image whose copies take longer to load."""
BUCKET, ARTIFACT = "models", b"a model"
MEMORY_GIB = 4
WITHIN = 120.0
"""Seconds for anything to come to its end."""


class CountingEmulator(Emulator):
    """Counts every request that reaches it by its region, which tells whoever asks apart, and by its operation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.most_instances: Counter[str] = Counter()
        """Endpoint → instances at their peak, those of both sides of a blue/green update."""
        self.world.watchers.append(self._look_at_instances)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """One request."""
        request = Request(environ)
        _, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
        self.calls[caller_of(request).region][operation or f"S3 {request.method}"] += 1
        return super().__call__(environ, start_response)

    def _look_at_instances(self) -> None:
        for name, endpoint in self.world.endpoints.items():
            there = sum(len(fleet.instances) for fleet in endpoint.all_fleets())
            self.most_instances[name] = max(there, self.most_instances[name])


@contextmanager
def sagemaker(**options: Any) -> Iterator[CountingEmulator]:
    """An emulator that boto3 finds by the environment, with the artifact of `version` on its S3."""
    with CountingEmulator(**options) as emulator:
        os.environ |= {
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=ARTIFACT, ChecksumAlgorithm="SHA256")
        yield emulator


def version(image: str = IMAGE) -> ModelVersionSpec:
    """A version of one accelerator a copy."""
    return ModelVersionSpec.model_validate(
        {
            "artifact": {
                "uri": f"s3://{BUCKET}/model.tar.gz",
                "digest": f"sha256:{hashlib.sha256(ARTIFACT).hexdigest()}",
            },
            "server": {"image": image},
            "resources": {"accelerators": 1, "memoryGiB": MEMORY_GIB},
        }
    )


class ByHand:
    """A change made with boto3 and nothing else: what it takes at least."""

    def __init__(self, endpoint: str, interval: float, region: str = REGION) -> None:
        """Change the components of an endpoint, looking every so many seconds until each change is done."""
        self._api = boto3.client("sagemaker", region_name=region)
        self._endpoint = endpoint
        self._interval = interval
        self.image = IMAGE
        """Of what is deployed next."""

    def make_endpoint(self, instances: int) -> None:
        """An endpoint for components."""
        self._config(self._endpoint, instances)
        self._api.create_endpoint(EndpointName=self._endpoint, EndpointConfigName=self._endpoint)
        self._until(self._in_service)

    def deploy(self, component: str, copies: int) -> None:
        """A component, made and followed until its copies are there."""
        specification = {
            "Container": {"Image": self.image, "ArtifactUrl": f"s3://{BUCKET}/model.tar.gz"},
            "ComputeResourceRequirements": {
                "NumberOfAcceleratorDevicesRequired": 1,
                "MinMemoryRequiredInMb": MEMORY_GIB * 1024,
            },
        }
        self._api.create_inference_component(
            InferenceComponentName=component,
            EndpointName=self._endpoint,
            VariantName=VARIANT,
            Specification=specification,
            RuntimeConfig={"CopyCount": copies},
        )
        self._until(lambda: self._has(component, copies))

    def roll(self, old: str, new: str, copies: int, batch: int) -> None:
        """Take away old copies for new ones, batch by batch: describe before, update, describe until done."""
        for there in range(batch, copies + 1, batch):
            if self._copies(new) is None:
                self.deploy(new, there)
            else:
                self._level(new, there)
            assert self._copies(old) is not None
            self._level(old, copies - there)

    def blue_green(self, instances: int) -> None:
        """A classic endpoint, updated to another model by SageMaker's own blue/green update, all at once."""
        for number in (1, 2):
            name = f"{self._endpoint}-{number}"
            self._api.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": self.image})
            self._config(name, instances, ModelName=name)
        self._api.create_endpoint(EndpointName=self._endpoint, EndpointConfigName=f"{self._endpoint}-1")
        self._until(self._in_service)
        policy = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        self._api.update_endpoint(
            EndpointName=self._endpoint,
            EndpointConfigName=f"{self._endpoint}-2",
            DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": policy}},
        )
        self._until(self._in_service)

    def _config(self, name: str, instances: int, **variant: str) -> None:
        counted = {"InstanceType": INSTANCE_TYPE, "InitialInstanceCount": instances}
        self._api.create_endpoint_config(
            EndpointConfigName=name,
            ExecutionRoleArn=ROLE,
            ProductionVariants=[{"VariantName": VARIANT, **counted, **variant}],
        )

    def _level(self, component: str, copies: int) -> None:
        name = {"InferenceComponentName": component}
        if copies:
            self._api.update_inference_component_runtime_config(**name, DesiredRuntimeConfig={"CopyCount": copies})
        else:
            self._api.delete_inference_component(**name)
        self._until(lambda: self._has(component, copies))

    def _has(self, component: str, copies: int) -> bool:
        return self._copies(component) == (copies or None)

    def _copies(self, component: str) -> int | None:
        """Copies of a component that is at rest; None when there is none, and -1 while it moves."""
        try:
            found = self._api.describe_inference_component(InferenceComponentName=component)
        except self._api.exceptions.ClientError as error:
            if "Could not find" not in str(error):
                raise
            return None
        at_rest = found["InferenceComponentStatus"] == "InService"
        return int(found["RuntimeConfig"]["CurrentCopyCount"]) if at_rest else -1

    def _in_service(self) -> bool:
        found = self._api.describe_endpoint(EndpointName=self._endpoint)
        assert found["EndpointStatus"] in {"Creating", "Updating", "InService"}, found
        return bool(found["EndpointStatus"] == "InService")

    def _until(self, reached: Callable[[], bool]) -> None:
        waited(reached, self._interval, WITHIN)
