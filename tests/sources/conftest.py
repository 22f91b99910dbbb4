"""CloudWatch on this machine, for boto3 as it is: metrics and alarms over a clock that the test turns."""

from collections.abc import Iterator

import pytest
from told import Told

from longshore.emulator.data.credentials import ACCESS_KEY_ID, SECRET_ACCESS_KEY


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with Told() as cloudwatch:
        monkeypatch.setenv("AWS_ENDPOINT_URL", cloudwatch.url)
        yield cloudwatch
