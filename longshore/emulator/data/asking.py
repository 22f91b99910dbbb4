"""A call of the runtime as it was meant: read and held against botocore's service model."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import botocore.session
from botocore.model import OperationModel, ServiceModel

from longshore.emulator.data.signature import SignedRequest
from longshore.emulator.data.targets import CallError
from longshore.emulator.shapes import problems

MOST_BYTES = 25 * 1024 * 1024
"""Of a request's body. The model says 6,291,456 still; the guide ("Inference options"), since late 2025, 25 MB."""

_MODEL_SECONDS = 60.0
_LATER_SECONDS = 900.0
"""How long a model may take by the operations' documentation; asynchronously, unless the call says otherwise."""

_PATH = re.compile(
    r"/endpoints/(?P<endpoint>[^/]*)/(?P<verb>invocations|async-invocations|invocations-response-stream)"
)
_OPERATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
_PASSED_ON = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "TargetModel": "X-Amzn-SageMaker-Target-Model",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
}
"""What a container gets to see; all other headers of a call are stripped, as the operation's documentation says."""


class Asked(NamedTuple):
    """One call."""

    operation: str
    region: str
    parameters: Mapping[str, Any]
    """The input shape's members, without the body."""
    body: bytes

    @property
    def endpoint(self) -> str:
        """Whom it is for."""
        return str(self.parameters["EndpointName"])

    @property
    def seconds(self) -> float:
        """How long the model may take to answer."""
        if self.operation == "InvokeEndpointAsync":
            return float(self.parameters.get("InvocationTimeoutSeconds", _LATER_SECONDS))
        return _MODEL_SECONDS

    def headers(self) -> dict[str, str]:
        """The headers of the request to the container."""
        given = {"ContentType": "application/octet-stream", "Accept": "*/*", **self.parameters}
        return {header: given[name] for name, header in _PASSED_ON.items() if name in given}


def is_call(path: str) -> bool:
    """Whether a path (and query) is one of the runtime's."""
    return _PATH.fullmatch(urlsplit(path).path) is not None


def read(request: SignedRequest, region: str) -> Asked:
    """What a request asks for.

    Raises:
        CallError: it is none of the runtime's operations, or not as their shapes want it.
    """
    parts = _PATH.fullmatch(urlsplit(request.target).path)
    if parts is None or request.method != "POST":
        raise CallError("UnknownOperationException", "The requested operation is not known.", 404)
    if len(request.body) > MOST_BYTES:
        raise CallError("413", f"HTTP content length exceeded {MOST_BYTES} bytes.", 413)
    operation = _model().operation_model(_OPERATIONS[parts["verb"]])
    parameters = _parameters(operation, unquote(parts["endpoint"]), request)
    if found := problems(operation.input_shape, parameters):
        plural = "error" if len(found) == 1 else "errors"
        raise CallError("ValidationError", f"{len(found)} validation {plural} detected: {'; '.join(found)}")
    return Asked(operation.name, region, parameters, request.body)


def _parameters(operation: OperationModel, endpoint: str, request: SignedRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {"EndpointName": endpoint}
    if "Body" in operation.input_shape.members:
        # Required, and there even if it is empty. Its size has been looked at already.
        parameters["Body"] = b""
    sent = {name.lower(): value for name, value in request.headers}
    for member, shape in operation.input_shape.members.items():
        value = sent.get(shape.serialization.get("name", "").lower())
        if shape.serialization.get("location") == "header" and value:
            parameters[member] = _number(member, value) if shape.type_name == "integer" else value
    return parameters


def _number(member: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise CallError("ValidationError", f"{member} is a number, not {value!r}.") from None


@cache
def _model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("sagemaker-runtime")
