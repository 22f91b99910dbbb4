"""Signatures of version 4: what botocore signs passes, and whatever is changed afterwards does not."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signing
from hypothesis import given
from hypothesis import strategies as st

from longshore.emulator.data.credentials import Credentials
from longshore.emulator.data.signature import SignatureError, SignedRequest, verify

KEYS = {
    "AKIAEXAMPLE": Credentials("AKIAEXAMPLE", "secret"),
    "ASIATEMPORARY": Credentials("ASIATEMPORARY", "passing", "token", datetime.now(UTC) + timedelta(hours=1)),
    "ASIAOVER": Credentials("ASIAOVER", "passed", "token", datetime.now(UTC) - timedelta(hours=1)),
}


def signed(
    key: str = "AKIAEXAMPLE",
    *,
    target: str = "/endpoints/fleet/invocations",
    body: bytes = b"{}",
    service: str = "sagemaker",
) -> SignedRequest:
    known = KEYS.get(key, Credentials(key, "guessed"))
    request = AWSRequest("POST", f"http://127.0.0.1:9000{target}", data=body)
    request.headers["Content-Type"] = "application/json"
    request.headers["X-Amzn-SageMaker-Inference-Component"] = "digits-2"
    SigV4Auth(Signing(known.access_key, known.secret_key, known.token), service, "eu-central-1").add_auth(request)
    return SignedRequest("POST", target, (("Host", "127.0.0.1:9000"), *request.headers.items()), body)


def judged(request: SignedRequest, *, now: datetime | None = None) -> str:
    try:
        verify(request, "sagemaker", KEYS.get, now or datetime.now(UTC))
    except SignatureError as error:
        return error.code
    return "accepted"


def changed(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    kept = tuple((key, text) for key, text in request.headers if key.lower() != name)
    return request._replace(headers=kept if value is None else (*kept, (name, value)))


@given(
    body=st.binary(max_size=200),
    path=st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1).map("/endpoints/{}".format),
)
def test_whatever_botocore_signs_is_accepted(body: bytes, path: str) -> None:
    assert judged(signed(target=path, body=body)) == "accepted"


def test_paths_that_are_escaped_and_queries_are_signed_as_they_were_sent() -> None:
    assert judged(signed(target="/endpoints/a%20b/invocations?b=2&a=%2F")) == "accepted"


def test_temporary_keys_need_their_token() -> None:
    request = signed("ASIATEMPORARY")
    assert judged(request) == "accepted"
    assert judged(changed(request, "x-amz-security-token", "another")) == "UnrecognizedClientException"
    assert judged(changed(request, "x-amz-security-token", None)) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("case", "request_", "code"),
    [
        ("not signed", changed(signed(), "authorization", None), "MissingAuthenticationTokenException"),
        ("signed with a bearer", changed(signed(), "authorization", "Bearer abc"), "IncompleteSignatureException"),
        ("a key nobody has", signed("AKIASTRANGER"), "UnrecognizedClientException"),
        ("a key that is over", signed("ASIAOVER"), "ExpiredTokenException"),
        ("another service's", signed(service="s3"), "InvalidSignatureException"),
        ("another body", signed()._replace(body=b"{} "), "InvalidSignatureException"),
        ("another path", signed()._replace(target="/endpoints/other/invocations"), "InvalidSignatureException"),
        ("another method", signed()._replace(method="PUT"), "InvalidSignatureException"),
        (
            "another component",
            changed(signed(), "x-amzn-sagemaker-inference-component", "digits-1"),
            "InvalidSignatureException",
        ),
        ("another host", changed(signed(), "host", "127.0.0.1:9001"), "InvalidSignatureException"),
        ("a header gone", changed(signed(), "content-type", None), "InvalidSignatureException"),
        ("no date", changed(signed(), "x-amz-date", None), "IncompleteSignatureException"),
        ("another day", changed(signed(), "x-amz-date", "20200101T000000Z"), "InvalidSignatureException"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_signed_as_it_must_be_is_refused(case: str, request_: SignedRequest, code: str) -> None:
    assert judged(request_) == code, case


@pytest.mark.parametrize("late", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signature_of_another_time_is_refused(late: timedelta) -> None:
    assert judged(signed(), now=datetime.now(UTC) + late) == "InvalidSignatureException"


def test_an_unsigned_payload_is_refused() -> None:
    """No operation of the runtime has the trait `unsignedPayload`."""
    request = AWSRequest("POST", "http://h/endpoints/fleet/invocations", data=b"{}")
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    SigV4Auth(Signing("AKIAEXAMPLE", "secret"), "sagemaker", "eu-central-1").add_auth(request)
    sent = SignedRequest("POST", "/endpoints/fleet/invocations", (("Host", "h"), *request.headers.items()), b"{}")
    assert judged(sent) == "InvalidSignatureException"


def test_headers_that_are_not_signed_may_be_added_on_the_way() -> None:
    """As proxies do: only what the client says that it signed counts."""
    assert judged(changed(signed(), "x-request-id", "1")) == "accepted"
