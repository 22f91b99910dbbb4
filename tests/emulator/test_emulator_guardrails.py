"""UpdateEndpoint over the wire: blue/green with guardrails, rolling deployments, automatic rollback."""

from typing import Any

from emulated import Hosting, refused


def blue_green(kind: str = "ALL_AT_ONCE", *, wait: int = 60, **more: Any) -> dict[str, Any]:
    sizes = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if kind in sizes:
        routing[sizes[kind]] = {"Type": "CAPACITY_PERCENT", "Value": more.pop("percent", 25)}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **more}}


def rolling(count: int = 1, *, wait: int = 60, **more: Any) -> dict[str, Any]:
    size = {"Type": "INSTANCE_COUNT", "Value": count}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait, **more}}


def under(alarm: str, policy: dict[str, Any]) -> dict[str, Any]:
    return {**policy, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]}}


def update(aws: Hosting, policy: dict[str, Any] | None = None, *, model: str = "two", **variant: Any) -> None:
    config = aws.classic_config(f"classic-{model}", model=model, **variant)
    aws.api.update_endpoint(
        EndpointName="classic", EndpointConfigName=config, **({"DeploymentConfig": policy} if policy else {})
    )


def watch(aws: Hosting) -> tuple[list[float], int]:
    """Turn the clock to the update's end: the new fleet's shares as they came, and the most instances there were."""
    shares: list[float] = []
    most = 0
    while aws.status("classic") in {"Updating", "RollingBack"}:
        fleets = aws.aws.world.fleets_of("classic", "main")
        if len(fleets) == 2 and (not shares or shares[-1] != fleets[1].share):
            shares.append(fleets[1].share)
        most = max(most, sum(len(fleet.instances) for fleet in fleets))
        aws.clock.advance(5)
    return shares, most


def config_of(aws: Hosting) -> str:
    return str(aws.api.describe_endpoint(EndpointName="classic")["EndpointConfigName"])


def test_without_a_policy_all_traffic_moves_to_a_whole_second_fleet(aws: Hosting) -> None:
    aws.classic()
    update(aws)
    found = aws.api.describe_endpoint(EndpointName="classic")
    assert found["EndpointStatus"] == "Updating"
    assert found["EndpointConfigName"] == "classic-one"
    assert found["PendingDeploymentSummary"]["EndpointConfigName"] == "classic-two"
    shares, most = watch(aws)
    assert (shares[0], most) == (0, 8)
    assert config_of(aws) == "classic-two"
    assert "PendingDeploymentSummary" not in aws.api.describe_endpoint(EndpointName="classic")


def test_a_canary_moves_a_small_part_of_the_traffic_first(aws: Hosting) -> None:
    aws.classic()
    update(aws, blue_green("CANARY"))
    shares, most = watch(aws)
    assert (shares, most) == ([0, 0.25, 1], 8)
    assert config_of(aws) == "classic-two"


def test_a_linear_shift_moves_the_traffic_in_equal_steps(aws: Hosting) -> None:
    aws.classic()
    update(aws, blue_green("LINEAR", TerminationWaitInSeconds=120))
    shares, _ = watch(aws)
    assert shares == [0, 0.25, 0.5, 0.75, 1]


def test_a_rolling_deployment_needs_one_batch_more_than_the_fleet(aws: Hosting) -> None:
    aws.classic()
    update(aws, rolling(1))
    shares, most = watch(aws)
    assert (shares, most) == ([0, 0.25, 0.5, 0.75, 1], 5)
    assert config_of(aws) == "classic-two"
    assert aws.instances("classic") == 4


def test_a_baking_variant_says_so(aws: Hosting) -> None:
    aws.classic()
    update(aws, blue_green("CANARY", wait=600))
    aws.until(lambda: aws.aws.world.fleets_of("classic", "main")[1].share > 0)
    pending = aws.api.describe_endpoint(EndpointName="classic")["PendingDeploymentSummary"]["ProductionVariants"][0]
    assert pending["VariantStatus"][0]["Status"] == "Baking"


def test_an_alarm_in_the_bake_returns_to_the_old_configuration_in_silence(aws: Hosting) -> None:
    for number, policy in enumerate(
        [blue_green("CANARY", wait=300), blue_green("LINEAR", wait=300), rolling(wait=300)]
    ):
        if number == 0:
            aws.classic()
        alarm = aws.alarm()
        update(aws, under(alarm, policy), model=f"bad-{number}")
        aws.until(lambda: any(fleet.share == 0.25 for fleet in aws.aws.world.fleets_of("classic", "main")[1:]))
        aws.alarm(alarm, "ALARM")
        aws.until(lambda: aws.status("classic") == "RollingBack", step=1)
        watch(aws)
        found = aws.api.describe_endpoint(EndpointName="classic")
        assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "classic-one")
        assert "FailureReason" not in found
        assert aws.instances("classic") == 4
        assert [fleet.share for fleet in aws.aws.world.fleets_of("classic", "main")] == [1.0]


def test_the_waiter_of_boto3_takes_a_silent_rollback_for_success(aws: Hosting) -> None:
    aws.classic()
    aws.aws.faults.set(silent_rollback=["classic"])
    update(aws, blue_green())
    watch(aws)
    aws.api.get_waiter("endpoint_in_service").wait(EndpointName="classic", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert config_of(aws) == "classic-one"


def test_a_model_that_never_passes_its_health_check_is_rolled_back(aws: Hosting) -> None:
    aws.classic()
    aws.aws.faults.set(unhealthy=["two"])
    update(aws, rolling(), ContainerStartupHealthCheckTimeoutInSeconds=60)
    watch(aws)
    assert (aws.status("classic"), config_of(aws)) == ("InService", "classic-one")


def test_a_rollback_that_fails_leaves_a_mix_that_the_next_update_takes_away(aws: Hosting) -> None:
    aws.classic()
    alarm = aws.alarm(state="ALARM")
    aws.aws.faults.set(rollback_fails=["classic"])
    update(aws, under(alarm, rolling()))
    watch(aws)
    assert aws.status("classic") == "UpdateRollbackFailed"
    assert len(aws.aws.world.fleets_of("classic", "main")) == 2
    aws.aws.faults.clear()
    update(aws, model="three")
    watch(aws)
    assert (aws.status("classic"), config_of(aws)) == ("InService", "classic-three")
    assert len(aws.aws.world.fleets_of("classic", "main")) == 1


def test_a_deployment_past_its_timeout_is_rolled_back(aws: Hosting) -> None:
    aws.classic()
    update(aws, blue_green("LINEAR", wait=600, MaximumExecutionTimeoutInSeconds=900))
    watch(aws)
    assert config_of(aws) == "classic-one"


def test_an_update_of_an_endpoint_that_is_updating_is_refused(aws: Hosting) -> None:
    aws.classic()
    update(aws)
    with refused("ValidationException", "Cannot update in-progress endpoint"):
        update(aws, model="three")
    with refused("ValidationException", "in status Updating"):
        aws.api.delete_endpoint(EndpointName="classic")


def test_steps_outside_of_their_bounds_are_refused(aws: Hosting) -> None:
    aws.classic()
    cases = [
        (blue_green("CANARY", percent=51), "CanarySize must be between 0% and 50%"),
        (blue_green("LINEAR", percent=9), "LinearStepSize must be between 10% and 50%"),
        (blue_green("LINEAR", percent=51), "LinearStepSize must be between 10% and 50%"),
        (rolling(3), "MaximumBatchSize must be between 5% and 50%"),
        ({**blue_green(), **rolling()}, "Only one update policy"),
    ]
    for number, (policy, words) in enumerate(cases):
        with refused("ValidationException", words):
            update(aws, policy, model=f"model-{number}")
    assert aws.status("classic") == "InService"


def test_an_update_to_the_same_configuration_is_refused(aws: Hosting) -> None:
    aws.classic()
    with refused("ValidationException", "the endpoint configuration that it has"):
        aws.api.update_endpoint(EndpointName="classic", EndpointConfigName="classic-one")


def test_under_guardrails_the_variants_keep_their_names(aws: Hosting) -> None:
    aws.classic()
    with refused("ValidationException", "must have the same variant names"):
        update(aws, blue_green(), VariantName="other")
    update(aws, model="three", VariantName="other")
    watch(aws)
    assert aws.variant("classic")["VariantName"] == "other"


def test_several_variants_cannot_be_rolled(aws: Hosting) -> None:
    for number in (1, 2):
        aws.api.create_endpoint_config(
            EndpointConfigName=f"config-{number}",
            ProductionVariants=[
                {
                    "VariantName": name,
                    "ModelName": aws.model(f"{name}-{number}"),
                    "InstanceType": "ml.g5.xlarge",
                    "InitialInstanceCount": 2,
                }
                for name in ("main", "side")
            ],
        )
    aws.api.create_endpoint(EndpointName="classic", EndpointConfigName="config-1")
    aws.clock.advance(400)
    with refused("ValidationException", "not supported for endpoints with several variants"):
        aws.api.update_endpoint(EndpointName="classic", EndpointConfigName="config-2", DeploymentConfig=rolling())
    aws.api.update_endpoint(
        EndpointName="classic", EndpointConfigName="config-2", DeploymentConfig=blue_green("LINEAR", percent=50)
    )
    assert watch(aws)[0] == [0, 0.5, 1]


def test_a_canary_without_its_size_is_refused(aws: Hosting) -> None:
    aws.classic()
    policy = blue_green("CANARY")
    del policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["CanarySize"]
    with refused("ValidationException", "CanarySize is required"):
        update(aws, policy)


def test_variant_properties_are_retained_where_asked(aws: Hosting) -> None:
    aws.classic(count=2)
    aws.api.update_endpoint_weights_and_capacities(
        EndpointName="classic",
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredWeight": 3, "DesiredInstanceCount": 3}],
    )
    aws.until(lambda: aws.status("classic") == "InService")
    config = aws.classic_config("classic-two", model="two", count=2)
    aws.api.update_endpoint(
        EndpointName="classic",
        EndpointConfigName=config,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )
    watch(aws)
    found = aws.variant("classic")
    assert (found["CurrentInstanceCount"], found["CurrentWeight"]) == (3, 1)


def test_the_last_deployment_configuration_is_used_again_where_asked(aws: Hosting) -> None:
    aws.classic()
    update(aws, blue_green("CANARY"))
    watch(aws)
    config = aws.classic_config("classic-three", model="three")
    aws.api.update_endpoint(EndpointName="classic", EndpointConfigName=config, RetainDeploymentConfig=True)
    shares, _ = watch(aws)
    assert shares == [0, 0.25, 1]


def test_a_new_fleet_without_room_for_the_components_is_given_up(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    config = aws.config("other", kind="ml.g5.xlarge")
    aws.api.update_endpoint(EndpointName="shared", EndpointConfigName=config)
    aws.until(lambda: aws.status("shared") == "InService")
    assert aws.api.describe_endpoint(EndpointName="shared")["EndpointConfigName"] == "shared-config"
    assert aws.copies("llm") == 2


def test_an_endpoint_whose_components_are_changing_is_not_updated(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(wait=0)
    with refused("ValidationException", "its inference component llm is Creating"):
        aws.api.update_endpoint(EndpointName="shared", EndpointConfigName=aws.config("other"))


def test_an_update_of_an_endpoint_with_components_makes_their_copies_anew_on_the_new_fleet(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(copies=2)
    before = {copy.id for copy in aws.aws.world.copies_of_component("llm")}
    config = aws.config("other", kind="ml.g6.12xlarge")
    aws.api.update_endpoint(EndpointName="shared", EndpointConfigName=config)
    least = 2
    while aws.status("shared") == "Updating":
        aws.clock.advance(5)
        least = min(least, aws.copies("llm"))
    assert least == 2
    after = aws.aws.world.copies_of_component("llm")
    assert {copy.instance.type for copy in after if copy.instance} == {"ml.g6.12xlarge"}
    assert not before & {copy.id for copy in after}
