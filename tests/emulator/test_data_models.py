"""Models out of S3, in the folder of the copy that serves them; asynchronous calls; adapters; the shipped server."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from botocore.exceptions import ClientError
from data_world import Town, until
from sklearn.linear_model import LogisticRegression

SERVE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/longshore-serve:0.3.0"


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    town = Town()
    with town.aws:
        town.client("s3").create_bucket(
            Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        town.endpoint()
        yield town


def put(town: Town, key: str, content: bytes) -> str:
    town.client("s3").put_object(Bucket="models", Key=key, Body=content)
    return f"s3://models/{key}"


def archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
        for name, to in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            file.addfile(entry)
    return buffer.getvalue()


def served(town: Town, name: str, **container: Any) -> dict[str, str]:
    """The files that a container finds in its model's folder."""
    town.model(name, **container)
    town.component(name, name)
    files: dict[str, str] = json.loads(town.invoke(name, b'"model"'))
    town.scale(name, 0)
    return files


def source(uri: str, kind: str, compression: str) -> dict[str, Any]:
    return {"ModelDataSource": {"S3DataSource": {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}}}


def test_an_archive_is_unpacked(town: Town) -> None:
    uri = put(town, "packed/model.tar.gz", archive({"weights.txt": b"42", "code/inference.py": b"pass"}))
    expected = {"weights.txt": "42", "code/inference.py": "pass"}
    assert served(town, "packed", ModelDataUrl=uri) == expected
    assert served(town, "packed-source", **source(uri, "S3Object", "Gzip")) == expected


def test_all_objects_under_a_prefix_are_brought_as_they_are(town: Town) -> None:
    for name in ("a.txt", "deep/b.txt"):
        put(town, f"plain/{name}", name.encode())
    assert served(town, "plain", **source("s3://models/plain/", "S3Prefix", "None")) == {
        "a.txt": "a.txt",
        "deep/b.txt": "deep/b.txt",
    }


@pytest.mark.parametrize(
    ("case", "content", "reason"),
    [
        ("away", None, "Failed to download model data"),
        ("no-archive", b"abc", "may be unpacked"),
        ("climbs", archive({"../climbed.txt": b"out"}), "may be unpacked"),
        ("links-out", archive({}, {"out": "/etc"}), "may be unpacked"),
    ],
    ids=["away", "no-archive", "climbs", "links-out"],
)
def test_a_copy_whose_model_cannot_be_had_fails(town: Town, case: str, content: bytes | None, reason: str) -> None:
    uri = f"s3://models/{case}/model.tar.gz" if content is None else put(town, f"{case}/model.tar.gz", content)
    town.model(case, ModelDataUrl=uri)
    town.sagemaker.create_inference_component(
        InferenceComponentName=case,
        EndpointName="fleet",
        VariantName="main",
        Specification={
            "ModelName": case,
            "ComputeResourceRequirements": {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 1024},
        },
        RuntimeConfig={"CopyCount": 1},
    )

    def failed() -> Any:
        found = town.sagemaker.describe_inference_component(InferenceComponentName=case)
        return found if found["InferenceComponentStatus"] == "Failed" else None

    assert reason in town.settle(failed)["FailureReason"]
    town.sagemaker.delete_inference_component(InferenceComponentName=case)
    town.settle(lambda: case not in town.aws.world.components)


def test_the_shipped_server_serves_a_model_of_the_demos_kind(town: Town, tmp_path: Path) -> None:
    """The image of `longshore-serve` knows its model by the pinned digest, which the container's environment holds."""
    rows = np.array([[-2.0, 0], [-1, 1], [1, 0], [2, 1]])
    path = tmp_path / "sign.joblib"
    joblib.dump(LogisticRegression(C=100).fit(rows, ["below", "below", "above", "above"]), path)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    uri = put(town, "sign/sign.joblib", path.read_bytes())
    environment = {"LONGSHORE_MODEL_DIGEST": digest, "MODEL_NAME": "sign", "MODEL_VERSION": "2"}
    town.model("sign", SERVE, Environment=environment, **source(uri, "S3Object", "None"))
    town.component("sign", "sign")
    question = {"inputs": [{"name": "rows", "shape": [2, 2], "datatype": "FP64", "data": [3.0, 0, -3, 1]}]}
    answer = json.loads(town.invoke("sign", json.dumps(question).encode(), ContentType="application/json"))
    assert (answer["model_name"], answer["model_version"]) == ("sign", "2")
    assert answer["outputs"][0]["data"] == ["above", "below"]
    with pytest.raises(ClientError, match=r"client error \(400\).*inputs is a list"):
        town.invoke("sign", b"{}")
    town.scale("sign", 0)


def test_an_adapter_is_served_by_the_copies_of_its_base(town: Town) -> None:
    uri = put(town, "adapter/adapter.tar.gz", archive({"adapter.bin": b"1"}))
    town.model("base")
    town.component("base", "base")
    town.sagemaker.create_inference_component(
        InferenceComponentName="tuned",
        EndpointName="fleet",
        Specification={"BaseInferenceComponentName": "base", "Container": {"ArtifactUrl": uri}},
    )

    def status() -> Any:
        found = town.sagemaker.describe_inference_component(InferenceComponentName="tuned")
        return found["InferenceComponentStatus"] == "InService"

    town.settle(status)
    headers = json.loads(town.invoke("tuned", b'"headers"'))
    assert headers["x-amzn-sagemaker-adapter-identifier"] == "tuned"
    assert "x-amzn-sagemaker-adapter-identifier" not in json.loads(town.invoke("base", b'"headers"'))


@pytest.fixture(scope="module")
def queued(town: Town) -> Town:
    """With an asynchronous endpoint."""
    town.model("later", Environment={"ANSWER": "later: "})
    output = {"S3OutputPath": "s3://models/out/", "S3FailurePath": "s3://models/failed"}
    town.endpoint("queued", ModelName="later", InitialVariantWeight=1.0, output={"OutputConfig": output})
    return town


def read(town: Town, uri: str) -> bytes | None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        content: bytes = town.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:
        return None
    return content


def test_an_asynchronous_call_finds_its_answer_in_s3(queued: Town) -> None:
    answer = queued.runtime.invoke_endpoint_async(
        EndpointName="queued", InputLocation=put(queued, "in/question", b"when?"), InferenceId="first"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["InferenceId"] == "first"
    assert answer["OutputLocation"] == "s3://models/out/first.out"
    assert until(lambda: read(queued, answer["OutputLocation"])) == b"later: when?"


def test_what_goes_wrong_with_an_asynchronous_call_is_told_in_s3(queued: Town) -> None:
    wrong = put(queued, "in/wrong", b'{"status": 500}')
    for location, told in ((wrong, "server error (500)"), ("s3://models/in/away", "cannot be read")):
        answer = queued.runtime.invoke_endpoint_async(EndpointName="queued", InputLocation=location)
        failure = until(lambda answer=answer: read(queued, answer["FailureLocation"]))
        assert told in json.loads(failure)["failureReason"]
        assert read(queued, answer["OutputLocation"]) is None


def test_endpoints_are_called_as_what_they_are(queued: Town) -> None:
    with pytest.raises(ClientError, match="call InvokeEndpointAsync"):
        queued.invoke(None, endpoint="queued")
    queued.endpoint("classic", ModelName="later", InitialVariantWeight=1.0)
    with pytest.raises(ClientError, match="is not asynchronous"):
        queued.runtime.invoke_endpoint_async(EndpointName="classic", InputLocation="s3://models/in/question")


def test_a_classic_endpoint_serves_by_its_variants(queued: Town) -> None:
    queued.model("other", Environment={"ANSWER": "other: "})
    variants = [
        {"VariantName": name, "ModelName": model, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1, **weight}
        for name, model, weight in (
            ("main", "later", {"InitialVariantWeight": 3.0}),
            ("side", "other", {"InitialVariantWeight": 1.0}),
        )
    ]
    queued.sagemaker.create_endpoint_config(EndpointConfigName="two", ProductionVariants=variants)
    queued.sagemaker.create_endpoint(EndpointName="two", EndpointConfigName="two")
    queued.settle(lambda: queued.sagemaker.describe_endpoint(EndpointName="two")["EndpointStatus"] == "InService")
    answers = [queued.runtime.invoke_endpoint(EndpointName="two", Body=b"?") for _ in range(80)]
    by_variant = [answer["InvokedProductionVariant"] for answer in answers]
    assert 5 <= by_variant.count("side") <= 40
    for answer, variant in zip(answers, by_variant, strict=True):
        assert answer["Body"].read() == (b"later: ?" if variant == "main" else b"other: ?")
    assert queued.invoke(None, b"?", endpoint="two", TargetVariant="side") == b"other: ?"
    with pytest.raises(ClientError, match="Variant third of endpoint two"):
        queued.invoke(None, endpoint="two", TargetVariant="third")
    with pytest.raises(ClientError, match="hosts no inference components"):
        queued.invoke("digits", endpoint="two")
