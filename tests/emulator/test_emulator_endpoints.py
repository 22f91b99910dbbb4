"""Endpoints over the wire: their states, instances, weights and listings."""

import pytest
from emulated import Hosting, refused


def test_an_endpoint_is_creating_until_its_instances_are_there(aws: Hosting) -> None:
    aws.api.create_endpoint(EndpointName="shared", EndpointConfigName=aws.config(count=2))
    assert aws.status("shared") == "Creating"
    assert aws.variant()["VariantStatus"][0]["Status"] == "Creating"
    assert (aws.instances(), aws.variant()["DesiredInstanceCount"]) == (0, 2)
    aws.clock.advance(180)
    assert aws.status("shared") == "InService"
    assert aws.instances() == 2
    assert "VariantStatus" not in aws.variant()


def test_the_waiter_of_boto3_sees_it_in_service(aws: Hosting) -> None:
    aws.endpoint()
    aws.api.get_waiter("endpoint_in_service").wait(EndpointName="shared", WaiterConfig={"Delay": 1, "MaxAttempts": 1})


def test_a_missing_endpoint_is_a_validation_exception(aws: Hosting) -> None:
    with refused(
        "ValidationException", 'Could not find endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/no"'
    ):
        aws.status("no")


def test_an_endpoint_needs_a_configuration_that_exists(aws: Hosting) -> None:
    with refused("ValidationException", "Could not find endpoint configuration"):
        aws.api.create_endpoint(EndpointName="shared", EndpointConfigName="no")


def test_a_name_is_taken_whatever_its_case(aws: Hosting) -> None:
    aws.endpoint("shared")
    with refused("ValidationException", "Cannot create already existing endpoint"):
        aws.api.create_endpoint(EndpointName="SHARED", EndpointConfigName="shared-config")


def test_an_endpoint_with_components_cannot_be_deleted(aws: Hosting) -> None:
    aws.endpoint()
    aws.component()
    with refused("ValidationException", "it hosts the inference components llm"):
        aws.api.delete_endpoint(EndpointName="shared")
    aws.api.delete_inference_component(InferenceComponentName="llm")
    aws.clock.advance(30)
    aws.api.delete_endpoint(EndpointName="shared")
    assert aws.status("shared") == "Deleting"
    aws.clock.advance(60)
    with refused("ValidationException", "Could not find endpoint"):
        aws.status("shared")


def test_without_capacity_in_time_an_endpoint_fails_and_can_only_be_deleted(aws: Hosting) -> None:
    aws.aws.faults.set(capacity={"ml.g5.12xlarge": 1})
    config = aws.config(count=2, VariantInstanceProvisionTimeoutInSeconds=300)
    aws.api.create_endpoint(EndpointName="shared", EndpointConfigName=config)
    aws.clock.advance(400)
    found = aws.api.describe_endpoint(EndpointName="shared")
    assert found["EndpointStatus"] == "Failed"
    assert "InsufficientInstanceCapacity" in found["FailureReason"]
    with refused("ValidationException", "It can only be deleted"):
        aws.api.update_endpoint(EndpointName="shared", EndpointConfigName=aws.config("other"))
    with refused("ValidationException", "must be InService and is Failed"):
        aws.component()
    aws.api.delete_endpoint(EndpointName="shared")
    aws.clock.advance(60)
    assert not aws.api.list_endpoints()["Endpoints"]


def test_capacity_that_comes_in_time_is_taken(aws: Hosting) -> None:
    aws.aws.faults.set(capacity={"ml.g5.12xlarge": 0})
    aws.api.create_endpoint(EndpointName="shared", EndpointConfigName=aws.config())
    aws.clock.advance(600)
    assert aws.status("shared") == "Creating"
    aws.aws.faults.clear()
    aws.clock.advance(240)
    assert aws.status("shared") == "InService"


def test_instance_pools_are_asked_in_the_order_of_their_priority(aws: Hosting) -> None:
    aws.aws.faults.set(capacity={"ml.g5.12xlarge": 1})
    pools = [{"InstanceType": "ml.g6.12xlarge", "Priority": 2}, {"InstanceType": "ml.g5.12xlarge", "Priority": 1}]
    aws.endpoint(count=3, InstancePools=pools)
    assert aws.variant()["InstancePools"] == [
        {"InstanceType": "ml.g5.12xlarge", "CurrentInstanceCount": 1},
        {"InstanceType": "ml.g6.12xlarge", "CurrentInstanceCount": 2},
    ]


def test_a_request_above_the_accounts_quota_is_refused(aws: Hosting) -> None:
    aws.aws.faults.set(quotas={"ml.g5.12xlarge": 1})
    with refused("ResourceLimitExceeded", "'ml.g5.12xlarge for endpoint usage' is 1 Instances"):
        aws.api.create_endpoint(EndpointName="shared", EndpointConfigName=aws.config(count=2))


def test_managed_scaling_makes_room_for_copies_and_gives_idle_instances_back(aws: Hosting) -> None:
    aws.endpoint(ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3})
    aws.component("one", copies=4)
    aws.component("two", copies=8, wait=400)
    assert (aws.instances(), aws.copies("two")) == (3, 8)
    aws.component("three", copies=1, wait=400)
    assert aws.component_status("three") == "Creating"
    aws.scale("two", 0)
    aws.until(lambda: aws.component_status("three") == "InService")
    aws.until(lambda: aws.instances() == 2)


def test_consolidation_moves_copies_onto_fewer_instances_after_its_cooldown(aws: Hosting) -> None:
    policy = {"Strategy": "CONSOLIDATION", "CooldownInMinutes": 10}
    bounds = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3, "ScaleInPolicy": policy}
    aws.endpoint(ManagedInstanceScaling=bounds)
    aws.component("one", copies=3)
    aws.component("two", copies=3, wait=400)
    assert aws.instances() == 2
    aws.scale("one", 1)
    aws.clock.advance(590)
    assert aws.instances() == len({copy.instance for copy in aws.aws.world.copies()}) == 2
    least = 4
    while aws.instances() == 2:
        aws.clock.advance(5)
        least = min(least, aws.copies("one") + aws.copies("two"))
    assert least == 4
    assert (aws.copies("one"), aws.copies("two")) == (1, 3)
    assert aws.component_status("one") == "InService"


def test_a_change_gives_up_the_consolidation_under_way(aws: Hosting) -> None:
    policy = {"Strategy": "CONSOLIDATION", "CooldownInMinutes": 5}
    bounds = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3, "ScaleInPolicy": policy}
    aws.endpoint(ManagedInstanceScaling=bounds)
    aws.component("one", copies=3)
    aws.component("two", copies=3, wait=400)
    aws.scale("one", 1)
    aws.until(lambda: bool(aws.aws.world.fleets_of("shared", "main")[0].moves))
    aws.scale("two", 2)
    aws.until(lambda: aws.component_status("two") == "InService")
    aws.clock.advance(60)
    assert (aws.copies("one"), aws.copies("two")) == (1, 2)
    assert len(list(aws.aws.world.copies())) == 3


def test_an_endpoint_scales_to_zero_instances_and_back(aws: Hosting) -> None:
    aws.endpoint(ManagedInstanceScaling={"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2})
    aws.component()
    aws.scale("llm", 0)
    aws.until(lambda: aws.instances() == 0)
    assert aws.status("shared") == "InService"
    assert not aws.aws.world.copies_of_component("llm")
    aws.scale("llm", 1)
    aws.until(lambda: aws.component_status("llm") == "InService")
    assert (aws.instances(), aws.copies("llm")) == (1, 1)


def test_without_managed_scaling_there_are_never_more_instances(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=4)
    aws.scale("llm", 5)
    aws.clock.advance(1000)
    assert (aws.instances(), aws.copies("llm")) == (1, 4)


def test_other_weights_and_counts_are_put_in_place(aws: Hosting) -> None:
    aws.classic(count=2)
    aws.api.update_endpoint_weights_and_capacities(
        EndpointName="classic",
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredWeight": 3, "DesiredInstanceCount": 4}],
    )
    assert aws.status("classic") == "Updating"
    found = aws.variant("classic")
    assert (found["CurrentWeight"], found["DesiredWeight"]) == (1, 3)
    assert (found["CurrentInstanceCount"], found["DesiredInstanceCount"]) == (2, 4)
    aws.until(lambda: aws.status("classic") == "InService")
    found = aws.variant("classic")
    assert (found["CurrentWeight"], found["CurrentInstanceCount"]) == (3, 4)


def test_counts_that_are_not_to_be_had_are_rolled_back(aws: Hosting) -> None:
    aws.classic(count=2)
    aws.aws.faults.set(capacity={"ml.g5.xlarge": 2})
    aws.api.update_endpoint_weights_and_capacities(
        EndpointName="classic", DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 4}]
    )
    aws.until(lambda: aws.status("classic") == "RollingBack", step=5)
    aws.until(lambda: aws.status("classic") == "InService")
    assert aws.variant("classic")["DesiredInstanceCount"] == 2


def test_a_model_that_never_passes_its_health_check_fails_its_endpoint(aws: Hosting) -> None:
    aws.aws.faults.set(unhealthy=["one"])
    config = aws.classic_config("config", model="one", ContainerStartupHealthCheckTimeoutInSeconds=60)
    aws.api.create_endpoint(EndpointName="classic", EndpointConfigName=config)
    aws.clock.advance(500)
    found = aws.api.describe_endpoint(EndpointName="classic")
    assert found["EndpointStatus"] == "Failed"
    assert "production variant main did not pass the ping health check" in found["FailureReason"]


def test_endpoints_are_listed_by_name_and_status(aws: Hosting) -> None:
    for name in ("one", "two"):
        aws.endpoint(name)
    aws.api.create_endpoint(EndpointName="three", EndpointConfigName="one-config")
    creating = aws.api.list_endpoints(StatusEquals="Creating")["Endpoints"]
    assert [each["EndpointName"] for each in creating] == ["three"]
    pages = aws.api.get_paginator("list_endpoints").paginate(
        SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 1}
    )
    assert [each["EndpointName"] for each in pages.search("Endpoints")] == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ({"InstanceType": "ml.m5.large", "InitialInstanceCount": None}, "InitialInstanceCount is required"),
        ({"InstanceType": None}, "one of InstanceType and InstancePools"),
        (
            {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 3, "MaxInstanceCount": 2}},
            "MinInstanceCount 3 must be less than or equal to MaxInstanceCount 2",
        ),
        (
            {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 2, "MaxInstanceCount": 4}},
            "InitialInstanceCount 1 must be between",
        ),
        ({"InstanceType": "ml.trn1.32xlarge"}, "The emulator has no ml.trn1.32xlarge"),
    ],
)
def test_a_configuration_that_no_endpoint_can_be_made_of_is_refused(
    aws: Hosting, variant: dict[str, object], words: str
) -> None:
    given = {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": "ml.g5.12xlarge"} | variant
    with refused("ValidationException", words):
        aws.api.create_endpoint_config(
            EndpointConfigName="config",
            ExecutionRoleArn="arn:aws:iam::123456789012:role/sagemaker",
            ProductionVariants=[{name: value for name, value in given.items() if value is not None}],
        )


def test_a_configuration_without_model_and_role_is_refused(aws: Hosting) -> None:
    with refused("ValidationException", "ExecutionRoleArn is required"):
        aws.api.create_endpoint_config(
            EndpointConfigName="config",
            ProductionVariants=[
                {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": "ml.g5.12xlarge"},
            ],
        )


def test_a_model_without_an_image_is_refused(aws: Hosting) -> None:
    with refused("ValidationException", "no models of model packages"):
        aws.api.create_model(
            ModelName="one",
            ExecutionRoleArn="arn:aws:iam::123456789012:role/r",
            PrimaryContainer={"ModelPackageName": "arn:aws:sagemaker:us-east-1:123456789012:model-package/digits/1"},
        )


def test_configurations_and_models_are_described_listed_and_deleted(aws: Hosting) -> None:
    aws.classic_config("config", model="one")
    assert aws.api.describe_endpoint_config(EndpointConfigName="config")["ProductionVariants"][0]["ModelName"] == "one"
    assert aws.api.describe_model(ModelName="one")["PrimaryContainer"]["Image"].endswith(":1")
    assert [each["ModelName"] for each in aws.api.list_models()["Models"]] == ["one"]
    assert [each["EndpointConfigName"] for each in aws.api.list_endpoint_configs()["EndpointConfigs"]] == ["config"]
    aws.api.delete_endpoint_config(EndpointConfigName="config")
    aws.api.delete_model(ModelName="one")
    with refused("ValidationException", "Could not find model"):
        aws.api.describe_model(ModelName="one")
    with refused("ValidationException", "Could not find endpoint configuration"):
        aws.api.describe_endpoint_config(EndpointConfigName="config")
