"""What a target cannot serve is known before anything is tried, with the field and the cure."""

from typing import Any

import pytest

from longshore.planning.servable import unservable
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec

DIGEST = "sha256:" + "0" * 64
ROLE = "arn:aws:iam::123456789012:role/serve"
SHARED = TargetSpec.model_validate(
    {"backend": "sagemaker", "sagemaker": {"region": "eu-central-1", "endpoint": "fleet"}},
)
MADE = TargetSpec.model_validate(
    {"backend": "sagemaker", "sagemaker": {"region": "eu-central-1", "endpoint": "fleet", "executionRole": ROLE}},
)
LOCAL = TargetSpec(backend="local")


def spec(**changes: Any) -> ModelVersionSpec:
    values: dict[str, Any] = {
        "artifact": {"uri": "s3://models/m.tar.gz", "digest": DIGEST},
        "server": {"image": "serve:1"},
        "resources": {"memoryGiB": 4},
    }
    return ModelVersionSpec.model_validate(values | changes)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"server": {"command": ["serve"]}}, "spec.server.image"),
        ({"artifact": {"uri": "file:///m.tar.gz", "digest": DIGEST}}, "spec.artifact.uri"),
        ({"resources": {"accelerators": 1}}, "spec.resources.memoryGiB"),
        ({"server": {"image": "serve:1", "secretRef": "key"}}, "spec.server.secretRef"),
        ({"server": {"image": "serve:1", "smoke": {"path": "/v2/health/live"}}}, "spec.server.smoke"),
        (
            {
                "artifact": {"uri": "s3://models/lora/", "digest": DIGEST},
                "sagemaker": {"adapterOf": {"deployment": "base"}},
            },
            "spec.artifact.uri",
        ),
    ],
)
def test_a_version_that_sagemaker_cannot_serve_is_told_with_its_field(changes: dict[str, Any], field: str) -> None:
    found = unservable(spec(**changes), MADE)
    assert found is not None
    assert found[0] == field


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"server": {"image": "serve:1", "smoke": {"path": "/invocations", "method": "POST"}}},
        {"server": {"command": ["serve"], "image": "serve:1"}},
        {"resources": {}, "server": {"command": ["unused"]}, "sagemaker": {"adapterOf": {"deployment": "base"}}},
    ],
    ids=["an image", "with a smoke test that it passes on", "that runs elsewhere, too", "an adapter"],
)
def test_one_that_it_can_is_not(changes: dict[str, Any]) -> None:
    assert unservable(spec(**changes), SHARED) is None


def test_what_is_no_archive_needs_a_role_to_fetch_it_with() -> None:
    single = spec(artifact={"uri": "s3://models/m.joblib", "digest": DIGEST})
    found = unservable(single, SHARED)
    assert found is not None
    assert "executionRole" in found[1]
    assert unservable(single, MADE) is None


def test_this_machine_needs_a_command() -> None:
    found = unservable(spec(), LOCAL)
    assert found is not None
    assert found[0] == "spec.server.command"
    assert unservable(spec(server={"command": ["serve"]}), LOCAL) is None
