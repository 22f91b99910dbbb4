"""The adapter against the emulator: levels become components, and nothing is made twice or left behind."""

from collections import Counter
from typing import Any

import boto3
import pytest
from aws_examples import version_spec
from aws_fleet import BUCKET, REGION, Fleet, states

from longshore.backends.port import BackendError
from longshore.planning.fence import Fence, FenceRefusedError


async def test_a_version_has_one_component_whose_copies_become_ready(fleet: Fleet) -> None:
    assert states(await fleet.ensure(2)) == {"starting": 2}
    assert states(await fleet.later()) == {"ready": 2}
    assert fleet.counts() == [(2, 2)]


async def test_a_component_is_tagged_with_all_that_it_stands_for(fleet: Fleet) -> None:
    await fleet.ensure(1)
    ((name, component),) = fleet.components().items()
    tags = fleet.boto.list_tags(ResourceArn=component["InferenceComponentArn"])["Tags"]
    told = {tag["Key"]: tag["Value"] for tag in tags}
    installation = await fleet.store.notes("fleet").installation()
    assert told == {
        "longshore:installation": installation,
        "longshore:target": "fleet",
        "longshore:deployment": "search",
        "longshore:version": "1",
        "longshore:operation": "1",
    }
    assert name.startswith(f"ls-{installation}-search-1-")


async def test_copies_come_and_go_by_levels(fleet: Fleet) -> None:
    await fleet.settled(2)
    assert states(await fleet.ensure(3)) == {"ready": 2, "starting": 1}
    assert states(await fleet.later()) == {"ready": 3}
    assert states(await fleet.ensure(1, "drain")) == {"ready": 1, "draining": 2}
    assert states(await fleet.later()) == {"ready": 1, "draining": 2}
    assert fleet.counts() == [(3, 3)]
    assert states(await fleet.ensure(2, "drain")) == {"ready": 2, "draining": 1}
    await fleet.ensure(1, "end")
    assert states(await fleet.later()) == {"ready": 1}
    assert fleet.counts() == [(1, 1)]


async def test_two_versions_serve_beside_each_other_within_the_accelerators_there_are(fleet: Fleet) -> None:
    await fleet.settled(3, version="1")
    await fleet.settled(1, version="2")
    seen = await fleet.later()
    assert states(seen, "1") == {"ready": 3}
    assert states(seen, "2") == {"ready": 1}
    assert len({(copy.host, index) for copy in seen.copies for index in copy.accelerators}) == 4
    assert {host.name: host.obtainable for host in seen.hosts} == {"instance-1": False, "instance-2": True}


async def test_managed_scaling_starts_an_instance_for_copies_that_need_one(fleet: Fleet) -> None:
    await fleet.settled(4, version="1")
    seen = await fleet.settled(1, version="2")
    assert states(seen, "2") == {"ready": 1}
    assert [host.obtainable for host in seen.hosts] == [False, False]


async def test_nothing_is_left_of_a_version_that_ended(fleet: Fleet) -> None:
    spec = await fleet.upload("search-1.joblib", b"weights")
    before = everything(fleet)
    await fleet.settled(2, spec=spec)
    assert everything(fleet) != before
    seen = await fleet.ensure(0)
    assert states(seen) == {"ending": 2}
    await fleet.later()
    assert states(await fleet.later()) == {}
    assert everything(fleet) == before
    assert await fleet.store.notes("fleet").pages() == {}


def everything(fleet: Fleet) -> dict[str, list[str]]:
    return {
        "components": sorted(fleet.components()),
        "models": [one["ModelName"] for one in fleet.boto.list_models()["Models"]],
        "endpoints": [one["EndpointName"] for one in fleet.boto.list_endpoints()["Endpoints"]],
        "configs": [one["EndpointConfigName"] for one in fleet.boto.list_endpoint_configs()["EndpointConfigs"]],
    }


async def test_the_same_level_again_changes_nothing(fleet: Fleet, calls: Counter[str]) -> None:
    level = fleet.level(2)
    await fleet.backend.ensure(level)
    await fleet.backend.ensure(level)
    await fleet.another_worker().ensure(level)
    await fleet.later()
    await fleet.backend.ensure(level)
    assert (calls["CreateInferenceComponent"], calls["UpdateInferenceComponentRuntimeConfig"]) == (1, 0)
    assert fleet.counts() == [(2, 2)]


async def test_a_level_of_an_older_step_changes_nothing(fleet: Fleet) -> None:
    old = fleet.level(3)
    await fleet.settled(1)
    with pytest.raises(FenceRefusedError):
        await fleet.backend.ensure(old)
    older = fleet.level(3).model_copy(update={"fence": Fence(operation=0, step=99)})
    with pytest.raises(FenceRefusedError):
        await fleet.another_worker().ensure(older)
    await fleet.later()
    assert fleet.counts() == [(1, 1)]


async def test_a_change_while_another_is_under_way_is_asked_for_again_later(fleet: Fleet) -> None:
    await fleet.settled(1)
    await fleet.ensure(2)
    level = fleet.level(3)
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(level)
    assert (told.value.reason, told.value.retryable) == ("ComponentBusy", True)
    fleet.clock.advance(3600)
    await fleet.backend.ensure(level)
    assert states(await fleet.later()) == {"ready": 3}


async def test_a_batch_costs_no_more_calls_than_it_must(fleet: Fleet, calls: Counter[str]) -> None:
    await fleet.settled(3, version="1")
    calls.clear()
    await fleet.ensure(1, version="2")
    for _ in range(60):  # a minute of polling each second, by an operation and by the observer
        fleet.clock.advance(1)
        await fleet.backend.observe("search")
        await fleet.backend.observe()
    assert calls["CreateInferenceComponent"] == 1
    assert calls["ListInferenceComponents"] <= 6
    assert calls["DescribeEndpoint"] <= 7
    assert calls["DescribeInferenceComponent"] <= 1 + 60 // 2 + 2


async def test_a_fleet_where_nothing_moves_is_read_seldom(fleet: Fleet, calls: Counter[str]) -> None:
    await fleet.settled(2)
    calls.clear()
    for _ in range(120):
        fleet.clock.advance(1)
        await fleet.backend.observe()
    assert calls["ListInferenceComponents"] <= 12
    assert calls["DescribeInferenceComponent"] <= 3
    assert calls["DescribeEndpointConfig"] == 0


# -- what others do ------------------------------------------------------------------------------------------------


async def test_what_somebody_else_changed_is_told_and_left_alone_until_a_person_says_otherwise(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    fleet.boto.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
    )
    seen = await fleet.later()
    assert [(one.what, one.wanted, one.found) for one in seen.differences] == [("RuntimeConfig.CopyCount", "2", "3")]
    await fleet.settled(2)
    assert fleet.counts() == [(3, 3)]
    seen = await fleet.settled(2, take=True)
    assert fleet.counts() == [(2, 2)]
    assert seen.differences == ()


async def test_a_changed_specification_is_told_and_put_right_by_a_persons_word(fleet: Fleet) -> None:
    await fleet.settled(1)
    ((name, before),) = fleet.components().items()
    environment = before["Specification"]["Container"]["Environment"]
    container = {"Image": "other:9", "ArtifactUrl": "s3://models/search-1.tar.gz", "Environment": environment}
    needs = {"NumberOfAcceleratorDevicesRequired": 1, "MinMemoryRequiredInMb": 4096}
    fleet.boto.update_inference_component(
        InferenceComponentName=name,
        Specification={"Container": container, "ComputeResourceRequirements": needs},
        RuntimeConfig={"CopyCount": 1},
    )
    seen = await fleet.later()
    assert [(one.what, one.wanted, one.found) for one in seen.differences] == [
        ("Specification.Container.DeployedImage.SpecifiedImage", "serve:1", "other:9")
    ]
    seen = await fleet.settled(1, take=True)
    assert seen.differences == ()
    found = fleet.components()[name]["Specification"]["Container"]["DeployedImage"]["SpecifiedImage"]
    assert found == "serve:1"


async def test_a_deleted_component_is_told_and_made_again_by_a_persons_word(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    fleet.boto.delete_inference_component(InferenceComponentName=name)
    seen = await fleet.later()
    assert [(one.what, one.found) for one in seen.differences] == [("deleted", "gone")]
    await fleet.settled(2)
    assert fleet.components() == {}
    assert states(await fleet.settled(2, take=True)) == {"ready": 2}


async def test_a_change_by_somebody_else_is_seen_within_a_minute(fleet: Fleet) -> None:
    await fleet.settled(2)
    (name,) = fleet.components()
    await fleet.later()
    fleet.boto.update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": 3}
    )
    seen = await fleet.later(15)
    assert [one.what for one in seen.differences] == ["RuntimeConfig.CopyCount"]


async def test_a_component_of_our_name_that_is_not_ours_is_refused(fleet: Fleet) -> None:
    names = await fleet.backend.site.names()
    fleet.boto.create_inference_component(
        InferenceComponentName=names.component("search", "1"),
        EndpointName="fleet",
        VariantName="AllTraffic",
        Specification={
            "Container": {"Image": "x", "ArtifactUrl": "s3://models/x.tar.gz"},
            "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 1024},
        },
        RuntimeConfig={"CopyCount": 1},
    )
    with pytest.raises(BackendError, match="not search's") as told:
        await fleet.ensure(1)
    assert (told.value.reason, told.value.retryable) == ("NameTaken", False)


async def test_accelerators_of_strangers_on_the_endpoint_are_not_promised_to_anybody(fleet: Fleet) -> None:
    fleet.boto.create_inference_component(
        InferenceComponentName="theirs",
        EndpointName="fleet",
        VariantName="AllTraffic",
        Specification={
            "Container": {"Image": "x", "ArtifactUrl": "s3://models/x.tar.gz"},
            "ComputeResourceRequirements": {
                "MinMemoryRequiredInMb": 1024,
                "NumberOfAcceleratorDevicesRequired": 3,
            },
        },
        RuntimeConfig={"CopyCount": 1},
    )
    seen = await fleet.later()
    assert [host.accelerators for host in seen.hosts] == [1, 4]
    assert seen.copies == ()


# -- the platform's troubles ---------------------------------------------------------------------------------------


async def test_a_refused_instance_is_the_reason_of_the_copies_that_wait_for_it(fleet: Fleet) -> None:
    await fleet.settled(4, version="1")
    fleet.emulator.faults.set(capacity={"ml.g5.12xlarge": 1})
    await fleet.ensure(1, version="2")
    seen = await fleet.later()
    waiting = [copy for copy in seen.copies if copy.version == "2"]
    assert {(copy.state.value, copy.reason) for copy in waiting} == {("starting", "InsufficientCapacity")}
    assert waiting[0].message
    assert [host.up for host in seen.hosts if host.obtainable] == [False]
    # Taken back, the refusal is remembered for a while, and then forgotten.
    await fleet.ensure(0, version="2")
    seen = await fleet.later(120)
    assert states(seen, "2") == {}
    assert [host.up for host in seen.hosts if host.obtainable] == [False]
    assert [host.up for host in (await fleet.later(600)).hosts if host.obtainable] == [True]


async def test_a_container_that_never_gets_healthy_fails_its_copies_with_sagemakers_words(fleet: Fleet) -> None:
    fleet.emulator.faults.set(unhealthy=["serve:1"])
    seen = await fleet.settled(2)
    assert states(seen) == {"failed": 2}
    assert {copy.reason for copy in seen.copies} == {"ComponentFailed"}
    # Ended, mended and started anew, it serves: the same name, another component.
    await fleet.settled(0)
    fleet.emulator.faults.clear()
    assert states(await fleet.settled(2)) == {"ready": 2}


async def test_a_failed_component_is_made_anew_by_another_operation_and_not_by_the_one_it_failed_in(
    fleet: Fleet,
) -> None:
    fleet.emulator.faults.set(unhealthy=["serve:1"])
    assert states(await fleet.settled(2)) == {"failed": 2}
    before = fleet.components()
    fleet.emulator.faults.clear()
    assert states(await fleet.settled(2)) == {"failed": 2}
    assert fleet.components() == before
    # Another worker, that has read nothing yet, finds it as well.
    fleet.backend = fleet.another_worker()
    again = fleet.level(2, fence=Fence(operation=2, step=1))
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(again)
    assert (told.value.reason, told.value.retryable) == ("ComponentBusy", True)
    fleet.clock.advance(3600)
    await fleet.backend.ensure(again)
    assert states(await fleet.later()) == {"ready": 2}
    assert fleet.components().keys() == before.keys()


async def test_a_failed_component_that_was_mended_in_vain_fails_its_operation_again(fleet: Fleet) -> None:
    fleet.emulator.faults.set(unhealthy=["serve:1"])
    await fleet.settled(2)
    again = fleet.level(2, fence=Fence(operation=2, step=1))
    with pytest.raises(BackendError):
        await fleet.backend.ensure(again)
    fleet.clock.advance(3600)
    for step in (1, 2):
        await fleet.ensure(2, fence=Fence(operation=2, step=step))
        assert states(await fleet.later()) == {"failed": 2}
    assert fleet.counts() == [(2, 0)]


async def test_throttled_calls_are_tried_again_and_change_nothing_twice(fleet: Fleet) -> None:
    fleet.emulator.faults.set(throttle={"every": 1, "operations": ["CreateInferenceComponent"]})
    level = fleet.level(2)
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(level)
    assert (told.value.reason, told.value.retryable) == ("Throttled", True)
    fleet.emulator.faults.clear()
    await fleet.backend.ensure(level)
    assert states(await fleet.later()) == {"ready": 2}


async def test_yesterdays_descriptions_are_neither_drift_nor_a_step_back(fleet: Fleet) -> None:
    await fleet.settled(2)
    fleet.emulator.faults.set(stale_seconds=20)
    assert states(await fleet.ensure(3)) == {"ready": 2, "starting": 1}
    for _ in range(15):
        seen = await fleet.later(2)
        assert states(seen) in ({"ready": 2, "starting": 1}, {"ready": 3})
        assert seen.differences == ()
    assert states(await fleet.later()) == {"ready": 3}


async def test_a_component_that_is_stuck_is_given_up_as_soon_as_sagemaker_lets_go_of_it(fleet: Fleet) -> None:
    fleet.emulator.faults.set(stuck=["*"])
    assert states(await fleet.settled(2)) == {"starting": 2}
    level = fleet.level(0)
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(level)
    assert (told.value.reason, told.value.retryable) == ("ComponentBusy", True)
    fleet.emulator.faults.clear()
    fleet.emulator.world.touch()
    await fleet.later()
    await fleet.backend.ensure(level)
    await fleet.later()
    assert fleet.components() == {}


# -- adapters, models, requests ------------------------------------------------------------------------------------


async def test_an_adapter_is_loaded_into_the_component_of_its_base(fleet: Fleet) -> None:
    adapter = version_spec(sagemaker={"adapterOf": {"deployment": "search"}})
    alone = fleet.level(1, deployment="polite", model="polite", spec=adapter)
    with pytest.raises(BackendError) as told:
        await fleet.backend.ensure(alone)
    assert (told.value.reason, told.value.retryable) == ("BaseMissing", True)
    await fleet.settled(1)
    (base,) = fleet.components()
    await fleet.backend.ensure(alone)
    seen = await fleet.later()
    assert {copy.deployment: copy.state.value for copy in seen.copies} == {"search": "ready", "polite": "ready"}
    (made,) = [one for name, one in fleet.components().items() if name != base]
    assert made["Specification"]["BaseInferenceComponentName"] == base
    assert all(not copy.accelerators for copy in seen.copies if copy.deployment == "polite")


async def test_a_base_stays_until_the_adapters_in_it_are_gone(fleet: Fleet) -> None:
    adapter = version_spec(sagemaker={"adapterOf": {"deployment": "search"}})
    polite: dict[str, Any] = {"deployment": "polite", "model": "polite", "spec": adapter}
    await fleet.settled(1)
    await fleet.settled(1, **polite)
    await fleet.settled(1, version="2")
    await fleet.settled(0, "drain")
    gone = fleet.level(0)
    with pytest.raises(BackendError, match=r"polite 1; .*longshore delete polite") as told:
        await fleet.backend.ensure(gone)
    assert (told.value.reason, told.value.retryable) == ("AdaptersHangOnIt", True)
    assert states(await fleet.later(), "1") == {"draining": 1, "ready": 1}
    # The adapter's own next version is loaded into the base that serves by now; the old one goes.
    await fleet.settled(1, version="2", **polite)
    await fleet.settled(0, **polite)
    await fleet.backend.ensure(gone)
    seen = await fleet.later()
    assert {(copy.deployment, copy.version) for copy in seen.copies} == {("search", "2"), ("polite", "2")}


async def test_a_container_is_told_what_it_serves_and_its_version_may_say_otherwise(fleet: Fleet) -> None:
    spec = version_spec(server={"image": "serve:1", "env": {"MODEL_NAME": "mine"}})
    seen = await fleet.settled(1, spec=spec)
    (made,) = fleet.components().values()
    assert made["Specification"]["Container"]["Environment"] == {
        "MODEL_NAME": "mine",
        "MODEL_VERSION": "1",
        "LONGSHORE_MODEL_DIGEST": spec.artifact.digest,
    }
    assert (states(seen), seen.differences) == ({"ready": 1}, ())


async def test_a_verified_version_is_there_with_its_digest(fleet: Fleet) -> None:
    kept = await fleet.upload("kept.tar.gz", ChecksumAlgorithm="SHA256")
    read = await fleet.upload("read.tar.gz", b"x" * 20_000_000)
    for spec in (kept, read):
        await fleet.backend.verify("search", "1", spec)
    wrong = version_spec(artifact={"uri": kept.artifact.uri, "digest": "sha256:" + "1" * 64})
    missing = version_spec(artifact={"uri": f"s3://{BUCKET}/none.tar.gz", "digest": kept.artifact.digest})
    nowhere = version_spec(artifact={"uri": "s3://no-such-bucket/none.tar.gz", "digest": kept.artifact.digest})
    for spec, reason in ((wrong, "DigestMismatch"), (missing, "ArtifactMissing"), (nowhere, "ArtifactMissing")):
        with pytest.raises(BackendError) as told:
            await fleet.backend.verify("search", "1", spec)
        assert (told.value.reason, told.value.retryable) == (reason, False)


async def test_a_folder_has_the_digest_that_it_has_on_a_disk(fleet: Fleet, tmp_path: Any) -> None:
    from longshore.backends.local.artifact import digest_of

    for name, content in (("a.bin", b"a"), ("deep/b.bin", b"b" * 10)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        await fleet.upload(f"folder/{name}", content)
    spec = version_spec(artifact={"uri": f"s3://{BUCKET}/folder/", "digest": digest_of(tmp_path)})
    await fleet.backend.verify("search", "1", spec)


MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'


async def test_an_image_of_ecr_must_be_there(fleet: Fleet) -> None:
    spec = await fleet.upload()
    ecr = boto3.client("ecr", region_name=REGION)
    ecr.create_repository(repositoryName="serve")
    image = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/serve"
    missing = spec.model_copy(update={"server": spec.server.model_copy(update={"image": f"{image}:1"})})
    with pytest.raises(BackendError) as told:
        await fleet.backend.verify("search", "1", missing)
    assert told.value.reason == "ImageMissing"
    ecr.put_image(repositoryName="serve", imageManifest=MANIFEST, imageTag="1")
    await fleet.backend.verify("search", "1", missing)


async def test_logs_are_those_that_cloudwatch_has_of_the_component(fleet: Fleet) -> None:
    seen = await fleet.ensure(1)
    copy = seen.copies[0]
    assert await fleet.backend.logs(copy.id, 10) == []
    logs = boto3.client("logs", region_name=REGION)
    (name,) = fleet.components()
    group = f"/aws/sagemaker/InferenceComponents/{name}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="AllTraffic/i-1")
    now = int(fleet.clock.now() * 1000)
    events = [{"timestamp": now + index, "message": f"line {index}\n"} for index in range(5)]
    logs.put_log_events(logGroupName=group, logStreamName="AllTraffic/i-1", logEvents=events)
    assert await fleet.backend.logs(copy.id, 2) == ["line 3", "line 4"]


async def test_a_copy_takes_only_requests_that_sagemaker_passes_on(fleet: Fleet) -> None:
    copy = (await fleet.ensure(1)).copies[0]
    with pytest.raises(BackendError, match="POST /invocations alone") as told:
        await fleet.backend.send(copy, "GET", "/v2/health/live", None, 5)
    assert told.value.reason == "CopyUnreachable"
