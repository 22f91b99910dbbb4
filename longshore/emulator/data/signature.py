"""Signature version 4, verified: whoever signs wrongly here would be refused by AWS.

What is signed is computed by botocore's own signer, from the request as it came and the secret that belongs to its key.
Source: IAM User Guide, "Signature Version 4 for API requests" and "Troubleshoot Signature Version 4".
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders

from longshore.emulator.data.credentials import Credentials, CredentialsOf

_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    _ALGORITHM
    + r"\s+Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/aws4_request"
    r"\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})\s*"
)
_STAMP = "%Y%m%dT%H%M%SZ"
_MOST_SKEW = timedelta(minutes=5)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


class SignatureError(Exception):
    """A request that is not signed as it must be: AWS's error code and sentence. All of them are 403."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SignedRequest(NamedTuple):
    """A request as it came over the wire."""

    method: str
    target: str
    """Path and query, exactly as they were sent."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def verify(request: SignedRequest, service: str, credentials_of: CredentialsOf, now: datetime) -> str:
    """Check a request's signature and say for which region it is.

    The body's hash is always computed here. So a body that was changed is refused, and so is `UNSIGNED-PAYLOAD`, which
    no operation of the runtime has in its model.

    Args:
        request: what came.
        service: the name that requests to this service are signed for.
        credentials_of: who has which secret.
        now: the real time, which signatures are bound to.

    Raises:
        SignatureError: none, a wrong one, or one of a key that nobody has.
    """
    authorization = request.header("authorization")
    if authorization is None:
        raise SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token")
    parts = _AUTHORIZATION.fullmatch(authorization.strip())
    if parts is None:
        raise SignatureError(
            "IncompleteSignatureException",
            f"Authorization header requires {_ALGORITHM} Credential, SignedHeaders and Signature.",
        )
    credentials = credentials_of(parts["key"])
    _check_token(request, credentials, now)
    assert credentials is not None  # noqa: S101 - an unknown key has just been refused
    if parts["service"] != service:
        raise SignatureError(
            "InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'."
        )
    stamp = _stamp(request, parts["day"], now)
    signed = tuple(parts["headers"].split(";"))
    if "host" not in signed:
        raise SignatureError("InvalidSignatureException", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    expected = _Signer(credentials, service, parts["region"], signed).sign(request, stamp)
    if not hmac.compare_digest(expected, parts["signature"]):
        raise SignatureError("InvalidSignatureException", _MISMATCH)
    return parts["region"]


def _check_token(request: SignedRequest, credentials: Credentials | None, now: datetime) -> None:
    invalid = SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")
    if credentials is None:
        raise invalid
    if credentials.expires is not None and credentials.expires <= now:
        raise SignatureError("ExpiredTokenException", "The security token included in the request is expired")
    if request.header("x-amz-security-token") != credentials.token:
        raise invalid


def _stamp(request: SignedRequest, day: str, now: datetime) -> str:
    stamp = request.header("x-amz-date")
    try:
        signed_at = datetime.strptime(stamp or "", _STAMP).replace(tzinfo=UTC)
    except ValueError:
        message = f"Date in X-Amz-Date header must be {_STAMP}, and is {stamp!r}."
        raise SignatureError("IncompleteSignatureException", message) from None
    if stamp is None or not stamp.startswith(day):
        raise SignatureError(
            "InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601."
        )
    if abs(now - signed_at) > _MOST_SKEW:
        earlier = signed_at < now
        verdict = "expired" if earlier else "not yet current"
        compared = f"{stamp} is {'earlier' if earlier else 'later'} than {now.strftime(_STAMP)} by more than 5 min."
        raise SignatureError("InvalidSignatureException", f"Signature {verdict}: {compared}")
    return stamp


class _Signer(SigV4Auth):  # type: ignore[misc]
    """botocore's signer, told which headers the client has signed rather than choosing them."""

    def __init__(self, credentials: Credentials, service: str, region: str, signed: tuple[str, ...]) -> None:
        super().__init__(credentials, service, region)
        self._signed = signed
        self._body_hash = ""

    def sign(self, request: SignedRequest, stamp: str) -> str:
        """The signature that this request must have."""
        self._body_hash = hashlib.sha256(request.body).hexdigest()
        parts = urlsplit(request.target)
        # The host only makes it a URL: the one that is signed is among the headers.
        made = AWSRequest(method=request.method, url=f"http://host{parts.path}{'?' * bool(parts.query)}{parts.query}")
        for name, value in request.headers:
            # Ours is computed; what the client says of its body's hash counts for nothing but as a signed header.
            made.headers.add_header(name, value)
        made.context["timestamp"] = stamp
        signature: str = self.signature(self.string_to_sign(made, self.canonical_request(made)), made)
        return signature

    def headers_to_sign(self, request: Any) -> Any:
        """Only what the client says that it signed; a header that is missing makes the signature another one."""
        headers = HTTPHeaders()
        for name in self._signed:
            for value in request.headers.get_all(name) or ():
                headers[name] = value
        return headers

    def canonical_request(self, request: Any) -> str:
        """The canonical request, its last line always the hash of the body that came."""
        headers = self.headers_to_sign(request)
        return "\n".join(
            [
                request.method.upper(),
                self._normalize_url_path(urlsplit(request.url).path),
                self.canonical_query_string(request),
                self.canonical_headers(headers) + "\n",
                self.signed_headers(headers),
                self._body_hash,
            ]
        )
