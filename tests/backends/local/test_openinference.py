"""The shipped server: the protocol, the models, and the process."""

import asyncio
import base64
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from machine import PATIENCE, Machine, eventually, ready
from sklearn.linear_model import LinearRegression, LogisticRegression

from longshore.backends.local.artifact import digest_of
from longshore.backends.local.openinference.models import ModelError, load, only_model
from longshore.backends.local.openinference.protocol import Service
from longshore.backends.local.openinference.tensors import RequestError, decode, encode

DOUBLES_ITS_INPUT = base64.b64decode(
    "CAg6VQoQCgF4CgN0d28SAXkiA011bBIGZG91YmxlKg0QASIEAAAAQEIDdHdvWhQKAXgSDwoNCAESCQoDEgFuCgIIAmIUCgF5Eg8KDQgBEgkKAxIB"
    "bgoCCAJCBAoAEA0="
)
"""An ONNX model of one node, y = 2x, for float[n, 2]."""


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says whether the first number is above zero."""
    rows = np.array([[-2.0, 0], [-1, 1], [1, 0], [2, 1]])
    path = tmp_path_factory.mktemp("models") / "sign.joblib"
    joblib.dump(LogisticRegression(C=100).fit(rows, ["below", "below", "above", "above"]), path)
    return path


@pytest.fixture(scope="module")
def service(classifier: Path) -> Service:
    return Service(load(classifier, digest_of(classifier)), "sign", "2")


def rows(*data: Any, shape: list[int] | None = None, datatype: str = "FP64") -> dict[str, Any]:
    return {"name": "rows", "shape": shape or [len(data) // 2, 2], "datatype": datatype, "data": list(data)}


def infer(service: Service, request: Any, path: str = "/v2/models/sign/infer") -> tuple[int, dict[str, Any]]:
    return service.answer("POST", path, json.dumps(request).encode())


def test_it_is_asked_by_sagemaker_as_containers_are(service: Service) -> None:
    """`GET /ping`, `POST /invocations`: the same inference, without the model's name in the path."""
    assert service.answer("GET", "/ping", b"")[0] == 200
    request = {"inputs": [rows(3.0, 0.0)]}
    assert infer(service, request, "/invocations") == infer(service, request)
    assert service.answer("GET", "/invocations", b"")[0] == 405
    assert service.answer("POST", "/ping", b"")[0] == 405


def test_the_only_model_of_a_folder_is_found_and_several_are_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(ModelError, match="holds nothing"):
        only_model(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "digits.joblib").touch()
    assert only_model(tmp_path) == tmp_path / "deep" / "digits.joblib"
    (tmp_path / "other.onnx").touch()
    with pytest.raises(ModelError, match=r"digits\.joblib, other\.onnx"):
        only_model(tmp_path)


def test_health_and_metadata_are_as_the_protocol_has_them(service: Service) -> None:
    def get(path: str) -> dict[str, Any]:
        status, answer = service.answer("GET", path, b"")
        assert status == 200
        return answer

    assert get("/v2/health/live") == {"live": True}
    assert get("/v2/health/ready") == {"live": True, "ready": True}
    assert get("/v2").keys() == {"name", "version", "extensions"}
    assert get("/v2/models/sign/ready") == {"name": "sign", "ready": True}
    assert get("/v2/models/sign/versions/2/ready") == {"name": "sign", "ready": True}
    assert get("/v2/models/sign") == get("/v2/models/sign/versions/2") == {
        "name": "sign",
        "versions": ["2"],
        "platform": "sklearn",
        "inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 2]}],
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }  # fmt: skip


def test_an_inference_answers_all_outputs_or_those_asked_for_and_returns_the_id(service: Service) -> None:
    status, answer = infer(service, {"id": "42", "inputs": [rows(-3.0, 0, 3.0, 0)]})
    assert status == 200
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("sign", "2", "42")
    predicted, likely = answer["outputs"]
    assert predicted == {"name": "predict", "datatype": "BYTES", "shape": [2], "data": ["below", "above"]}
    assert (likely["name"], likely["shape"], len(likely["data"])) == ("predict_proba", [2, 2], 4)

    asked = {"inputs": [rows(3.0, 0)], "outputs": [{"name": "predict"}]}
    status, answer = infer(service, asked, "/v2/models/sign/versions/2/infer")
    assert (status, [output["name"] for output in answer["outputs"]]) == (200, ["predict"])
    assert "id" not in answer


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param([], "not a JSON object", id="a list"),
        pytest.param({}, "at least one tensor", id="no inputs"),
        pytest.param({"inputs": ["x"]}, "at least one tensor", id="an input that is none"),
        pytest.param({"inputs": [{"shape": [1], "datatype": "FP64", "data": [1]}]}, "name", id="no name"),
        pytest.param({"inputs": [rows(1.0, 2, shape=[1, -2])]}, "whole numbers", id="a negative size"),
        pytest.param({"inputs": [rows(1.0, 2, datatype="FP12")]}, "FP12", id="no such datatype"),
        pytest.param({"inputs": [rows(1.0, 2, shape=[2, 2])]}, "4 elements, data 2", id="data of another size"),
        pytest.param({"inputs": [rows("1", "2")]}, "not all FP64", id="text for numbers"),
        pytest.param({"inputs": [rows(None, 2)]}, "not all FP64", id="nothing for a number"),
        pytest.param({"inputs": [rows(1.5, 2, datatype="INT64")]}, "not all INT64", id="a fraction for a whole number"),
        pytest.param({"inputs": [rows(300, 2, datatype="UINT8")]}, "do not fit", id="a number too large"),
        pytest.param({"inputs": [rows(2**70, 2, datatype="UINT64")]}, "do not fit", id="a number larger than all"),
        pytest.param({"inputs": [rows(1e39, 2, datatype="FP32")]}, "do not fit", id="a number that would be infinite"),
        pytest.param({"inputs": [rows([1.0, 2], [3.0])]}, "differ in length", id="ragged rows"),
        pytest.param({"inputs": [rows(1.0, 2, 3, shape=[1, 3])]}, "3 features", id="rows of another width"),
        pytest.param({"inputs": [rows(1.0, 2)], "outputs": [{"name": "z"}]}, "no output 'z'", id="no such output"),
        pytest.param({"inputs": [rows(1.0, 2), rows(1.0, 2)]}, "the same name", id="one name twice"),
    ],
)
def test_a_bad_request_is_answered_400_with_the_reason(service: Service, request_: Any, message: str) -> None:
    status, answer = infer(service, request_)
    assert (status, answer.keys()) == (400, {"error"})
    assert message in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/sign/versions/1", 404),
        ("GET", "/v2/models/sign/versions", 404),
        ("GET", "/v2/models/sign/explain", 404),
        ("GET", "/v2/models/sign/infer", 405),
        ("POST", "/v2/health/live", 405),
        ("POST", "/v2/models/sign/infer", 400),
    ],
)
def test_what_is_not_there_is_an_error_object(service: Service, method: str, path: str, status: int) -> None:
    answered, answer = service.answer(method, path, b"")
    assert (answered, answer.keys()) == (status, {"error"})


@given(
    hnp.arrays(st.sampled_from([np.int8, np.uint64, np.int64, np.float32, np.float64, np.bool_]), hnp.array_shapes())
)
def test_a_tensor_survives_the_wire(array: np.ndarray[Any, Any]) -> None:
    if array.dtype.kind == "f":
        array = np.nan_to_num(array)
    again = decode(json.loads(json.dumps(encode("x", array))))
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


def test_whole_numbers_of_any_size_are_kept_exactly_or_rounded_to_floats() -> None:
    large = [0, 2**63, 2**64 - 1]
    assert decode({"name": "x", "shape": [3], "datatype": "UINT64", "data": large}).tolist() == large
    assert decode({"name": "x", "shape": [1], "datatype": "FP64", "data": [2**70]}).tolist() == [float(2**70)]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_whatever_data_are_sent_the_tensor_is_decoded_or_refused(data: Any) -> None:
    for datatype in ("FP32", "INT8", "UINT64", "BOOL", "BYTES"):
        try:
            decode({"name": "x", "shape": [1], "datatype": datatype, "data": data})
        except RequestError as error:
            assert error.status == 400  # noqa: PT017 - both ends are right


def test_a_regressor_answers_numbers(tmp_path: Path) -> None:
    path = tmp_path / "line.pkl"
    path.write_bytes(pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])))
    line = Service(load(path, digest_of(path)), "line", "1")
    one = {"name": "x", "shape": [1, 1], "datatype": "INT64", "data": [[4]]}
    status, answer = infer(line, {"inputs": [one]}, "/v2/models/line/infer")
    assert (status, answer["outputs"][0]["data"]) == (200, [pytest.approx(9.0)])


def test_an_onnx_model_is_served_with_its_own_names(tmp_path: Path) -> None:
    path = tmp_path / "double.onnx"
    path.write_bytes(DOUBLES_ITS_INPUT)
    double = Service(load(path, None), "double", "1")
    _, facts = double.answer("GET", "/v2/models/double", b"")
    assert facts["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    x = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2.5]}
    status, answer = infer(double, {"inputs": [x]}, "/v2/models/double/infer")
    assert (status, answer["outputs"]) == (200, [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2, 5]}])
    for wrong in ({**x, "name": "z"}, {**x, "datatype": "FP64"}, {**x, "shape": [2, 1]}):
        assert infer(double, {"inputs": [wrong]}, "/v2/models/double/infer")[0] == 400


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_pickle_other_than_the_pinned_one_is_never_loaded(tmp_path: Path) -> None:
    path, trap = tmp_path / "m.joblib", tmp_path / "trapped"
    path.write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(ModelError, match="was pinned"):
        load(path, "sha256:" + "0" * 64)
    with pytest.raises(ModelError, match="can run code"):
        load(path, None)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.joblib", b"garbage", "cannot be loaded"),
        ("m.joblib", pickle.dumps({"no": "estimator"}), "cannot predict"),
        ("m.onnx", b"garbage", "cannot be loaded"),
        ("m.safetensors", b"", "models end in"),
    ],
)
def test_a_file_that_is_no_model_is_told_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load(path, digest_of(path))


def test_without_onnxruntime_the_process_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "double.onnx"
    path.write_bytes(DOUBLES_ITS_INPUT)
    program = (
        "import sys; sys.modules['onnxruntime'] = None\nfrom longshore.backends.local.openinference import main; main()"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, "--model", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.returncode == 1
    assert told.stderr == f"longshore-serve: {path} needs onnxruntime: install longshore[onnx]\n"


class Patient:
    """A model that notes when it is asked, and answers once it is let."""

    def __init__(self, folder: Path) -> None:
        self.asked, self.let = folder / "asked", folder / "let"

    def predict(self, rows: Any) -> Any:
        if len(rows) > 1:  # not the server's own first call
            self.asked.touch()
            give_up = time.monotonic() + PATIENCE
            while not self.let.exists() and time.monotonic() < give_up:
                time.sleep(0.01)
        return np.zeros(len(rows))


@pytest.fixture
def patient_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Patient]]:
    """A server process of a patient model, its address, and the model."""
    path, model = tmp_path / "patient.joblib", Patient(tmp_path)
    joblib.dump(model, path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PORT": str(port), "MODEL_PATH": str(path)}
    environment |= {"LONGSHORE_MODEL_DIGEST": digest_of(path), "MODEL_NAME": "patient"}
    server = subprocess.Popen(
        [sys.executable, "-c", "from longshore.backends.local.openinference import main; main()"], env=environment
    )
    yield server, f"http://127.0.0.1:{port}", model
    server.kill()
    server.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


async def test_sigterm_lets_the_request_in_flight_finish_and_probes_are_answered_beside_it(
    patient_server: tuple[subprocess.Popen[bytes], str, Patient],
) -> None:
    server, address, model = patient_server
    live = f"{address}/v2/health/live"
    await eventually(lambda: answers(live), "the server to be ready")
    request = {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1.0, 2.0]}]}
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        answering = asyncio.create_task(client.post(f"{address}/v2/models/patient/infer", json=request))
        await eventually(model.asked.exists, "the request to be in flight")
        assert answers(live), "a probe does not wait behind a request"
        server.send_signal(signal.SIGTERM)
        await eventually(lambda: not answers(live), "the server to take no new requests")
        model.let.touch()
        answer = await answering
    assert (answer.status_code, answer.json()["outputs"][0]["data"]) == (200, [0.0, 0.0])
    await eventually(lambda: server.poll() is not None, "the server to end")


async def test_the_agent_serves_a_model_with_it(machine: Machine, classifier: Path) -> None:
    await machine.ensure(
        spec={"artifact": {"uri": classifier.as_uri(), "digest": digest_of(classifier)}},
        server={"command": ["longshore-serve", "--model", "$(MODEL_PATH)"]},
    )
    (copy,) = (await machine.until(ready(1))).copies
    request = {"inputs": [rows(3.0, 0)], "outputs": [{"name": "predict"}]}
    answer = await machine.backend.send(copy, "POST", "/v2/models/digits/versions/1/infer", request, 10)
    assert (answer.status, answer.json_body()["outputs"][0]["data"]) == (200, ["above"])
