"""Errors in AWS's own words. The texts are those that the service was seen to answer with, where they are known."""

from http import HTTPStatus


class AwsError(Exception):
    """A refused request: `code` is what botocore calls `Error.Code`, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = int(status)


def invalid(message: str) -> AwsError:
    """SageMaker's answer to most things it refuses: what is missing, exists already, or makes no sense now."""
    return AwsError("ValidationException", message)


def not_found(kind: str, arn: str) -> AwsError:
    """SageMaker has no 404 for hosting resources: a missing one is a ValidationException."""
    return invalid(f'Could not find {kind} "{arn}".')


def exists(kind: str, arn: str) -> AwsError:
    """Names are unique within an account and a region."""
    return invalid(f'Cannot create already existing {kind} "{arn}".')


def limit_exceeded(message: str) -> AwsError:
    """A quota of the account."""
    return AwsError("ResourceLimitExceeded", message)


def throttled() -> AwsError:
    """The rate limit of the API; botocore's retry modes know this code."""
    return AwsError("ThrottlingException", "Rate exceeded")


def broken(message: str) -> AwsError:
    """The emulator's own mistake: it would have answered what the service's model does not allow."""
    return AwsError("InternalFailure", message, HTTPStatus.INTERNAL_SERVER_ERROR)
