"""The Open Inference Protocol over REST, without the HTTP: method, path and body in, status and JSON out.

`/ping` and `/invocations` are what SageMaker asks of a container; a body and its answer are those of `infer`.
Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md; SageMaker Developer Guide, "Custom
Inference Code with Hosting Services".
"""

import json
from typing import Any

import longshore
from longshore.backends.local.openinference.models import Model
from longshore.backends.local.openinference.tensors import RequestError, decode, encode

Answer = tuple[int, dict[str, Any]]


class Service:
    """One model under its name and version."""

    def __init__(self, model: Model, name: str, version: str) -> None:
        self._model = model
        self._name = name
        self._version = version

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to one request; never raises for what a client can send."""
        try:
            return 200, self._answer(method, path, body)
        except RequestError as error:
            return error.status, {"error": error.message}

    def _answer(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        match path.strip("/").split("/"):
            case ["v2"]:
                return _get(method, {"name": "longshore", "version": longshore.__version__, "extensions": []})
            case ["v2", "health", "live"]:
                return _get(method, {"live": True})
            case ["v2", "health", "ready"]:
                # The specification's example says "live" here, its implementations "ready": both.
                return _get(method, {"live": True, "ready": True})
            case ["ping"]:
                return _get(method, {"ready": True})
            case ["invocations"]:
                return self._infer(method, body)
            case ["v2", "models", name, *rest]:
                return self._answer_model(method, name, rest, body)
        raise RequestError(404, f"nothing is at {path}")

    def _answer_model(self, method: str, name: str, rest: list[str], body: bytes) -> dict[str, Any]:
        if name != self._name:
            raise RequestError(404, f"no model {name!r} here, only {self._name!r}")
        if rest[:1] == ["versions"]:
            if rest[1:2] != [self._version]:
                raise RequestError(404, f"no such version of {name!r} here, only {self._version!r}")
            rest = rest[2:]
        match rest:
            case []:
                return _get(method, self._metadata())
            case ["ready"]:
                return _get(method, {"name": self._name, "ready": True})
            case ["infer"]:
                return self._infer(method, body)
        raise RequestError(404, f"nothing is at /{'/'.join(rest)} of model {name!r}")

    def _metadata(self) -> dict[str, Any]:
        return {
            "name": self._name,
            "versions": [self._version],
            "platform": self._model.platform,
            "inputs": [facts._asdict() for facts in self._model.inputs],
            "outputs": [facts._asdict() for facts in self._model.outputs],
        }

    def _infer(self, method: str, body: bytes) -> dict[str, Any]:
        if method != "POST":
            raise RequestError(405, "inference takes POST")
        request = _object(body)
        inputs = request.get("inputs")
        if not isinstance(inputs, list) or not inputs or not all(isinstance(tensor, dict) for tensor in inputs):
            raise RequestError(400, "inputs is a list of at least one tensor")
        arrays = {tensor.get("name"): decode(tensor) for tensor in inputs}
        if len(arrays) != len(inputs):
            raise RequestError(400, "two inputs have the same name")
        outputs = self._model.infer(arrays, self._wanted(request))
        identity = {"id": str(request["id"])} if "id" in request else {}
        return {
            "model_name": self._name,
            "model_version": self._version,
            **identity,
            "outputs": [encode(name, array) for name, array in outputs.items()],
        }

    def _wanted(self, request: dict[str, Any]) -> list[str]:
        known = [facts.name for facts in self._model.outputs]
        asked = request.get("outputs") or [{"name": name} for name in known]
        if not isinstance(asked, list) or not all(isinstance(output, dict) for output in asked):
            raise RequestError(400, "outputs is a list of objects with a name")
        names = [output.get("name") for output in asked]
        for name in names:
            if name not in known:
                raise RequestError(400, f"no output {name!r}; there are {', '.join(known)}")
        return list(dict.fromkeys(names))


def _get(method: str, answer: dict[str, Any]) -> dict[str, Any]:
    if method not in {"GET", "HEAD"}:
        raise RequestError(405, "this takes GET")
    return answer


def _object(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise RequestError(400, "the body is not a JSON object")
    return request
