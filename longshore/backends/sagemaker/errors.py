"""AWS's errors in our words: a reason, a line for people with the cure, and whether to try again. Pure.

What time or a person mends without another order is tried again: the operation waits, says so, and goes on by itself.
"""

import re
from typing import Any, Final

from botocore import exceptions

from longshore.backends.port import BackendError

THROTTLED: Final = re.compile(r"Throttl.*|TooManyRequests.*|RequestLimitExceeded|SlowDown")
DENIED: Final = re.compile(r"AccessDenied.*|UnauthorizedOperation|403")
BAD_CREDENTIALS: Final = re.compile(
    r"ExpiredToken.*|InvalidClientTokenId|UnrecognizedClientException|InvalidSignatureException|SignatureDoesNotMatch"
    r"|MissingAuthenticationToken.*"
)
ABSENT: Final = re.compile(r"ResourceNotFound.*|ObjectNotFound.*|NoSuchKey|NoSuchBucket|404")
EXHAUSTED: Final = re.compile(r"ResourceLimitExceeded|ServiceQuotaExceeded.*|LimitExceeded.*")
"""AWS's error codes, which differ by service."""
_ABSENT_WORDS = re.compile(r"could not find|does not exist", re.IGNORECASE)
_TAKEN_WORDS = re.compile(r"already exist", re.IGNORECASE)
_SERVER_ERROR: Final = 500


class AwsError(BackendError):
    """AWS refused a call. `code` is its own word, empty when no answer came."""

    def __init__(self, reason: str, message: str, *, retryable: bool, code: str = "", said: str = "") -> None:
        super().__init__(reason, message, retryable=retryable)
        self.code = code
        self.said = said
        """AWS's own sentence."""


class AbsentError(AwsError):
    """What was named is not there."""


class TakenError(AwsError):
    """The name is already in use."""


def translated(error: Exception, service: str, operation: str) -> AwsError:
    """A botocore exception of one call as our own."""
    action = f"{service}:{operation}"
    if isinstance(error, exceptions.ClientError):
        return _answered(error.response, action)
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        message = f"{action}: no AWS credentials; give the worker a role, a profile or AWS_ACCESS_KEY_ID"
        return AwsError("CredentialsMissing", message, retryable=True)
    if isinstance(error, exceptions.CredentialRetrievalError):
        return AwsError("CredentialsMissing", f"{action}: the AWS credentials cannot be had: {error}", retryable=True)
    if isinstance(error, exceptions.ParamValidationError):
        return AwsError("InvalidRequest", f"{action}: {_one_line(str(error))}", retryable=False)
    return AwsError("AwsUnavailable", f"{action}: AWS does not answer: {_one_line(str(error))}", retryable=True)


def _answered(response: dict[str, Any], action: str) -> AwsError:
    code = str(response.get("Error", {}).get("Code", ""))
    said = _one_line(str(response.get("Error", {}).get("Message", "")))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"{action}: {said or code}"
    told: dict[str, Any] = {"code": code, "said": said}
    if THROTTLED.fullmatch(code) or status == 429:
        return AwsError("Throttled", f"{message} (AWS limits the rate of calls)", retryable=True, **told)
    if ABSENT.fullmatch(code) or (code == "ValidationException" and _ABSENT_WORDS.search(said)):
        return AbsentError("NotFound", message, retryable=False, **told)
    if DENIED.fullmatch(code):
        cure = f"allow {action} as deploy/aws/longshore-policy.json does"
        return AwsError("AccessDenied", f"{message}; {cure}", retryable=True, **told)
    if BAD_CREDENTIALS.fullmatch(code):
        return AwsError("CredentialsRefused", f"{message}; renew the worker's AWS credentials", retryable=True, **told)
    if code == "ResourceInUse" or _TAKEN_WORDS.search(said):
        return TakenError("NameTaken", message, retryable=False, **told)
    if EXHAUSTED.fullmatch(code):
        cure = "ask AWS for a higher quota, or free what you can"
        return AwsError("QuotaExceeded", f"{message}; {cure}", retryable=True, **told)
    if status >= _SERVER_ERROR:
        return AwsError("AwsUnavailable", message, retryable=True, **told)
    return AwsError("InvalidRequest", message, retryable=False, **told)


def _one_line(text: str) -> str:
    return " ".join(text.split())
