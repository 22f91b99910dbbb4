"""A SageMaker target on the emulator, with what a test does to it and sees of it."""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_examples import version_spec

from longshore.backends.port import CopiesLevel
from longshore.backends.sagemaker.backend import SageMakerBackend
from longshore.emulator.clock import ManualClock
from longshore.emulator.server import Emulator
from longshore.planning.fence import Fence
from longshore.planning.observed import Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.sagemaker import SageMakerTarget
from longshore.store.store import Store

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/serve"
BUCKET = "models"
ARCHIVE = b"not really an archive"
LONG = 3600.0


class Fleet:
    """One target, with what a test does to it and sees of it."""

    def __init__(self, store: Store, emulator: Emulator, clock: ManualClock, **spec: Any) -> None:
        self.store = store
        self.emulator = emulator
        self.clock = clock
        self.boto = boto3.client("sagemaker", region_name=REGION)
        values: dict[str, Any] = {
            "region": REGION,
            "endpoint": "fleet",
            "executionRole": ROLE,
            "instances": {"type": "ml.g5.12xlarge", "min": 1, "max": 2},
        }
        self.spec = SageMakerTarget.model_validate(values | spec)
        self.backend = self.another_worker()
        self.steps = 0

    def another_worker(self) -> SageMakerBackend:
        """The adapter in another process: it knows nothing but the notebook."""
        now = self.clock.now
        return SageMakerBackend(
            "fleet", self.spec, self.store.notes("fleet"), clock=lambda: datetime.fromtimestamp(now(), UTC)
        )

    async def ready(self) -> "Fleet":
        """The same, once the endpoint is in service."""
        await self.backend.declare(())
        self.clock.advance(LONG)
        return self

    def level(self, copies: int, surplus: str = "end", version: str = "1", **more: Any) -> CopiesLevel:
        self.steps += 1
        values: dict[str, Any] = {
            "deployment": "search",
            "model": "search",
            "version": version,
            "copies": copies,
            "surplus": surplus,
            "spec": version_spec(),
            "fence": Fence(operation=1, step=self.steps),
        }
        return CopiesLevel(**(values | more))

    async def ensure(self, copies: int, surplus: str = "end", version: str = "1", **more: Any) -> Observation:
        return await self.backend.ensure(self.level(copies, surplus, version, **more))

    async def settled(self, copies: int, surplus: str = "end", version: str = "1", **more: Any) -> Observation:
        """A level, and what is there a long time after."""
        await self.ensure(copies, surplus, version, **more)
        return await self.later()

    async def later(self, seconds: float = LONG) -> Observation:
        self.clock.advance(seconds)
        return await self.backend.observe()

    def components(self) -> dict[str, dict[str, Any]]:
        """Name → description, of all that there are."""
        listed = self.boto.list_inference_components()["InferenceComponents"]
        names = [one["InferenceComponentName"] for one in listed]
        return {name: self.boto.describe_inference_component(InferenceComponentName=name) for name in names}

    def counts(self) -> list[tuple[int, int]]:
        """(desired, current) copies of each component."""
        runtimes = (one["RuntimeConfig"] for one in self.components().values())
        return [(one["DesiredCopyCount"], one["CurrentCopyCount"]) for one in runtimes]

    async def upload(self, key: str = "search-1.tar.gz", content: bytes = ARCHIVE, **how: Any) -> ModelVersionSpec:
        """A version whose artifact lies on S3."""
        s3 = boto3.client("s3", region_name=REGION)
        if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=BUCKET, Key=key, Body=content, **how)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return version_spec(artifact={"uri": f"s3://{BUCKET}/{key}", "digest": digest})


def states(observation: Observation, version: str | None = None) -> Counter[str]:
    """State → copies."""
    return Counter(copy.state.value for copy in observation.copies if version in {None, copy.version})
