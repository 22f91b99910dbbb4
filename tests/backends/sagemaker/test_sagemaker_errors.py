"""What AWS refuses becomes a reason, a line with the cure, and whether to try again."""

import pytest
from botocore import exceptions

from longshore.backends.sagemaker.errors import AbsentError, AwsError, TakenError, translated


def client_error(code: str, message: str = "no", status: int = 400) -> exceptions.ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(answer, "CreateInferenceComponent")


@pytest.mark.parametrize(
    ("error", "reason", "retryable"),
    [
        (client_error("ThrottlingException", "Rate exceeded"), "Throttled", True),
        (client_error("TooManyRequestsException"), "Throttled", True),
        (client_error("SomethingNew", status=429), "Throttled", True),
        (client_error("AccessDeniedException"), "AccessDenied", True),
        (client_error("ExpiredTokenException"), "CredentialsRefused", True),
        (client_error("ResourceLimitExceeded", "The account-level service limit …"), "QuotaExceeded", True),
        (client_error("ServiceUnavailable", status=503), "AwsUnavailable", True),
        (client_error("ValidationException", "1 validation error detected"), "InvalidRequest", False),
        (client_error("ValidationException", 'Could not find inference component "x".'), "NotFound", False),
        (client_error("404", "Not Found", 404), "NotFound", False),
        (client_error("ValidationException", "Cannot create already existing model"), "NameTaken", False),
        (exceptions.NoCredentialsError(), "CredentialsMissing", True),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), "AwsUnavailable", True),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), "AwsUnavailable", True),
        (exceptions.ParamValidationError(report="a\n b"), "InvalidRequest", False),
    ],
)
def test_an_error_has_the_reason_that_people_look_up(error: Exception, reason: str, retryable: bool) -> None:  # noqa: FBT001 - a table
    told = translated(error, "sagemaker", "CreateInferenceComponent")
    assert (told.reason, told.retryable) == (reason, retryable)
    assert told.message.startswith("sagemaker:CreateInferenceComponent")
    assert "\n" not in told.message


def test_what_is_absent_and_what_is_taken_can_be_told_apart_from_the_rest() -> None:
    absent = translated(
        client_error("ValidationException", "Could not find endpoint."), "sagemaker", "DescribeEndpoint"
    )
    taken = translated(client_error("ResourceInUse", "…"), "sagemaker", "CreateModel")
    other = translated(client_error("ValidationException", "bad"), "sagemaker", "CreateModel")
    assert isinstance(absent, AbsentError)
    assert isinstance(taken, TakenError)
    assert type(other) is AwsError


def test_a_refused_action_is_named_with_the_policy_that_allows_it() -> None:
    told = translated(client_error("AccessDeniedException", "User x is not authorized"), "sagemaker", "CreateModel")
    allowed = "allow sagemaker:CreateModel as deploy/aws/longshore-policy.json does"
    assert told.message == f"sagemaker:CreateModel: User x is not authorized; {allowed}"
