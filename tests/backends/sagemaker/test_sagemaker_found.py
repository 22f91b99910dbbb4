"""A version's specification and back: what SageMaker describes says the version again."""

from typing import Any

import pytest
from aws_examples import DIGEST, NAMES, component, level, version_spec
from hypothesis import given
from hypothesis import strategies as st

from longshore.backends.port import BackendError
from longshore.backends.sagemaker.found import as_asked, obstacle, version_of
from longshore.backends.sagemaker.specification import _as_described, differences, model_object, specification
from longshore.spec.model_version import ModelVersionSpec

URIS = ["s3://m/a.tar.gz", "s3://m/prefix/", "s3://m/a.bin"]
NAME_VALUES = st.dictionaries(st.sampled_from(["LANG", "DTYPE", "WORKERS"]), st.sampled_from(["a", "b", "8"]))
SERVING = st.fixed_dictionaries(
    {},
    optional={
        "downloadTimeout": st.sampled_from(["1m", "10m"]),
        "startupTimeout": st.sampled_from(["2m", "1h"]),
        "placement": st.sampled_from(["spread", "binpack"]),
        "caching": st.booleans(),
        "maxMemoryGiB": st.sampled_from([8, 12.5]),
    },
)


@st.composite
def versions(draw: st.DrawFn) -> ModelVersionSpec:
    resources: dict[str, Any] = {"accelerators": draw(st.integers(0, 8)), "memoryGiB": draw(st.sampled_from([1, 2.5]))}
    if draw(st.booleans()):
        resources |= {"cpus": draw(st.sampled_from([1.0, 2.5])), "acceleratorMemoryGiB": 16}
    return version_spec(
        artifact={
            "uri": draw(st.sampled_from(["s3://m/a.tar.gz", "s3://m/prefix/", "s3://m/a.bin"])),
            "digest": DIGEST,
        },
        server={"image": draw(st.sampled_from(["serve:1", "serve:2"])), "env": draw(NAME_VALUES)},
        resources=resources,
        sagemaker=draw(SERVING) or None,
        evaluation={"accuracy": 0.9},
    )


@given(versions())
def test_what_a_version_became_says_the_same_version(spec: ModelVersionSpec) -> None:
    wanted = specification(NAMES, level(1, spec=spec), None)
    model = model_object(NAMES, level(1, spec=spec), "role") if "ModelName" in wanted else None
    found = component(specification=_as_described(wanted))
    assert version_of(found, model, DIGEST, base=spec) == spec
    assert differences("search", "1", as_asked(found.specification), found.specification) == ()


@given(versions(), versions())
def test_without_a_base_all_that_sagemaker_knows_is_said(spec: ModelVersionSpec, other: ModelVersionSpec) -> None:
    wanted = specification(NAMES, level(1, spec=spec), None)
    model = model_object(NAMES, level(1, spec=spec), "role") if "ModelName" in wanted else None
    found = component(specification=_as_described(wanted))
    alone, based = version_of(found, model, DIGEST), version_of(found, model, DIGEST, base=other)
    for said in (alone, based):
        assert (said.artifact, said.sagemaker) == (spec.artifact, spec.sagemaker)
        assert (said.server.image, said.server.env) == (spec.server.image, spec.server.env)
        assert (said.resources.accelerators, said.resources.cpus) == (spec.resources.accelerators, spec.resources.cpus)
    assert based.evaluation == (other.evaluation if spec.artifact == other.artifact else {})


COMPUTE = {"ComputeResourceRequirements": {"NumberOfAcceleratorDevicesRequired": 1.0}}
OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "one that is being changed": ({"status": "Updating", "specification": COMPUTE}, "wait for that"),
    "one that failed": ({"status": "Failed", "failure": "no such image", "specification": COMPUTE}, "no such image"),
    "an adapter": ({"specification": {"BaseInferenceComponentName": "base"}}, "sagemaker.adapterOf"),
    "one that differs by instance type": ({"specification": {}}, "differs by instance type"),
    "a part of an accelerator": (
        {"specification": {"ComputeResourceRequirements": {"NumberOfAcceleratorDevicesRequired": 0.5}}},
        "only whole ones",
    ),
}


@pytest.mark.parametrize(("changes", "says"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_what_no_version_can_say_is_said_to_be_in_the_way(changes: dict[str, Any], says: str) -> None:
    assert says in (obstacle(component(**changes)) or "")


def test_nothing_is_in_the_way_of_a_plain_component() -> None:
    assert obstacle(component(specification=COMPUTE)) is None


def test_a_model_of_several_containers_cannot_be_said() -> None:
    pipeline = {"Containers": [{"Image": "a"}, {"Image": "b"}]}
    with pytest.raises(BackendError, match="a package or a pipeline"):
        version_of(component(specification={"ModelName": "pipeline"}), pipeline, DIGEST)
