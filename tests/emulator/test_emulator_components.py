"""Inference components over the wire: created, scaled, deleted, by the rules of AWS's documents."""

from emulated import IMAGE, Hosting, refused, specification


def test_a_component_is_creating_until_its_copies_serve(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(wait=0, copies=2)
    assert aws.component_status("llm") == "Creating"
    assert aws.copies("llm") == 0
    aws.clock.advance(120)
    assert aws.component_status("llm") == "InService"
    assert aws.copies("llm") == 2


def test_what_was_asked_for_is_described(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2, placement="SPREAD")
    found = aws.describe("llm")
    assert found["EndpointName"] == "shared"
    assert found["VariantName"] == "main"
    assert found["Specification"]["SchedulingConfig"] == {"PlacementStrategy": "SPREAD"}
    assert found["Specification"]["ComputeResourceRequirements"]["NumberOfAcceleratorDevicesRequired"] == 1
    image = found["Specification"]["Container"]["DeployedImage"]
    assert image["SpecifiedImage"] == IMAGE
    assert "@sha256:" in image["ResolvedImage"]
    assert found["RuntimeConfig"]["PlacementStatus"] == [{"InstanceType": "ml.g5.12xlarge", "CurrentCopyCount": 2}]


def test_no_copies_at_creation_are_refused(aws: Hosting) -> None:
    aws.endpoint()
    with refused("ValidationException", "CopyCount must be at least 1"):
        aws.component(copies=0)


def test_a_name_is_taken_whatever_its_case(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("llm")
    with refused("ValidationException", "Cannot create already existing inference component"):
        aws.component("LLM")


def test_a_missing_component_is_a_validation_exception(aws: Hosting) -> None:
    with refused("ValidationException", 'Could not find inference component "arn:aws:sagemaker:us-east-1:'):
        aws.describe("nobody")


def test_a_component_needs_an_endpoint_in_service(aws: Hosting) -> None:
    aws.api.create_endpoint(EndpointName="shared", EndpointConfigName=aws.config())
    with refused("ValidationException", "must be InService and is Creating"):
        aws.component()


def test_an_endpoint_with_a_model_of_its_own_hosts_no_components(aws: Hosting) -> None:
    aws.classic()
    with refused("ValidationException", "Inference Components are not supported in this Endpoint"):
        aws.component(endpoint="classic")


def test_a_component_that_no_instance_can_ever_hold_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    with refused("ValidationException", "more than an instance of type ml.g5.12xlarge has"):
        aws.component(accelerators=5)


def test_a_component_that_finds_no_room_in_time_fails_and_can_only_be_deleted(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("first", copies=4)
    aws.component("second", copies=1)
    assert aws.component_status("second") == "Creating"
    aws.clock.advance(1900)
    found = aws.describe("second")
    assert found["InferenceComponentStatus"] == "Failed"
    assert "not enough capacity" in found["FailureReason"]
    with refused("ValidationException", "in status Failed"):
        aws.scale("second", 1)
    aws.api.delete_inference_component(InferenceComponentName="second")
    aws.clock.advance(30)
    with refused("ValidationException", "Could not find inference component"):
        aws.describe("second")


def test_a_component_in_creation_cannot_be_deleted(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(wait=0)
    with refused("ValidationException", "in status Creating"):
        aws.api.delete_inference_component(InferenceComponentName="llm")


def test_a_scaled_component_is_updating_until_it_has_its_copies(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=1)
    aws.scale("llm", 3)
    assert aws.component_status("llm") == "Updating"
    with refused("ValidationException", "in status Updating"):
        aws.scale("llm", 2)
    aws.clock.advance(60)
    assert aws.component_status("llm") == "InService"
    assert aws.copies("llm") == 3
    aws.scale("llm", 1)
    aws.clock.advance(20)
    assert aws.component_status("llm") == "InService"
    assert aws.copies("llm") == 1


def test_copies_may_be_scaled_to_zero_and_back(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=1)
    aws.scale("llm", 0)
    aws.clock.advance(20)
    assert aws.component_status("llm") == "InService"
    assert aws.copies("llm") == 0
    aws.scale("llm", 1)
    aws.clock.advance(60)
    assert aws.copies("llm") == 1


def test_copies_without_room_are_given_up_in_time_and_told_by_the_counts(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=3)
    aws.scale("llm", 6)
    aws.clock.advance(600)
    assert aws.component_status("llm") == "Updating"
    assert aws.copies("llm") == 4
    aws.clock.advance(1300)
    runtime = aws.describe("llm")["RuntimeConfig"]
    assert aws.component_status("llm") == "InService"
    assert (runtime["DesiredCopyCount"], runtime["CurrentCopyCount"]) == (6, 4)


def test_another_copy_of_what_an_instance_has_already_loads_faster(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(wait=0)
    first = aws.until(lambda: aws.component_status("llm") == "InService", step=5)
    aws.scale("llm", 2)
    assert aws.until(lambda: aws.component_status("llm") == "InService", step=5) < first / 2


def test_a_container_that_never_answers_its_health_check_fails_its_component(aws: Hosting) -> None:
    aws.endpoint()
    aws.aws.faults.set(unhealthy=["*broken*"])
    aws.component(image="broken:1", wait=300, StartupParameters={"ContainerStartupHealthCheckTimeoutInSeconds": 120})
    found = aws.describe("llm")
    assert found["InferenceComponentStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]


def test_an_adapter_uses_its_base_and_has_no_copies_of_its_own(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("base", copies=4)
    aws.api.create_inference_component(
        InferenceComponentName="adapter",
        EndpointName="shared",
        Specification={
            "BaseInferenceComponentName": "base",
            "Container": {"ArtifactUrl": "s3://models/adapter.tar.gz"},
        },
    )
    aws.clock.advance(10)
    found = aws.describe("adapter")
    assert found["InferenceComponentStatus"] == "InService"
    assert found["Specification"]["BaseInferenceComponentName"] == "base"
    assert "RuntimeConfig" not in found
    assert len(aws.aws.world.copies_of_component("adapter")) == 4
    with refused("ValidationException", "it has adapters"):
        aws.api.delete_inference_component(InferenceComponentName="base")
    with refused("ValidationException", "has no copies of its own"):
        aws.scale("adapter", 2)


def test_an_adapter_with_resources_of_its_own_is_refused(aws: Hosting) -> None:
    aws.endpoint()
    aws.component("base")
    with refused("ValidationException", "it must not specify its own"):
        aws.component("adapter", BaseInferenceComponentName="base")


def test_specifications_by_instance_type_are_described_in_place_of_the_single_one(aws: Hosting) -> None:
    pools = [{"InstanceType": "ml.g5.12xlarge", "Priority": 1}, {"InstanceType": "ml.g6e.xlarge", "Priority": 2}]
    aws.endpoint(InstancePools=pools)
    aws.api.create_inference_component(
        InferenceComponentName="llm",
        EndpointName="shared",
        Specifications=[
            specification(InstanceType="ml.g5.12xlarge", accelerators=4),
            specification(InstanceType="ml.g6e.xlarge", accelerators=1),
        ],
        RuntimeConfig={"CopyCount": 1},
    )
    aws.clock.advance(120)
    found = aws.describe("llm")
    assert "Specification" not in found
    assert [each["InstanceType"] for each in found["Specifications"]] == ["ml.g5.12xlarge", "ml.g6e.xlarge"]
    assert found["RuntimeConfig"]["PlacementStatus"] == [{"InstanceType": "ml.g5.12xlarge", "CurrentCopyCount": 1}]


def test_managed_scaling_asks_for_a_type_that_the_copies_can_be_on(aws: Hosting) -> None:
    pools = [{"InstanceType": "ml.g5.12xlarge", "Priority": 1}, {"InstanceType": "ml.g6e.xlarge", "Priority": 2}]
    bounds = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 2}
    aws.endpoint(InstancePools=pools, ManagedInstanceScaling=bounds)
    aws.component(InstanceType="ml.g6e.xlarge", wait=400)
    assert aws.describe("llm")["RuntimeConfig"]["PlacementStatus"] == [
        {"InstanceType": "ml.g6e.xlarge", "CurrentCopyCount": 1}
    ]


def test_one_specification_and_several_together_are_refused(aws: Hosting) -> None:
    aws.endpoint()
    with refused("ValidationException", "cannot be specified together"):
        aws.api.create_inference_component(
            InferenceComponentName="llm",
            EndpointName="shared",
            Specification=specification(),
            Specifications=[specification(InstanceType="ml.g5.12xlarge")],
            RuntimeConfig={"CopyCount": 1},
        )


def test_components_are_listed_filtered_sorted_and_in_pages(aws: Hosting) -> None:
    aws.endpoint(kind="ml.g5.48xlarge")
    for name in ("b-one", "a-two", "c-one"):
        aws.component(name, wait=10)
    aws.clock.advance(120)
    listed = aws.api.list_inference_components(SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [each["InferenceComponentName"] for each in listed["InferenceComponents"]] == ["a-two", "b-one"]
    rest = aws.api.list_inference_components(
        SortBy="Name", SortOrder="Ascending", MaxResults=2, NextToken=listed["NextToken"]
    )
    assert [each["InferenceComponentName"] for each in rest["InferenceComponents"]] == ["c-one"]
    assert "NextToken" not in rest
    ones = aws.api.list_inference_components(NameContains="one", EndpointNameEquals="shared", StatusEquals="InService")
    assert [each["InferenceComponentName"] for each in ones["InferenceComponents"]] == ["c-one", "b-one"]
    assert not aws.api.list_inference_components(EndpointNameEquals="other")["InferenceComponents"]


def test_tags_are_kept_with_a_component_and_go_with_it(aws: Hosting) -> None:
    aws.endpoint()
    aws.component()
    arn = aws.describe("llm")["InferenceComponentArn"]
    aws.api.add_tags(ResourceArn=arn, Tags=[{"Key": "longshore", "Value": "1"}, {"Key": "team", "Value": "search"}])
    aws.api.add_tags(ResourceArn=arn, Tags=[{"Key": "longshore", "Value": "2"}])
    aws.api.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert aws.api.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "longshore", "Value": "2"}]
    aws.api.delete_inference_component(InferenceComponentName="llm")
    aws.clock.advance(30)
    with refused("ValidationException", "Could not find resource"):
        aws.api.list_tags(ResourceArn=arn)
