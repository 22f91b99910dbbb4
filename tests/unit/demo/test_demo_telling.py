"""What the demo writes: manifests that load, a story in plain lines, and a golden file that the checks can read."""

from pathlib import Path
from typing import Any

import pytest

from longshore.backends import golden
from longshore.demo import manifests
from longshore.demo.classifiers import MIXED_UP, RECIPES, Classifier, train
from longshore.demo.digits import GOLDEN, label_of, questions, split, write_golden
from longshore.demo.narrator import Events, Narrator
from longshore.demo.places import LOCAL, PLACES, Place
from longshore.spec.documents import Deployment, ModelVersion
from longshore.spec.loading import load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home that YAML and URIs have to take care with."""
    folder = tmp_path / "a home: with #1 'quotes'"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_its_manifests_load_wherever_the_home_is(folder: Path, place: Place) -> None:
    artifact = folder / "digits-1.joblib"
    classifier = Classifier("1", "logistic regression", artifact, f"sha256:{'0' * 64}", 0.95)

    files = [
        manifests.write_target(place, folder),
        manifests.write_version(place, folder, classifier),
        manifests.write_deployment(place, folder, "1", folder / "golden.jsonl"),
    ]
    documents = [item.document for item in load([str(file) for file in files])]

    version, deployment = documents[1:]
    assert isinstance(version, ModelVersion)
    assert isinstance(deployment, Deployment)
    if place is LOCAL:
        assert version.spec.artifact.uri == artifact.as_uri()
        assert "$(MODEL_PATH)" in version.spec.server.command
    else:
        assert version.spec.artifact.uri == f"s3://{place.bucket}/digits-1.joblib"
        assert version.spec.server.image
    assert deployment.spec.copies + deployment.spec.rollout.batch_copies(deployment.spec.copies) < 6


def test_the_golden_requests_are_known_to_be_answered_by_their_labels(folder: Path) -> None:
    pictures = split()
    file = folder / "golden.jsonl"

    write_golden(file, LOCAL.infer, pictures.golden)

    requests = golden.load(file.as_uri())
    assert [label_of(request.expect) for request in requests] == pictures.golden.labels.tolist()
    assert len(requests) == GOLDEN
    assert len(questions(pictures.traffic)) == len(pictures.held_out.labels) - GOLDEN


def test_the_third_classifier_is_good_only_by_its_own_labels(folder: Path) -> None:
    pictures = split()
    good, better, bad = (train(recipe, pictures, folder) for recipe in RECIPES)

    assert 0.9 < good.accuracy < better.accuracy
    assert bad.accuracy > good.accuracy, "as it would look on paper"
    share = sum(label in MIXED_UP for label in pictures.held_out.labels.tolist()) / len(pictures.held_out.labels)
    assert share > 0.3, "so many digits are taken for others"
    assert train(RECIPES[2], pictures, folder) == bad, "the same artifact every time, for versions are immutable"


@pytest.mark.parametrize("answer", [None, [], {}, {"outputs": []}, {"outputs": [{"data": ["?"]}]}, {"error": "no"}])
def test_an_answer_without_a_digit_names_none(answer: Any) -> None:
    assert label_of(answer) is None


def event(kind: str, message: str, batch: int | None = 1, **evidence: Any) -> dict[str, Any]:
    return {"type": kind, "message": message, "batch": batch, **evidence}


def test_events_are_told_as_lines_and_checks_that_passed_as_one(capfd: pytest.CaptureFixture[str]) -> None:
    events = Events(Narrator())

    events.tell(event("RolloutStarted", "from version 1 to 2", None))
    events.tell(event("TrafficShifted", "batch 1: 25%", weights={"1": 75, "2": 25}))
    events.tell(event("CheckPassed", "error-rate 0 of 50 requests, wanted ≤ 0.01", check="errors", baseline=None))
    events.tell(event("CheckPassed", "latency-p99 9.5 of 50 requests, baseline 8", check="slow", baseline=8.0))
    events.tell(event("BatchDone", "1 of 4 copies are new"))
    events.tell(event("CopyLost", "copy [7] of {2} is gone", None))

    lines = [line[8:].strip() for line in capfd.readouterr().err.splitlines()]
    assert lines == [
        "batch 1: traffic goes 75% to version 1 and 25% to version 2",
        "✓ batch 1: checks passed: errors (error-rate 0), slow (latency-p99 9.5, baseline 8)",
        "✓ batch 1: done, 1 of 4 copies are new",
        "✗ CopyLost: copy [7] of {2} is gone",
    ]
