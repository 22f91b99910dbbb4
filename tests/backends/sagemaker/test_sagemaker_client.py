"""The way to AWS: a target's role is taken on, what is missing is said, and a call that was given up is waited for."""

import asyncio
import threading
from typing import Any

import pytest
from aws_fleet import REGION, Fleet

from longshore.backends.sagemaker.client import Aws
from longshore.backends.sagemaker.errors import AbsentError, AwsError
from longshore.emulator.data.credentials import ACCESS_KEY_ID
from longshore.emulator.server import Emulator

ROLE = "arn:aws:iam::123456789012:role/longshore"


async def test_without_a_role_the_workers_own_credentials_sign(emulator: Emulator) -> None:
    client = await asyncio.to_thread(Aws("fleet", REGION).client, "sagemaker")
    assert client._get_credentials().access_key == ACCESS_KEY_ID


async def test_a_targets_role_is_taken_on_for_every_call(fleet: Fleet) -> None:
    aws = Aws("fleet", REGION, ROLE)
    answer = await aws.call("sagemaker", "DescribeEndpoint", EndpointName="fleet")
    assert answer["EndpointStatus"] == "InService"
    signer = await asyncio.to_thread(aws.client, "sts")
    who = await asyncio.to_thread(signer.get_caller_identity)
    assert who["Arn"] == "arn:aws:sts::123456789012:assumed-role/longshore/longshore-fleet"


@pytest.mark.parametrize("role", [None, ROLE], ids=["of its own", "to take the role on with"])
async def test_a_worker_without_credentials_says_so(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, role: str | None
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(AwsError) as told:
        await Aws("fleet", REGION, role).call("sagemaker", "DescribeEndpoint", EndpointName="fleet")
    assert (told.value.reason, told.value.retryable) == ("CredentialsMissing", True)


async def test_what_is_not_there_is_absent_in_every_service(emulator: Emulator) -> None:
    aws = Aws("fleet", REGION)
    for service, operation, request in (
        ("sagemaker", "DescribeEndpoint", {"EndpointName": "none"}),
        ("sagemaker", "DescribeInferenceComponent", {"InferenceComponentName": "none"}),
        ("s3", "HeadObject", {"Bucket": "none", "Key": "none"}),
        ("logs", "DescribeLogStreams", {"logGroupName": "none"}),
    ):
        with pytest.raises(AbsentError):
            await aws.call(service, operation, **request)


async def test_nobody_at_the_address_is_no_reason_to_give_up(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(AwsError) as told:
        await Aws("fleet", REGION).call("sagemaker", "DescribeEndpoint", EndpointName="fleet")
    assert (told.value.reason, told.value.retryable) == ("AwsUnavailable", True)


async def test_a_call_that_was_given_up_is_over_before_anything_else_is_done(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def slow(*_: Any) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(30)
        over.set()
        return {}

    monkeypatch.setattr(Aws, "_call", slow)
    asked = asyncio.create_task(Aws("fleet", REGION).call("sagemaker", "DescribeEndpoint", EndpointName="fleet"))
    assert await asyncio.to_thread(begun.wait, 30)
    asked.cancel()
    await asyncio.wait({asked}, timeout=0.1)
    assert not asked.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert over.is_set()
