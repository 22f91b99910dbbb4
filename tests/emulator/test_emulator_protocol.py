"""Requests and answers against botocore's own service model, and what falls through to moto."""

import json
from typing import Any

import httpx
import pytest
from botocore.session import get_session
from emulated import Hosting, client, refused, specification
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from longshore.emulator.protocol import Caller, JsonService
from longshore.emulator.server import caller_of
from longshore.emulator.shapes import problems

SAGEMAKER = get_session().get_service_model("sagemaker")


def call(aws: Hosting, operation: str, body: object) -> httpx.Response:
    """A call that boto3 would not send."""
    return httpx.post(
        aws.aws.url, content=json.dumps(body), headers={"X-Amz-Target": f"SageMaker.{operation}"}, timeout=10
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 64, "Member must have length less than or equal to 63"),
        ("-llm", "Member must satisfy regular expression pattern"),
        ("llm_1", "Member must satisfy regular expression pattern"),
    ],
)
def test_a_name_that_the_shapes_do_not_allow_is_refused(aws: Hosting, name: str, words: str) -> None:
    aws.endpoint()
    with refused("ValidationException", words):
        aws.component(name)


def test_a_value_outside_of_its_enum_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    with refused("ValidationException", "Member must satisfy enum value set: [SPREAD, BINPACK]"):
        aws.component(placement="ANYWHERE")


def test_a_number_above_its_maximum_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    with refused("ValidationException", "Member must have value less than or equal to 3600"):
        aws.component(StartupParameters={"ContainerStartupHealthCheckTimeoutInSeconds": 3601})


def test_what_is_required_is_asked_for(aws: Hosting) -> None:
    response = call(aws, "CreateEndpoint", {"EndpointName": "shared"})
    assert response.status_code == 400
    assert response.json()["__type"] == "ValidationException"
    assert "EndpointConfigName" in response.json()["message"]


@pytest.mark.parametrize("body", ["{", [], {"EndpointName": "x", "Tags": "no list"}])
def test_what_is_no_request_at_all_is_a_serialization_exception(aws: Hosting, body: object) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    response = httpx.post(aws.aws.url, content=content, headers={"X-Amz-Target": "SageMaker.CreateEndpoint"})
    assert response.json()["__type"] == "SerializationException"


def test_an_answer_outside_of_its_model_is_our_own_error() -> None:
    service = JsonService("sagemaker", {"CreateEndpoint": lambda _caller, _params: {"EndpointArn": "no arn"}})
    builder = EnvironBuilder(
        method="POST",
        headers={"X-Amz-Target": "SageMaker.CreateEndpoint"},
        data=json.dumps({"EndpointName": "a", "EndpointConfigName": "b"}),
    )
    response = service.answer(Request(builder.get_environ()), Caller("us-east-1", ""))
    assert response is not None
    assert response.status_code == 500
    assert "outside its model" in json.loads(response.get_data())["message"]


def test_the_regions_name_is_the_callers(aws: Hosting) -> None:
    arn = aws.api.create_model(
        ModelName="one", ExecutionRoleArn="arn:aws:iam::123456789012:role/r", PrimaryContainer={"Image": "x"}
    )["ModelArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model/one"


def test_the_callers_region_and_key_are_read_from_the_signature() -> None:
    signed = (
        "AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
    )
    builder = EnvironBuilder(headers={"Authorization": signed})
    assert caller_of(Request(builder.get_environ())) == Caller("eu-west-1", "AKID")
    assert caller_of(Request(EnvironBuilder().get_environ())) == Caller("us-east-1", "")


def test_what_is_not_ours_falls_through_to_moto(aws: Hosting) -> None:
    s3 = client(aws.aws, "s3")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="llm.tar.gz", Body=b"x" * 100_000)
    assert s3.get_object(Bucket="models", Key="llm.tar.gz")["Body"].read() == b"x" * 100_000
    assert client(aws.aws, "sts").get_caller_identity()["Account"] == "123456789012"
    aws.api.create_model_package_group(ModelPackageGroupName="digits")
    assert aws.api.list_model_package_groups()["ModelPackageGroupSummaryList"][0]["ModelPackageGroupName"] == "digits"


def test_tags_of_what_is_motos_are_motos(aws: Hosting) -> None:
    arn = aws.api.create_model_package_group(ModelPackageGroupName="digits")["ModelPackageGroupArn"]
    aws.api.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "search"}])
    assert aws.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "search"}]


def test_another_emulator_begins_empty(aws: Hosting) -> None:
    assert not client(aws.aws, "s3").list_buckets()["Buckets"]


_SHAPE = SAGEMAKER.operation_model("CreateInferenceComponent").input_shape


@given(st.text(max_size=80))
def test_a_name_is_allowed_if_it_is_short_enough_and_matches_the_pattern(name: str) -> None:
    ascii_name = name.isascii() and all(each.isalnum() or each == "-" for each in name)
    whole = bool(name) and ascii_name and name[0] != "-" and name[-1] != "-" and len(name) <= 63
    request: dict[str, Any] = {
        "InferenceComponentName": name,
        "EndpointName": "shared",
        "Specification": specification(),
    }
    assert _SHAPE is not None
    assert (problems(_SHAPE, request) == []) == whole
