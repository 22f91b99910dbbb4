"""Where the story plays: this machine, or SageMaker as the emulator shows it. The story itself is the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from longshore.demo.digits import infer_path

BUCKET: Final = "longshore-demo"
INVOCATIONS: Final = "/invocations"
"""The one path at which SageMaker's copies are asked."""


@dataclass(frozen=True)
class Place:
    """What the demo's things are called in one place, so that two places do not get into each other's way."""

    name: str
    """Also of its templates' folder, and of its manifests' under the home."""
    target: str
    model: str
    deployment: str
    infer: str
    """Path at a copy that takes inference requests."""
    room: str
    """What version 1 goes live on, in words."""
    emulated: bool = False
    """Whether the stack must have the emulator in it."""
    bucket: str | None = None
    """Where artifacts are uploaded to; None: copies read them where they are."""

    def uri_of(self, artifact: Path) -> str:
        """The address under which copies find an artifact."""
        return f"s3://{self.bucket}/{artifact.name}" if self.bucket else artifact.as_uri()

    def folder(self, home: Path) -> Path:
        """Where its manifests and models lie."""
        return home / "demo" if self is LOCAL else home / "demo" / self.name


LOCAL: Final = Place(
    name="local",
    target="demo",
    model="digits",
    deployment="digits",
    infer=infer_path("digits"),
    room="6 declared accelerators",
)
SAGEMAKER: Final = Place(
    name="sagemaker",
    target="demo-sagemaker",
    model="digits-sagemaker",
    deployment="digits-sagemaker",
    infer=INVOCATIONS,
    room="one instance of 4 accelerators; a second one is started when an update needs it",
    emulated=True,
    bucket=BUCKET,
)
PLACES: Final = {place.name: place for place in (LOCAL, SAGEMAKER)}
COPIES: Final = 4


def upload(bucket: str, artifact: Path, aws: Mapping[str, str]) -> None:
    """Put an artifact where copies fetch it, with the checksum that its digest is verified by.

    Args:
        bucket: Made if it is not there.
        artifact: A file; the object has its name.
        aws: Address and keys, as the environment names them.

    Raises:
        OSError: the artifact cannot be read, or the store does not take it.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3 = boto3.client(
            "s3",
            endpoint_url=aws["AWS_ENDPOINT_URL"],
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
            region_name=aws["AWS_REGION"],
        )
        s3.create_bucket(Bucket=bucket)
        with artifact.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=artifact.name, Body=body, ChecksumAlgorithm="SHA256")
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"s3://{bucket}/{artifact.name} cannot be written: {error}") from error
