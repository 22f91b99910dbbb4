"""What others made or changed on an endpoint, on the emulator: listed, said as a version, and taken over as it is."""

from collections import Counter
from typing import Any

import pytest
from aws_examples import version_spec
from aws_fleet import BUCKET, ROLE, Fleet, states

from longshore.backends.inventory import Adoption, Found, Inventory
from longshore.backends.port import BackendError
from longshore.backends.sagemaker.client import Aws
from longshore.planning.fence import Fence, FenceRefusedError
from longshore.spec.model_version import ModelVersionSpec

CHANGES = {"CreateInferenceComponent", "UpdateInferenceComponent", "UpdateInferenceComponentRuntimeConfig"}
"""Calls that move something."""


async def stranger(fleet: Fleet, name: str = "Theirs", **changes: Any) -> None:
    """A person makes a component of two copies, without us."""
    await fleet.upload()
    container = {"Image": "serve:1", "ArtifactUrl": f"s3://{BUCKET}/search-1.tar.gz", "Environment": {"LANG": "C"}}
    compute = {"NumberOfAcceleratorDevicesRequired": 1.0, "MinMemoryRequiredInMb": 2048}
    specification = {"Container": container, "ComputeResourceRequirements": compute} | changes
    fleet.boto.create_inference_component(
        InferenceComponentName=name,
        EndpointName="fleet",
        VariantName="AllTraffic",
        Specification=specification,
        RuntimeConfig={"CopyCount": 2},
    )
    fleet.clock.advance(3600)


async def found(fleet: Fleet) -> dict[str, Found]:
    """Component → what is said of it; asked of a process that knows nothing yet, as people's questions are."""
    return {one.component: one for one in await fleet.another_worker().components()}


async def adoption(fleet: Fleet, component: str, version: str = "1", **changes: Any) -> Adoption:
    fleet.steps += 1
    values = {
        "deployment": "search",
        "model": "search",
        "version": version,
        "copies": (await found(fleet))[component].copies,
        "component": component,
        "spec": version_spec(),
        "fence": Fence(operation=1, step=fleet.steps),
    }
    return Adoption.model_validate(values | changes)


async def imported(fleet: Fleet, name: str = "Theirs") -> ModelVersionSpec:
    spec = await fleet.backend.examine(name, None)
    await fleet.backend.accept(await adoption(fleet, name, spec=spec))
    return spec


async def test_the_backend_has_an_inventory(fleet: Fleet) -> None:
    assert isinstance(fleet.backend, Inventory)


async def test_everything_on_the_endpoint_is_listed_with_whose_it_is(fleet: Fleet) -> None:
    await fleet.settled(1)
    await stranger(fleet)
    await stranger(fleet, "Another")
    arn = fleet.components()["Another"]["InferenceComponentArn"]
    fleet.boto.add_tags(ResourceArn=arn, Tags=[{"Key": "longshore:installation", "Value": "zzzzzzzzzz"}])

    listed = await found(fleet)

    (ours,) = (one for one in listed.values() if one.ours)
    assert (ours.deployment, ours.version, ours.copies, ours.ready, ours.changed) == ("search", "1", 1, 1, False)
    theirs, another = listed["Theirs"], listed["Another"]
    assert (theirs.ours, theirs.copies, theirs.ready, theirs.obstacle) == (False, 2, 2, None)
    assert another.installation == "zzzzzzzzzz"
    assert "another Longshore" in (another.obstacle or "")


async def test_a_component_is_said_as_a_version_with_the_digest_that_s3_has(fleet: Fleet) -> None:
    await stranger(fleet)
    said = await fleet.backend.examine("Theirs", None)
    uploaded = await fleet.upload()
    assert said.artifact == uploaded.artifact
    assert (said.server.image, said.server.env) == ("serve:1", {"LANG": "C"})
    assert (said.resources.accelerators, said.resources.memory_gib) == (1, 2.0)


async def test_a_component_of_a_model_object_is_said_by_that(fleet: Fleet) -> None:
    await fleet.upload("plain/model.bin")
    source = {"S3Uri": f"s3://{BUCKET}/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    fleet.boto.create_model(
        ModelName="their-model",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "serve:2", "ModelDataSource": {"S3DataSource": source}, "Environment": {}},
    )
    compute = {"NumberOfAcceleratorDevicesRequired": 1.0, "MinMemoryRequiredInMb": 1024}
    fleet.boto.create_inference_component(
        InferenceComponentName="Theirs",
        EndpointName="fleet",
        VariantName="AllTraffic",
        Specification={"ModelName": "their-model", "ComputeResourceRequirements": compute},
        RuntimeConfig={"CopyCount": 1},
    )
    fleet.clock.advance(3600)

    spec = await imported(fleet)

    assert (spec.server.image, spec.artifact.uri) == ("serve:2", f"s3://{BUCKET}/plain/")
    assert states(await fleet.later()) == {"ready": 1}
    await fleet.settled(0)
    assert fleet.components() == {}
    assert fleet.boto.describe_model(ModelName="their-model")["ModelName"] == "their-model"


async def test_a_component_without_an_artifact_cannot_be_taken_over(fleet: Fleet) -> None:
    await stranger(fleet, Container={"Image": "serve:1"})
    with pytest.raises(BackendError, match="no artifact on S3") as error:
        await fleet.backend.examine("Theirs", None)
    assert error.value.reason == "CannotBeTaken"


async def test_an_import_keeps_name_and_copies_and_moves_nothing(fleet: Fleet, calls: Counter[str]) -> None:
    await stranger(fleet)
    before = fleet.components()["Theirs"]["LastModifiedTime"]

    await imported(fleet)

    seen = await fleet.later()
    assert states(seen) == {"ready": 2}
    assert {(copy.deployment, copy.version) for copy in seen.copies} == {("search", "1")}
    assert seen.differences == ()
    (way,) = seen.upstreams
    assert way.headers == {"X-Amzn-SageMaker-Inference-Component": "Theirs"}
    assert CHANGES.isdisjoint(calls)
    (component,) = fleet.components().values()
    assert component["LastModifiedTime"] == before
    tags = fleet.boto.list_tags(ResourceArn=component["InferenceComponentArn"])["Tags"]
    assert {"Key": "longshore:deployment", "Value": "search"} in tags


async def test_what_was_imported_is_brought_to_levels_like_our_own(fleet: Fleet) -> None:
    await stranger(fleet)
    await imported(fleet)
    assert states(await fleet.settled(3)) == {"ready": 3}
    await fleet.settled(0)
    assert fleet.components() == {}
    assert await fleet.store.notes("fleet").pages() == {}


async def test_accepting_twice_is_accepting_once_and_an_older_step_is_refused(fleet: Fleet) -> None:
    await stranger(fleet)
    accepted = await adoption(fleet, "Theirs", spec=await fleet.backend.examine("Theirs", None))
    await fleet.backend.accept(accepted)
    await fleet.another_worker().accept(accepted)
    assert states(await fleet.later()) == {"ready": 2}
    late = accepted.model_copy(update={"fence": Fence(operation=0, step=1)})
    with pytest.raises(FenceRefusedError):
        await fleet.backend.accept(late)


@pytest.mark.parametrize("cut_off", ["ListTags", "AddTags"])
async def test_whoever_dies_in_the_middle_of_an_import_leaves_it_to_the_next(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    await stranger(fleet)
    accepted = await adoption(fleet, "Theirs", spec=await fleet.backend.examine("Theirs", None))
    call = Aws._call

    def dying(self: Aws, service: str, operation: str, *more: Any) -> dict[str, Any]:
        answer = call(self, service, operation, *more)
        if operation == cut_off:
            raise ConnectionError("the worker died")
        return answer

    with monkeypatch.context() as while_dying:
        while_dying.setattr(Aws, "_call", dying)
        with pytest.raises(ConnectionError):
            await fleet.backend.accept(accepted)
    await fleet.another_worker().accept(accepted)
    assert states(await fleet.later()) == {"ready": 2}
    assert list(await fleet.store.notes("fleet").pages()) == [("search", "1")]


async def test_another_number_of_copies_is_adopted(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    fleet.boto.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
    )
    assert [one.found for one in (await fleet.later()).differences] == ["3"]

    await fleet.backend.accept(await adoption(fleet, name, before="1"))

    seen = await fleet.later()
    assert (states(seen), seen.differences) == ({"ready": 3}, ())


async def test_another_specification_is_adopted_as_a_version_of_its_own(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    await fleet.upload()
    changed = {"Image": "serve:9", "ArtifactUrl": f"s3://{BUCKET}/search-1.tar.gz", "Environment": {}}
    compute = {"NumberOfAcceleratorDevicesRequired": 1.0, "MinMemoryRequiredInMb": 4096}
    fleet.boto.update_inference_component(
        InferenceComponentName=name,
        Specification={"Container": changed, "ComputeResourceRequirements": compute},
    )
    await fleet.later()
    assert (await found(fleet))[name].changed

    spec = await fleet.backend.examine(name, version_spec())
    assert spec.server.image == "serve:9"
    assert spec.server.smoke == version_spec().server.smoke
    await fleet.backend.accept(await adoption(fleet, name, "2", before="1", spec=spec))

    seen = await fleet.later()
    assert (states(seen, "2"), seen.differences) == ({"ready": 2}, ())
    assert list(await fleet.store.notes("fleet").pages()) == [("search", "2")]
    assert list(fleet.components()) == [name]


async def test_a_component_that_was_deleted_is_adopted_as_none(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    fleet.boto.delete_inference_component(InferenceComponentName=name)
    assert [one.what for one in (await fleet.later()).differences] == ["deleted"]
    assert (await found(fleet))[name].gone

    await fleet.backend.accept(await adoption(fleet, name, before="1", copies=0))

    seen = await fleet.later()
    assert (seen.copies, seen.differences) == ((), ())
    assert states(await fleet.settled(1)) == {"ready": 1}


async def test_what_changed_again_since_it_was_looked_at_is_not_adopted(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    looked_at = await adoption(fleet, name, before="1", copies=3)
    with pytest.raises(BackendError) as error:
        await fleet.backend.accept(looked_at)
    assert (error.value.reason, error.value.retryable) == ("ChangedMeanwhile", False)
    assert (await fleet.later()).differences == ()


async def test_what_is_anothers_is_not_taken_over(fleet: Fleet) -> None:
    await stranger(fleet)
    spec = await fleet.backend.examine("Theirs", None)
    arn = fleet.components()["Theirs"]["InferenceComponentArn"]
    fleet.boto.add_tags(ResourceArn=arn, Tags=[{"Key": "longshore:installation", "Value": "zzzzzzzzzz"}])
    with pytest.raises(BackendError) as error:
        await fleet.backend.accept(await adoption(fleet, "Theirs", spec=spec))
    assert error.value.reason == "TakenByAnother"


async def test_one_component_serves_one_deployment(fleet: Fleet) -> None:
    await stranger(fleet)
    spec = await imported(fleet)
    with pytest.raises(BackendError) as error:
        await fleet.backend.accept(await adoption(fleet, "Theirs", spec=spec, deployment="other"))
    assert error.value.reason == "TakenByAnother"
