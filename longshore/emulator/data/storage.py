"""Objects in S3, which the same server has."""

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from longshore.emulator.data.credentials import OWN
from longshore.emulator.data.model_data import bucket_and_key

_REGION = "us-east-1"
"""Any will do: buckets are found in all of them."""


class StorageError(Exception):
    """An object that cannot be read or written; one line."""


class Storage:
    """Reads and writes objects. Every call blocks."""

    def __init__(self, url: str) -> None:
        self._url = url

    def client(self) -> Any:
        """A client of S3."""
        return boto3.client(
            "s3",
            endpoint_url=self._url,
            region_name=_REGION,
            aws_access_key_id=OWN.access_key,
            aws_secret_access_key=OWN.secret_key,
        )

    def read(self, uri: str) -> bytes:
        """An object.

        Raises:
            StorageError: it cannot be read.
        """
        bucket, key = bucket_and_key(uri)
        try:
            content: bytes = self.client().get_object(Bucket=bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"{uri} cannot be read: {error}") from None
        return content

    def write(self, uri: str, content: bytes, content_type: str) -> None:
        """Make or replace an object.

        Raises:
            StorageError: it cannot be written.
        """
        bucket, key = bucket_and_key(uri)
        try:
            self.client().put_object(Bucket=bucket, Key=key, Body=content, ContentType=content_type)
        except (BotoCoreError, ClientError) as error:
            raise StorageError(f"{uri} cannot be written: {error}") from None
