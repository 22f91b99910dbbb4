"""AWS's JSON 1.1 protocol on the server's side: requests and answers, both held against botocore's service model."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple

import botocore.session
import structlog
from botocore.model import OperationModel, ServiceModel
from werkzeug.wrappers import Request, Response

from longshore.emulator.errors import AwsError, broken, invalid
from longshore.emulator.shapes import NotThatTypeError, from_json, problems, to_json

logger = structlog.get_logger(__name__)

CONTENT_TYPE = "application/x-amz-json-1.1"


class Caller(NamedTuple):
    """Who asks, as the request's signature has it."""

    region: str
    access_key: str


Handler = Callable[[Caller, Mapping[str, Any]], Mapping[str, Any] | None]
"""One operation: validated parameters in, the answer's members out. Members that are None are left out."""


class NotOursError(Exception):
    """A handler was asked for a resource that moto has, not we."""


class JsonService:
    """One service that speaks JSON 1.1: which operations are ours, and how they are read and answered.

    The operations that have no handler here are somebody else's (moto's).
    """

    def __init__(self, name: str, handlers: Mapping[str, Handler], guard: Callable[[str], None] | None = None) -> None:
        """Serve some operations of a service.

        Args:
            name: botocore's name of the service, such as `sagemaker`.
            handlers: by operation name, such as `CreateEndpoint`.
            guard: called with each operation's name before anything else; raises to refuse it (throttling).
        """
        self.name = name
        self._model = _model_of(name)
        self._prefix = f"{self._model.metadata['targetPrefix']}."
        self._handlers = dict(handlers)
        self._guard = guard

    def takes(self, target: str) -> bool:
        """Whether an `X-Amz-Target` is one of its operations."""
        return target.startswith(self._prefix) and target.removeprefix(self._prefix) in self._handlers

    def carry_out(self, name: str, caller: Caller, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an operation that another service of AWS asks for; no rate limit holds it up.

        Raises:
            AwsError: it is refused.
        """
        return self._handlers[name](caller, parameters) or {}

    def answer(self, request: Request, caller: Caller) -> Response | None:
        """Carry out a request that it takes; None if it turns out to be somebody else's.

        Never raises: what goes wrong is an answer too.
        """
        name = request.headers["X-Amz-Target"].removeprefix(self._prefix)
        try:
            return self._answer(name, request, caller)
        except NotOursError:
            return None
        except AwsError as error:
            return error_response(error)
        except Exception as error:
            logger.exception("operation failed", service=self.name, operation=name)
            return error_response(broken(f"{type(error).__name__}: {error}"))

    def _answer(self, name: str, request: Request, caller: Caller) -> Response:
        if self._guard is not None:
            self._guard(name)
        operation = self._model.operation_model(name)
        result = self._handlers[name](caller, self._parameters(operation, request.get_data()))
        return self._rendered(operation, result or {})

    def _parameters(self, operation: OperationModel, body: bytes) -> dict[str, Any]:
        try:
            given = json.loads(body or b"{}")
            parameters: dict[str, Any] = from_json(operation.input_shape, given) if operation.input_shape else {}
        except (ValueError, NotThatTypeError) as error:
            raise AwsError("SerializationException", str(error)) from None
        if operation.input_shape and (found := problems(operation.input_shape, parameters)):
            plural = "error" if len(found) == 1 else "errors"
            raise invalid(f"{len(found)} validation {plural} detected: {'; '.join(found)}")
        return parameters

    def _rendered(self, operation: OperationModel, result: Mapping[str, Any]) -> Response:
        answer = _without_none(result)
        if operation.output_shape is not None:
            unknown = set(answer) - set(operation.output_shape.members)
            found = problems(operation.output_shape, answer) + [f"unknown member {each}" for each in sorted(unknown)]
            if found:
                logger.error("an answer breaks the service's model", operation=operation.name, problems=found)
                raise broken(f"{operation.name} would have answered outside its model: {'; '.join(found)}")
        body = json.dumps(to_json(answer)) if operation.output_shape is not None else ""
        return Response(body, status=HTTPStatus.OK, content_type=CONTENT_TYPE)


def error_response(error: AwsError) -> Response:
    """An error as the JSON 1.1 and REST-JSON protocols have it; botocore reads either place."""
    body = json.dumps({"__type": error.code, "message": error.message})
    response = Response(body, status=error.status, content_type=CONTENT_TYPE)
    response.headers["x-amzn-ErrorType"] = error.code
    return response


@cache
def _model_of(name: str) -> ServiceModel:
    """SageMaker's is one of botocore's largest: it is read once in a process."""
    return botocore.session.get_session().get_service_model(name)


def _without_none(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _without_none(each) for key, each in value.items() if each is not None}
        case list() | tuple():
            return [_without_none(each) for each in value]
    return value
