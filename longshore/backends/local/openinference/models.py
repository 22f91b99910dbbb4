"""Models from files: scikit-learn by joblib, ONNX by onnxruntime. Only bytes with the right digest are loaded."""

import contextlib
import hashlib
import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from longshore.backends.local.openinference.tensors import Array, RequestError, datatype_of

_PICKLES = {".joblib", ".pkl", ".pickle"}
_ONNX_TYPES = {
    "bool": "BOOL",
    "float16": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    **{f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class ModelError(Exception):
    """A model that cannot be served; one line for a person."""


class TensorFacts(NamedTuple):
    """What is told of an input or output; -1 is a size that varies."""

    name: str
    datatype: str
    shape: list[int]


class Model(Protocol):
    """A loaded model."""

    platform: str
    inputs: list[TensorFacts]
    outputs: list[TensorFacts]

    def infer(self, inputs: Mapping[str, Array], outputs: Collection[str]) -> dict[str, Array]:
        """The asked outputs for some inputs.

        Raises:
            RequestError: 400, the inputs are not what the model takes.
        """


def load(path: Path, digest: str | None) -> Model:
    """Load a model from exactly the bytes that have the digest.

    A pickle runs code as it is loaded, so one whose digest nobody pinned is not loaded at all.

    Raises:
        ModelError: no such file, not the pinned content, or not a model that can be served.
    """
    if path.suffix not in _PICKLES | {".onnx"}:
        raise ModelError(f"{path}: models end in {', '.join(sorted(_PICKLES))} or .onnx")
    if digest is None and path.suffix in _PICKLES:
        raise ModelError(f"{path} is a pickle, which can run code: say which is meant with --digest sha256:…")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if digest not in {None, found}:
        raise ModelError(f"{path} is {found}, and {digest} was pinned")
    return Onnx(path, content) if path.suffix == ".onnx" else ScikitLearn(path, content)


def only_model(folder: Path) -> Path:
    """The one model in a folder, as SageMaker gives models to containers.

    Raises:
        ModelError: there is none, or there are several.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix in _PICKLES | {".onnx"})
    if len(found) != 1:
        told = ", ".join(path.name for path in found) or "nothing"
        raise ModelError(f"{folder} is to hold one model, and holds {told}: say which with --model")
    return found[0]


class ScikitLearn:
    """A scikit-learn estimator or pipeline. One input of rows; outputs are named as the methods that make them."""

    platform = "sklearn"

    def __init__(self, path: Path, content: bytes) -> None:
        import joblib

        try:
            self._estimator: Any = joblib.load(io.BytesIO(content))
        except Exception as error:  # noqa: BLE001 - unpickling raises whatever it likes
            raise ModelError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from None
        if not hasattr(self._estimator, "predict"):
            raise ModelError(f"{path} holds a {type(self._estimator).__name__}, which cannot predict")
        self._features = int(getattr(self._estimator, "n_features_in_", -1))
        self.inputs = [TensorFacts("input-0", "FP64", [-1, self._features])]
        self.outputs = [self._facts_of(name) for name in ("predict", "predict_proba") if hasattr(self._estimator, name)]

    def infer(self, inputs: Mapping[str, Array], outputs: Collection[str]) -> dict[str, Array]:
        """Ask the estimator for each output."""
        if len(inputs) != 1:
            raise RequestError(400, f"this model takes one input of rows, and got {len(inputs)}")
        (rows,) = inputs.values()
        try:
            return {name: self._ask(name, rows) for name in outputs}
        except (ValueError, TypeError) as error:
            raise RequestError(400, str(error).partition("\n")[0]) from None

    def _ask(self, name: str, rows: Array) -> Array:
        import numpy as np

        return np.asarray(getattr(self._estimator, name)(rows))

    def _facts_of(self, name: str) -> TensorFacts:
        """What an output looks like: seen in a first answer, which also takes first-call costs out of requests."""
        import numpy as np

        # A pipeline of text or of named columns does not take zeros; then no more is known than this.
        with contextlib.suppress(Exception):
            answer = self._ask(name, np.zeros((1, self._features)))
            return TensorFacts(name, datatype_of(answer.dtype), [-1, *answer.shape[1:]])
        return TensorFacts(name, "FP64", [-1])


class Onnx:
    """An ONNX model on onnxruntime."""

    platform = "onnx_onnxv1"

    def __init__(self, path: Path, content: bytes) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise ModelError(f"{path} needs onnxruntime: install longshore[onnx]") from None
        try:
            self._session = onnxruntime.InferenceSession(content, providers=onnxruntime.get_available_providers())
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no base class
            raise ModelError(f"{path} cannot be loaded: {error}") from None
        self.inputs = [_onnx_facts(node) for node in self._session.get_inputs()]
        self.outputs = [_onnx_facts(node) for node in self._session.get_outputs()]

    def infer(self, inputs: Mapping[str, Array], outputs: Collection[str]) -> dict[str, Array]:
        """Run the session."""
        known = {facts.name for facts in self.inputs}
        if set(inputs) != known:
            raise RequestError(400, f"this model takes the inputs {sorted(known)}, and got {sorted(inputs)}")
        try:
            answers = self._session.run(list(outputs), dict(inputs))
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors share no base class
            raise RequestError(400, str(error).partition("\n")[0]) from None
        return dict(zip(outputs, answers, strict=True))


def _onnx_facts(node: Any) -> TensorFacts:
    element = node.type.removeprefix("tensor(").removesuffix(")")
    shape = [size if isinstance(size, int) else -1 for size in node.shape]
    return TensorFacts(node.name, _ONNX_TYPES.get(element, "BYTES"), shape)
