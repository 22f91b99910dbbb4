"""What a target is taken to hold, from counts, notes and the time: tables, and what is true of every picture."""

from collections import Counter

import pytest
from aws_examples import NOON, after, component, endpoint, level, noted, page, version_spec, view
from hypothesis import given
from hypothesis import strategies as st

from longshore.backends.port import BackendError
from longshore.backends.sagemaker import hosts, specification
from longshore.backends.sagemaker.names import Names
from longshore.backends.sagemaker.pages import DeploymentPage, Refusal, VersionPage
from longshore.backends.sagemaker.picture import Noted, Picture, draw, upstreams
from longshore.backends.sagemaker.seen import Component, lacks_capacity
from longshore.planning.observed import ObservedHost

NO_INSTANCE = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."


def states(picture: Picture) -> list[str]:
    return [copy.state.value for copy in picture.copies]


def reasons(picture: Picture) -> set[str | None]:
    return {copy.reason for copy in picture.copies if copy.reason}


def told(picture: Picture) -> list[tuple[str, str, str]]:
    return [(one.what, one.wanted, one.found) for one in picture.differences]


@pytest.mark.parametrize(
    ("noted_page", "seen", "shown"),
    [
        pytest.param(page(3), component(3), ["ready"] * 3, id="all serve"),
        pytest.param(page(3, level=2), component(3), ["ready", "ready", "draining"], id="the newest drains"),
        pytest.param(page(3, level=0), component(3), ["draining"] * 3, id="all drain"),
        pytest.param(
            page(4, had=3, asked_at=after(-5)),
            component(4, 3, "Updating"),
            ["ready", "ready", "ready", "starting"],
            id="one more starts",
        ),
        pytest.param(
            page(4, had=3, asked_at=after(-5)),
            component(4, 4, "Updating"),
            ["ready", "ready", "ready", "starting"],
            id="it is ready when the component is in service, not before",
        ),
        pytest.param(
            page(4, had=3, asked_at=after(-5)),
            component(3),
            ["ready", "ready", "ready", "starting"],
            id="what we asked for a moment ago counts, though SageMaker does not tell of it yet",
        ),
        pytest.param(
            page(2, had=3, asked_at=after(-5)),
            component(2, 3, "Updating"),
            ["ready", "ready", "ending"],
            id="one ends",
        ),
        pytest.param(page(2, had=0, asked_at=after(-5)), None, ["starting"] * 2, id="just made, not told of yet"),
        pytest.param(page(2, had=0, made=False), None, ["starting"] * 2, id="meant, and never made: its room is kept"),
        pytest.param(
            page(2, had=0), component(2, 0, "Creating"), ["starting"] * 2, id="long in the making, and still is"
        ),
        pytest.param(
            page(3),
            component(3, 2),
            ["ready", "ready", "unready"],
            id="a copy was lost and is started again by SageMaker",
        ),
        pytest.param(page(2, had=0), component(2, 0, "Failed", failure="it broke"), ["failed"] * 2, id="it failed"),
        pytest.param(
            page(0, made=False, ours=(0,)), component(3, 3, "Deleting"), ["ending"] * 3, id="ended by us, still there"
        ),
        pytest.param(page(0, made=False, ours=(0,)), None, [], id="ended"),
        pytest.param(page(3), None, [], id="deleted by somebody else"),
        pytest.param(page(3), component(5), ["ready"] * 5, id="more by somebody else"),
        pytest.param(page(3), component(1), ["ready"], id="fewer by somebody else"),
        pytest.param(page(3, scaled=True), component(5), ["ready"] * 5, id="more by the autoscaler"),
        pytest.param(page(3, scaled=True), component(0), [], id="none by the autoscaler"),
    ],
)
def test_copies_are_shown(noted_page: VersionPage, seen: Component | None, shown: list[str]) -> None:
    assert states(draw(view(seen) if seen else view(), noted(v1=noted_page), NOON)) == shown


def test_copies_keep_their_names_for_as_long_as_they_are_there() -> None:
    before = draw(view(component(3)), noted(v1=page(3)), NOON)
    later = draw(view(component(4, 3, "Updating")), noted(v1=page(4, had=3, asked_at=NOON)), NOON)
    assert [copy.id for copy in before.copies] == [f"ls-search-1#{index}" for index in range(3)]
    assert [copy.id for copy in later.copies][:3] == [copy.id for copy in before.copies]


def test_a_lost_copy_and_a_failed_one_say_why() -> None:
    lost = draw(view(component(3, 2)), noted(v1=page(3)), NOON).copies[-1]
    assert (lost.reason, lost.message) == ("CopyLost", "SageMaker runs 2 of 3 copies of ls-search-1")
    failed = draw(
        view(component(1, 0, "Failed", failure="ping never answered")), noted(v1=page(1, had=0)), NOON
    ).copies[0]
    assert failed.reason == "ComponentFailed"
    assert (failed.message or "").startswith("ping never answered; ")
    assert "longshore rollout retry search" in (failed.message or "")


@pytest.mark.parametrize(
    ("seen", "messages"),
    [
        (component(2, 0, "Failed", failure=NO_INSTANCE), ()),
        (component(2, 0, "Creating"), (NO_INSTANCE,)),
    ],
    ids=["the component says so", "the endpoint says so"],
)
def test_copies_without_an_instance_wait_for_one_with_sagemakers_words(
    seen: Component, messages: tuple[str, ...]
) -> None:
    drawn = draw(view(seen, messages=messages), noted(v1=page(2, had=0)), NOON)
    assert states(drawn) == ["starting"] * 2
    assert {(copy.reason, copy.message) for copy in drawn.copies} == {("InsufficientCapacity", NO_INSTANCE)}


@pytest.mark.parametrize(
    "words",
    [
        NO_INSTANCE,
        "InsufficientCapacity: no ml.p5.48xlarge in this region",
        "There is insufficient capacity for the requested instance type",
        "There are not enough hardware resources on the instances",
    ],
)
def test_the_many_words_for_no_capacity_are_one(words: str) -> None:
    assert lacks_capacity(words)


@pytest.mark.parametrize(
    "words", ["The primary container did not pass the ping health check", "AccessDenied on s3://m"]
)
def test_other_words_are_not(words: str) -> None:
    assert not lacks_capacity(words)


# -- differences ---------------------------------------------------------------------------------------------------


def test_what_somebody_else_changed_is_told_in_sagemakers_words() -> None:
    assert told(draw(view(component(7)), noted(v1=page(3)), NOON)) == [("RuntimeConfig.CopyCount", "3", "7")]
    assert told(draw(view(), noted(v1=page(3)), NOON)) == [("deleted", "there", "gone")]
    wanted = {"Container": {"Image": "serve:1", "Environment": {"A": "1"}}, "ComputeResourceRequirements": {"N": 1}}
    found = {
        "Container": {"DeployedImage": {"SpecifiedImage": "serve:9"}, "Environment": {"A": "1", "B": "2"}},
        "ComputeResourceRequirements": {"N": 1.0},
        "StartupParameters": {"ContainerStartupHealthCheckTimeoutInSeconds": 600},
    }
    drawn = draw(view(component(3, specification=found)), noted(v1=page(3, specification=wanted)), NOON)
    assert told(drawn) == [
        ("Specification.Container.DeployedImage.SpecifiedImage", "serve:1", "serve:9"),
        ("Specification.Container.Environment.B", "nothing", "2"),
    ]


@pytest.mark.parametrize(
    "noted_page",
    [
        pytest.param(page(3, asked_at=after(-5)), id="a moment after a change of ours"),
        pytest.param(page(3, scaled=True), id="of a count that an autoscaler chooses"),
        pytest.param(page(3, ours=(3, 7)), id="of a count that is perhaps our own"),
    ],
)
def test_no_difference_is_told(noted_page: VersionPage) -> None:
    assert told(draw(view(component(7)), noted(v1=noted_page), NOON)) == []


# -- hosts ---------------------------------------------------------------------------------------------------------


def summary(places: tuple[ObservedHost, ...]) -> list[tuple[str, int, bool, bool]]:
    return [(host.name, host.accelerators, host.up, host.obtainable) for host in places]


def test_instances_are_numbered_and_those_that_could_be_started_are_obtainable() -> None:
    places = hosts.hosts(endpoint(most=3), refused=False)
    assert summary(places) == [
        ("instance-1", 4, True, False),
        ("instance-2", 4, True, False),
        ("instance-3", 4, True, True),
    ]
    assert {host.accelerator_memory_gib for host in places} == {24}
    assert summary(hosts.hosts(endpoint(most=3), refused=True))[-1] == ("instance-3", 4, False, True)


def test_instances_of_pools_are_called_by_their_type_and_the_best_type_is_obtainable() -> None:
    pooled = endpoint(instances={"ml.p4d.24xlarge": 0, "ml.g5.12xlarge": 1}, most=2)
    assert summary(hosts.hosts(pooled, refused=False)) == [
        ("g5.12xlarge-1", 4, True, False),
        ("p4d.24xlarge-1", 8, True, True),
    ]


def test_an_instance_type_that_nobody_knows_is_named() -> None:
    with pytest.raises(BackendError, match=r"ml\.g99\.xlarge"):
        hosts.hosts(endpoint(instances={"ml.g99.xlarge": 1}), refused=False)


def test_no_instance_is_promised_for_a_while_after_a_refusal() -> None:
    def obtainable(at: float) -> list[bool]:
        notes = {"chat": DeploymentPage(refused=Refusal(at=NOON, message=NO_INSTANCE))}
        drawn = draw(view(most=3), Noted(deployments=notes), after(at))
        return [host.up for host in drawn.hosts if host.obtainable]

    assert (obtainable(10), obtainable(299), obtainable(300)) == ([False], [False], [True])


def test_accelerators_of_strangers_are_not_ours_to_give() -> None:
    stranger = component(
        2, name="theirs", specification={"ComputeResourceRequirements": {"NumberOfAcceleratorDevicesRequired": 1.0}}
    )
    drawn = draw(view(component(3), stranger), noted(v1=page(3)), NOON)
    assert [host.accelerators for host in drawn.hosts] == [2, 4]
    assert len(drawn.copies) == 3


def test_copies_are_placed_where_the_planner_reckons_with_them() -> None:
    drawn = draw(view(component(3)), noted(v1=page(3, placement={"instance-2": 2, "instance-1": 1})), NOON)
    assert Counter(copy.host for copy in drawn.copies) == {"instance-2": 2, "instance-1": 1}


def test_a_copy_for_which_no_instance_has_room_is_nowhere() -> None:
    drawn = draw(view(component(2)), noted(v1=page(2, accelerators=4)), NOON)
    assert [copy.host for copy in drawn.copies] == ["instance-1", "instance-2"]
    beyond = draw(view(component(3)), noted(v1=page(3, accelerators=4)), NOON)
    assert beyond.copies[-1].host == hosts.NOWHERE


pages = st.builds(
    lambda count, drained, accelerators, settled: page(
        count, level=max(0, count - drained), accelerators=accelerators, asked_at=after(-3600 if settled else -5)
    ),
    st.integers(0, 6),
    st.integers(0, 3),
    st.integers(0, 4),
    st.booleans(),
)
components = st.builds(
    component,
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(["InService", "Creating", "Updating", "Failed", "Deleting"]),
)


@given(st.lists(st.tuples(pages, st.none() | components), max_size=5), st.integers(0, 3), st.integers(0, 5))
def test_of_every_picture(many: list[tuple[VersionPage, Component | None]], instances: int, most: int) -> None:
    notes = {
        ("search", str(index)): one.model_copy(update={"component": f"c{index}"}) for index, (one, _) in enumerate(many)
    }
    there = [seen.model_copy(update={"name": f"c{index}"}) for index, (_, seen) in enumerate(many) if seen]
    seen_view = view(*there, instances={"ml.g5.12xlarge": instances}, most=most or None)
    drawn = draw(seen_view, Noted(versions=notes), NOON)

    assert len({copy.id for copy in drawn.copies}) == len(drawn.copies)
    held = Counter((copy.host, index) for copy in drawn.copies for index in copy.accelerators)
    assert all(count == 1 for count in held.values()), "an accelerator was given twice"
    room = {host.name: host.accelerators for host in drawn.hosts}
    assert all(index < room[host] for host, index in held)
    for (_, version), noted_page in notes.items():
        shown = [copy for copy in drawn.copies if copy.version == version]
        seen = seen_view.components.get(noted_page.component)
        assert sum(copy.state == "ready" for copy in shown) <= (seen.current if seen else 0)
        serving = [copy for copy in shown if copy.state not in {"draining", "ending"}]
        assert len(serving) <= max(noted_page.level, seen.desired if seen else 0)
    assert draw(seen_view, Noted(versions=notes), NOON) == drawn


# -- upstreams -----------------------------------------------------------------------------------------------------


def test_requests_of_a_version_go_to_the_runtime_with_the_name_of_its_component() -> None:
    url = "https://runtime.sagemaker.eu-central-1.amazonaws.com"
    way = upstreams(noted(v1=page(3)), "fleet", url, "eu-central-1", None)[0]
    assert (way.address, way.host) == ("runtime.sagemaker.eu-central-1.amazonaws.com:443", url.removeprefix("https://"))
    assert (way.tls, way.path, way.signed_for) == (True, "/endpoints/fleet", "sagemaker/eu-central-1")
    assert way.headers == {"X-Amzn-SageMaker-Inference-Component": "ls-search-1"}
    local = upstreams(noted(v1=page(3)), "fleet", "http://127.0.0.1:5001", "eu-central-1", None)[0]
    assert (local.address, local.host, local.tls) == ("127.0.0.1:5001", "127.0.0.1:5001", False)


# -- specifications ------------------------------------------------------------------------------------------------

NAMES = Names(installation="abcdefghij", target="fleet")


def test_an_archive_is_a_container_of_the_component_and_anything_else_a_model() -> None:
    archive = specification.specification(NAMES, level(1), None)
    assert archive["Container"] == {
        "Image": "serve:1",
        "ArtifactUrl": "s3://models/search-1.tar.gz",
        "Environment": {"MODEL_NAME": "search", "MODEL_VERSION": "1", "LONGSHORE_MODEL_DIGEST": "sha256:" + "0" * 64},
    }
    single = version_spec(artifact={"uri": "s3://models/search-1.joblib", "digest": "sha256:" + "0" * 64})
    wanted = specification.specification(NAMES, level(1, spec=single), None)
    assert wanted["ModelName"] == NAMES.model("search", "1")
    assert "Container" not in wanted
    made = specification.model_object(NAMES, level(1, spec=single), "arn:aws:iam::123456789012:role/r")
    assert made["PrimaryContainer"]["ModelDataSource"]["S3DataSource"] == {
        "S3Uri": "s3://models/search-1.joblib",
        "S3DataType": "S3Object",
        "CompressionType": "None",
    }


def test_needs_and_start_are_told_in_sagemakers_units() -> None:
    spec = version_spec(
        resources={"accelerators": 2, "cpus": 1.5, "memoryGiB": 0.5},
        sagemaker={"startupTimeout": "10m", "placement": "spread", "caching": True, "maxMemoryGiB": 1},
    )
    wanted = specification.specification(NAMES, level(1, spec=spec), None)
    assert wanted["ComputeResourceRequirements"] == {
        "MinMemoryRequiredInMb": 512,
        "MaxMemoryRequiredInMb": 1024,
        "NumberOfAcceleratorDevicesRequired": 2.0,
        "NumberOfCpuCoresRequired": 1.5,
    }
    assert wanted["StartupParameters"] == {"ContainerStartupHealthCheckTimeoutInSeconds": 600}
    assert wanted["SchedulingConfig"] == {"PlacementStrategy": "SPREAD"}
    assert wanted["DataCacheConfig"] == {"EnableCaching": True}


def test_an_adapter_is_its_archive_in_another_component() -> None:
    spec = version_spec(sagemaker={"adapterOf": {"deployment": "base"}})
    wanted = specification.specification(NAMES, level(1, spec=spec), "ls-base-1")
    assert wanted == {
        "BaseInferenceComponentName": "ls-base-1",
        "Container": {"ArtifactUrl": "s3://models/search-1.tar.gz"},
    }
