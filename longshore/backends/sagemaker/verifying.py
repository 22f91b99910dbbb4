"""Whether what a version names is there: its artifact on S3, with the digest that pins it, and its image."""

import asyncio
import base64
import hashlib
import re
from typing import Any, Final

from longshore.backends.port import BackendError
from longshore.backends.sagemaker import specification
from longshore.backends.sagemaker.client import Aws
from longshore.backends.sagemaker.errors import AbsentError, AwsError
from longshore.spec.model_version import ModelVersionSpec

PART: Final = 8 * 1024 * 1024
"""Bytes that are read and hashed at once."""
ECR: Final = re.compile(r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<rest>.+)$")
"""An image in Amazon's own registry; of another one, nothing can be said without its credentials."""


class Verifier:
    """Asks S3 and ECR."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check a version.

        Raises:
            BackendError: `NotForSageMaker`, `ArtifactMissing`, `DigestMismatch` or `ImageMissing`, not retryable; or
                AWS refused.
        """
        specification.checked(model, version, spec)
        told = f"{model} {version}"
        await self._check_image(told, spec.server.image)
        found = await self.digest_of(told, spec.artifact.uri)
        if found != spec.artifact.digest:
            message = (
                f"{told}: {spec.artifact.uri} has {found}, not {spec.artifact.digest}: register it as a new version"
            )
            raise BackendError("DigestMismatch", message, retryable=False)

    async def digest_of(self, told: str, uri: str) -> str:
        """The digest of an object, or of all under a prefix, as a version would pin it; `told`: for whom it is.

        Raises:
            BackendError: `ArtifactMissing`, not retryable; or AWS refused.
        """
        bucket, key = split(uri)
        if not uri.endswith("/"):
            return f"sha256:{(await self._object(told, bucket, key))}"
        listed = await self._listed(bucket, key)
        if not listed:
            raise _missing(told, uri)
        lines = [f"{await self._object(told, bucket, name)}  {name.removeprefix(key)}\n".encode() for name in listed]
        return f"sha256:{hashlib.sha256(b''.join(sorted(lines))).hexdigest()}"

    async def _object(self, told: str, bucket: str, key: str) -> str:
        """The sha256 of one object, in hexadecimal: as S3 keeps it, else by reading it."""
        where = {"Bucket": bucket, "Key": key}
        try:
            head = await self._aws.call("s3", "HeadObject", **where, ChecksumMode="ENABLED")
        except AbsentError:
            raise _missing(told, f"s3://{bucket}/{key}") from None
        kept = head.get("ChecksumSHA256")
        if kept and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            return base64.b64decode(kept).hex()
        # The version that was looked at is the one that is read, should somebody write to it meanwhile.
        answer = await self._aws.call("s3", "GetObject", **where, IfMatch=head["ETag"])
        return await asyncio.to_thread(_hashed, answer["Body"])

    async def _listed(self, bucket: str, prefix: str) -> list[str]:
        names: list[str] = []
        token: dict[str, Any] = {}
        while True:
            answer = await self._aws.call("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, **token)
            names += [one["Key"] for one in answer.get("Contents", []) if not one["Key"].endswith("/")]
            if not answer.get("IsTruncated"):
                return names
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    async def _check_image(self, told: str, image: str | None) -> None:
        match = ECR.match(image or "")
        if match is None:
            return
        repository, _, digest = match["rest"].partition("@")
        repository, _, tag = repository.partition(":")
        wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        try:
            await self._aws.call(
                "ecr",
                "DescribeImages",
                registryId=match["account"],
                repositoryName=repository,
                imageIds=[wanted],
            )
        except AwsError as error:
            if error.reason == "AccessDenied" or match["region"] != self._aws.region:
                return  # SageMaker's role may read what ours may not, as with AWS's own images
            if error.code in {"ImageNotFoundException", "RepositoryNotFoundException"}:
                message = f"{told}: there is no image {image}: push it, or register a version with another"
                raise BackendError("ImageMissing", message, retryable=False) from None
            raise


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _hashed(body: Any) -> str:
    digest = hashlib.sha256()
    for part in body.iter_chunks(PART):
        digest.update(part)
    return digest.hexdigest()


def _missing(told: str, uri: str) -> BackendError:
    message = f"{told}: there is no {uri}: upload it, or register a version with another artifact"
    return BackendError("ArtifactMissing", message, retryable=False)
