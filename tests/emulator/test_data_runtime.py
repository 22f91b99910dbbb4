"""The runtime's calls by an unmodified boto3, answered by real processes."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError
from data_world import BARE, ROLE, Town, until

from longshore.emulator.data import asking, reaper
from longshore.emulator.data.credentials import OWN


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """An endpoint with a component of two copies."""
    town = Town()
    with town.aws:
        town.endpoint()
        town.model("echo", Environment={"ANSWER": "digits: "})
        town.component("digits", "echo", copies=2)
        yield town
        mark = town.aws.plane._mark
        assert reaper.marked(mark) != []
    assert reaper.marked(mark) == []


@pytest.fixture(params=["its own port", "the main port"])
def runtime(request: pytest.FixtureRequest, town: Town) -> Any:
    return town.runtime if request.param == "its own port" else town.client("sagemaker-runtime")


def call(runtime: Any, question: Any = "x", **more: Any) -> dict[str, Any]:
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    given = {"EndpointName": "fleet", "InferenceComponentName": "digits", "Body": body, **more}
    answer: dict[str, Any] = runtime.invoke_endpoint(**given)
    return answer


def refusal(runtime: Any, question: Any = "x", **more: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as refused:
        call(runtime, question, **more)
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_a_models_answer_comes_back_as_it_was(runtime: Any) -> None:
    answer = call(runtime, b"what is it?", CustomAttributes="trace=1")
    assert answer["Body"].read() == b"digits: what is it?"
    assert answer["ContentType"] == "application/octet-stream"
    assert (answer["InvokedProductionVariant"], answer["CustomAttributes"]) == ("main", "trace=1")


def test_a_container_sees_the_headers_that_are_for_it_and_no_others(runtime: Any) -> None:
    told = call(runtime, "headers", ContentType="application/json", Accept="text/plain", CustomAttributes="a")
    headers = json.loads(told["Body"].read())
    assert (headers["content-type"], headers["accept"]) == ("application/json", "text/plain")
    assert headers["x-amzn-sagemaker-custom-attributes"] == "a"
    assert not {"authorization", "x-amz-date", "x-amzn-sagemaker-inference-component"} & headers.keys()


def test_a_streamed_answer_comes_in_its_parts(runtime: Any) -> None:
    body = json.dumps({"stream": ["one ", "two ", "three"]}).encode()
    answer = runtime.invoke_endpoint_with_response_stream(
        EndpointName="fleet", InferenceComponentName="digits", Body=body
    )
    assert answer["ContentType"] == "text/event-stream"
    assert b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"]) == b"one two three"


def test_a_stream_that_breaks_off_ends_in_an_error(runtime: Any) -> None:
    body = json.dumps({"stream": ["one "], "breaks": True}).encode()
    answer = runtime.invoke_endpoint_with_response_stream(
        EndpointName="fleet", InferenceComponentName="digits", Body=body
    )
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        list(answer["Body"])


@pytest.mark.parametrize("status", [400, 418, 500, 503])
def test_a_models_error_is_424_with_its_own_status(runtime: Any, status: int) -> None:
    with pytest.raises(ClientError) as refused:
        call(runtime, {"status": status})
    response = refused.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (424, "ModelError")
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, "as asked")


def test_what_is_not_there_is_a_validation_error(runtime: Any) -> None:
    assert refusal(runtime, EndpointName="other")[:2] == (400, "ValidationError")
    assert refusal(runtime, InferenceComponentName="other")[:2] == (400, "ValidationError")
    status, code, message = refusal(runtime, EndpointName="-")
    assert (status, code) == (400, "ValidationError")
    assert "regular expression pattern" in message


def test_an_endpoint_of_components_wants_to_know_which(runtime: Any) -> None:
    with pytest.raises(ClientError, match="Inference Component Name header is required"):
        runtime.invoke_endpoint(EndpointName="fleet", Body=b"x")


def test_a_body_has_at_most_25_mb(town: Town) -> None:
    most = b"x" * (25 * 1024 * 1024)
    assert len(call(town.runtime, most)["Body"].read()) == len(most) + len("digits: ")
    assert refusal(town.runtime, most + b"x")[0] == 413


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"config": Config(signature_version=UNSIGNED)}, "MissingAuthenticationTokenException"),
        ({"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "guessed"}, "UnrecognizedClientException"),
        ({"aws_secret_access_key": "guessed"}, "InvalidSignatureException"),
    ],
)
@pytest.mark.parametrize("port", ["runtime_url", "url"])
def test_who_does_not_sign_is_refused(town: Town, port: str, how: dict[str, Any], code: str) -> None:
    keys = {"aws_access_key_id": OWN.access_key, "aws_secret_access_key": OWN.secret_key, **how}
    stranger = boto3.client(
        "sagemaker-runtime", endpoint_url=getattr(town.aws, port), region_name="eu-central-1", **keys
    )
    assert refusal(stranger)[:2] == (403, code)


def test_a_role_that_was_assumed_may_call(town: Town) -> None:
    sts = town.client("sts")
    keys = sts.assume_role(RoleArn=ROLE, RoleSessionName="caller")["Credentials"]
    given = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    caller = boto3.client("sagemaker-runtime", endpoint_url=town.aws.runtime_url, region_name="eu-west-1", **given)
    assert call(caller, b"hi")["Body"].read() == b"digits: hi"
    given |= {"aws_session_token": "another"}
    thief = boto3.client("sagemaker-runtime", endpoint_url=town.aws.runtime_url, region_name="eu-west-1", **given)
    assert refusal(thief)[1] == "UnrecognizedClientException"


def test_throttling_is_429(town: Town) -> None:
    once = Config(retries={"total_max_attempts": 1})
    town.aws.faults.set(throttle={"every": 1, "operations": ["InvokeEndpoint"]})
    try:
        assert refusal(town.client("sagemaker-runtime", town.aws.runtime_url, once))[:2] == (429, "ThrottlingException")
        town.aws.faults.set(throttle={"every": 1})
        assert call(town.runtime, b"hi")["Body"].read() == b"digits: hi"
        with pytest.raises(ClientError, match="Rate exceeded"):
            town.client("cloudwatch", None, once).list_metrics()
    finally:
        town.aws.faults.clear()


def test_a_model_that_takes_too_long_is_an_error_without_a_status(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking._MODEL_SECONDS == 60
    monkeypatch.setattr(asking, "_MODEL_SECONDS", 0.2)
    with pytest.raises(ClientError, match="Your invocation timed out") as refused:
        call(town.runtime, {"sleep": 1})
    assert refused.value.response["OriginalStatusCode"] == 0


def test_least_outstanding_requests_go_round_a_copy_that_is_busy(town: Town) -> None:
    town.endpoint("fair", RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"})
    town.component("fair-digits", "echo", copies=2, endpoint="fair")

    def served() -> str:
        told = json.loads(town.invoke("fair-digits", b'"environment"', endpoint="fair"))
        return str(told["SAGEMAKER_BIND_TO_PORT"])

    copies = town.aws.plane.copies
    busy, idle = (copy.id for copy in town.aws.world.copies_of_component("fair-digits"))
    copies.begin(busy)
    try:
        assert {served() for _ in range(20)} == {copies.containers[idle].channel.url.rpartition(":")[2]}
    finally:
        copies.end(busy)
    assert len({served() for _ in range(40)}) == 2


@pytest.mark.parametrize("port", ["runtime_url", "url"])
def test_a_body_in_chunks_is_one_body(town: Town, port: str) -> None:
    """Proxies pass bodies on in chunks, whose whole has the hash that was signed."""
    url, body = f"{getattr(town.aws, port)}/endpoints/fleet/invocations", b"one two three"
    request = AWSRequest("POST", url, data=body, headers={"X-Amzn-SageMaker-Inference-Component": "digits"})
    SigV4Auth(Credentials(OWN.access_key, OWN.secret_key), "sagemaker", "eu-central-1").add_auth(request)
    answer = httpx.post(url, content=iter([b"one ", b"two ", b"three"]), headers=dict(request.headers), trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"digits: one two three")
    other = httpx.post(url, content=iter([b"one ", b"two"]), headers=dict(request.headers), trust_env=False)
    assert other.status_code == 403


def test_a_process_that_dies_costs_its_call_and_is_back_soon(town: Town) -> None:
    containers = [town.aws.plane.copies.containers[copy.id] for copy in town.aws.world.copies_of_component("digits")]
    before = {container.pid for container in containers}
    assert refusal(town.runtime, "die")[:2] == (424, "ModelError")
    until(lambda: {container.pid for container in containers} != before and all(one.ready for one in containers))
    until(lambda: len(town.aws.world.copies_of_component("digits")) == 2)
    assert {call(town.runtime, b"?")["Body"].read() for _ in range(20)} == {b"digits: ?"}


def test_copies_that_do_not_answer_their_pings_get_no_calls(town: Town) -> None:
    containers = [town.aws.plane.copies.containers[copy.id] for copy in town.aws.world.copies_of_component("digits")]
    silent, sound = containers
    os.kill(silent.pid or 0, signal.SIGSTOP)
    try:
        until(lambda: len(town.aws.world.copies_of_component("digits")) == 1)
        assert {call(town.runtime, b"x")["Body"].read() for _ in range(5)} == {b"digits: x"}
        assert (silent.ready, sound.ready) == (False, True)
    finally:
        os.kill(silent.pid or 0, signal.SIGCONT)
    town.rested("digits")


def test_a_component_at_zero_copies_says_that_it_has_no_capacity(town: Town) -> None:
    town.component("sleepy", "echo")
    town.scale("sleepy", 0)
    status, code, message = refusal(town.runtime, InferenceComponentName="sleepy")
    assert (status, code) == (400, "ValidationError")
    assert message.startswith("Inference Component has no capacity to process this request.")
    town.scale("sleepy", 1)
    assert town.invoke("sleepy", b"back") == b"digits: back"


def test_a_copy_that_is_ended_finishes_the_calls_that_it_has(town: Town) -> None:
    town.endpoint("shrinking")
    town.component("leaving", "echo", copies=2, endpoint="shrinking")
    leaving = {copy.id for copy in town.aws.world.copies_of_component("leaving")}
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(town.invoke, "leaving", b'{"sleep": 1}', "shrinking") for _ in range(8)]
        until(lambda: sum(town.aws.plane.copies.outstanding(list(leaving)).values()) == 8)
        town.scale("leaving", 0)
        assert {answer.result(30) for answer in calls} == {b"slept"}
    until(lambda: not leaving & town.aws.plane.copies.containers.keys())


def test_an_image_without_a_program_is_in_service_and_serves_nothing(town: Town) -> None:
    town.model("bare", BARE)
    town.component("bare", "bare")
    status, code, message = refusal(town.runtime, InferenceComponentName="bare")
    assert (status, code) == (503, "ServiceUnavailable")
    assert "--images" in message


def test_it_listens_on_the_loopback_only(town: Town) -> None:
    host, port = town.aws.plane._socket.getsockname()
    assert host == "127.0.0.1"
    with socket.socket() as other:
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", port)) != 0
