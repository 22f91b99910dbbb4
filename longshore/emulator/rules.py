"""What the emulator does, rule by rule, each with the document or shape of AWS's that it comes from, and its test.

A source in backquotes is an operation or a shape of SageMaker's API reference (botocore carries its text); "Guide" is a
page of the SageMaker AI Developer Guide; "seen" is an answer of the service that people have published; "assumed" is
what no document says and somebody had to decide. docs/emulator.md shows this table.
"""

from typing import NamedTuple


class Rule(NamedTuple):
    """One rule of the service."""

    says: str
    source: str
    test: str
    """The function that shows it, in tests/emulator."""


_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg"
ROLLING = f"[Guide: rolling deployments]({_GUIDE}/deployment-guardrails-rolling.html)"
CANARY = f"[Guide: canary]({_GUIDE}/deployment-guardrails-blue-green-canary.html)"
LINEAR = f"[Guide: linear]({_GUIDE}/deployment-guardrails-blue-green-linear.html)"
ALL_AT_ONCE = f"[Guide: all at once]({_GUIDE}/deployment-guardrails-blue-green-all-at-once.html)"
EXCLUSIONS = f"[Guide: exclusions]({_GUIDE}/deployment-guardrails-exclusions.html)"
ALARMS = f"[Guide: auto-rollback]({_GUIDE}/deployment-guardrails-configuration.html)"
ZERO = f"[Guide: scale to zero]({_GUIDE}/endpoint-auto-scaling-zero-instances.html)"
ADAPTERS = f"[Guide: adapters]({_GUIDE}/realtime-endpoints-adapt.html)"
PING = f"[Guide: your own inference code]({_GUIDE}/your-algorithms-inference-code.html)"
SIGNING = "AWS Signature Version 4"
METRICS = f"[Guide: metrics]({_GUIDE}/monitoring-cloudwatch.html)"
ALARM_GUIDE = "CloudWatch User Guide: alarm evaluation, missing data"
TRACKING = "Application Auto Scaling User Guide: target tracking"
STEPS = "Application Auto Scaling User Guide: step scaling"
_SEEN = "https://github.com"
SEEN_MISSING = f"[seen]({_SEEN}/aws/amazon-sagemaker-examples/issues/2402)"
SEEN_EXISTS = f"[seen]({_SEEN}/ministryofjustice/modernisation-platform-environments/pull/9383)"
SEEN_STUCK = f"[seen]({_SEEN}/aws/amazon-sagemaker-examples/issues/3432)"
SEEN_HOSTING = f"[seen]({_SEEN}/aws/amazon-sagemaker-feedback/issues/49)"
SEEN_CLASSIC = f"[seen]({_SEEN}/hashicorp/terraform-provider-aws/issues/40644)"
SEEN_CAPACITY = f"[seen]({_SEEN}/aws/deep-learning-containers/pull/6673)"
SEEN_QUOTA = f"[seen]({_SEEN}/aws/amazon-sagemaker-examples/issues/307)"
SEEN_NOT_FOUND = f"[seen]({_SEEN}/aws/amazon-sagemaker-examples/issues/559)"

RULES: dict[str, tuple[Rule, ...]] = {
    "The protocol": (
        Rule(
            "A string that is too long or breaks its pattern is a `ValidationException`.",
            "the shapes' `max` and `pattern`",
            "test_a_name_that_the_shapes_do_not_allow_is_refused",
        ),
        Rule("So is a value outside of its enum.", "the shapes' `enum`", "test_a_value_outside_of_its_enum_is_refused"),
        Rule("So is a number above its maximum.", "the shapes' `max`", "test_a_number_above_its_maximum_is_refused"),
        Rule(
            "So is a required member that is missing.", "the shapes' `required`", "test_what_is_required_is_asked_for"
        ),
        Rule(
            "What is no request at all is a `SerializationException`.",
            "AWS JSON 1.1 protocol",
            "test_what_is_no_request_at_all_is_a_serialization_exception",
        ),
        Rule(
            "Every answer is held against its shape, too; one outside of it is the emulator's own error, status 500.",
            "the output shapes",
            "test_an_answer_outside_of_its_model_is_our_own_error",
        ),
        Rule(
            "A resource that does not exist is a `ValidationException`: `Could not find …`.",
            SEEN_MISSING,
            "test_a_missing_endpoint_is_a_validation_exception",
        ),
        Rule(
            "So is one that exists already: `Cannot create already existing …`; case does not distinguish names.",
            f"{SEEN_EXISTS}; `CreateEndpoint`: names are case-insensitive",
            "test_a_name_is_taken_whatever_its_case",
        ),
        Rule(
            "Lists are filtered; by default they begin with the newest and are ten long.",
            "`ListInferenceComponents`, `ListEndpoints`",
            "test_components_are_listed_filtered_sorted_and_in_pages",
        ),
        Rule(
            "Tags are added, replaced by key and removed, and go with their resource.",
            "`AddTags`, `DeleteTags`",
            "test_tags_are_kept_with_a_component_and_go_with_it",
        ),
    ),
    "Endpoints and instances": (
        Rule(
            "`Creating` until every instance is there (and the variant's model serves on each), then `InService`.",
            "`CreateEndpoint`",
            "test_an_endpoint_is_creating_until_its_instances_are_there",
        ),
        Rule(
            "An instance that is not to be had is asked for again until the variant's timeout; then the endpoint is "
            "`Failed`.",
            f"`ProductionVariant.VariantInstanceProvisionTimeoutInSeconds`; {SEEN_CAPACITY}",
            "test_capacity_that_comes_in_time_is_taken",
        ),
        Rule(
            "A `Failed` endpoint can only be deleted.",
            "`DescribeEndpoint`: EndpointStatus",
            "test_without_capacity_in_time_an_endpoint_fails_and_can_only_be_deleted",
        ),
        Rule(
            "A container that passes no health check within its timeout fails the endpoint.",
            f"`ProductionVariant.ContainerStartupHealthCheckTimeoutInSeconds`; {PING}",
            "test_a_model_that_never_passes_its_health_check_fails_its_endpoint",
        ),
        Rule(
            "Instance pools are asked in the order of their priority; the next one where a type is not to be had.",
            "`InstancePool.Priority`",
            "test_instance_pools_are_asked_in_the_order_of_their_priority",
        ),
        Rule(
            "Beyond the account's limit for an instance type: `ResourceLimitExceeded`. There is no limit unless one is "
            "injected.",
            f"`CreateEndpoint`; {SEEN_QUOTA}",
            "test_a_request_above_the_accounts_quota_is_refused",
        ),
        Rule(
            "A configuration names one of `InstanceType` and `InstancePools`, and a count within the bounds of "
            "managed scaling.",
            "`ProductionVariant`, `ProductionVariantManagedInstanceScaling`",
            "test_a_configuration_that_no_endpoint_can_be_made_of_is_refused",
        ),
        Rule(
            "A configuration without a model needs an execution role.",
            "`CreateEndpointConfig`",
            "test_a_configuration_without_model_and_role_is_refused",
        ),
        Rule(
            "With managed scaling, copies without room bring instances, up to the maximum; instances without copies "
            "are given back, down to the minimum.",
            "`ProductionVariantManagedInstanceScaling`; IDLE_RELEASE",
            "test_managed_scaling_makes_room_for_copies_and_gives_idle_instances_back",
        ),
        Rule(
            "Copies are not moved to make an instance idle, unless the scale-in strategy is CONSOLIDATION.",
            "`ManagedInstanceScalingScaleInStrategy`",
            "test_one_batch_of_an_update_needs_its_own_room_and_asks_managed_scaling_for_it",
        ),
        Rule(
            "With CONSOLIDATION, copies are moved onto fewer instances after the cooldown, and the emptied ones are "
            "given back, at most so many at a time.",
            "`ProductionVariantManagedInstanceScalingScaleInPolicy`",
            "test_consolidation_moves_copies_onto_fewer_instances_after_its_cooldown",
        ),
        Rule(
            "With a minimum of 0 an endpoint of inference components scales to no instances, stays `InService`, and "
            "comes back with the first copy.",
            ZERO,
            "test_an_endpoint_scales_to_zero_instances_and_back",
        ),
        Rule(
            "An instance that is lost is replaced, and its copies come back on it or another.",
            "assumed",
            "test_a_lost_instance_is_replaced_and_its_copies_come_back",
        ),
        Rule(
            "An endpoint that hosts inference components cannot be deleted.",
            SEEN_HOSTING,
            "test_an_endpoint_with_components_cannot_be_deleted",
        ),
        Rule(
            "Weights and counts are changed in `Updating`; counts that are not to be had are taken back in "
            "`RollingBack`.",
            "`UpdateEndpointWeightsAndCapacities`; `DescribeEndpoint`: EndpointStatus",
            "test_counts_that_are_not_to_be_had_are_rolled_back",
        ),
    ),
    "Updates of endpoints": (
        Rule(
            "Without a policy: a whole second fleet, all traffic at once, the old fleet away.",
            f"`UpdateEndpoint`, `DeploymentConfig`; {ALL_AT_ONCE}",
            "test_without_a_policy_all_traffic_moves_to_a_whole_second_fleet",
        ),
        Rule(
            "Canary: a small part of the traffic, the bake, the rest.",
            f"`TrafficRoutingConfig`; {CANARY}",
            "test_a_canary_moves_a_small_part_of_the_traffic_first",
        ),
        Rule(
            "Linear: equal steps, a bake after each.",
            f"`TrafficRoutingConfig`; {LINEAR}",
            "test_a_linear_shift_moves_the_traffic_in_equal_steps",
        ),
        Rule(
            "Rolling: instances batch by batch, so one batch more than the fleet at most.",
            f"`RollingUpdatePolicy`; {ROLLING}",
            "test_a_rolling_deployment_needs_one_batch_more_than_the_fleet",
        ),
        Rule(
            "A canary is at most 50%, a linear step 10 to 50%, a rolling batch 5 to 50% of the instances.",
            "`TrafficRoutingConfig`, `RollingUpdatePolicy`",
            "test_steps_outside_of_their_bounds_are_refused",
        ),
        Rule(
            "Under guardrails the variants keep their names.",
            EXCLUSIONS,
            "test_under_guardrails_the_variants_keep_their_names",
        ),
        Rule(
            "An endpoint with several variants cannot be rolled.",
            EXCLUSIONS,
            "test_several_variants_cannot_be_rolled",
        ),
        Rule(
            "An endpoint is not updated to the configuration that it has: a new one must be created.",
            "`UpdateEndpoint`; that it is refused is assumed",
            "test_an_update_to_the_same_configuration_is_refused",
        ),
        Rule(
            "A variant under its alarms is `Baking`.",
            "`ProductionVariantStatus`",
            "test_a_baking_variant_says_so",
        ),
        Rule(
            "An alarm rolls back; the end is `InService` with the old configuration, and nothing else says so.",
            ALARMS,
            "test_an_alarm_in_the_bake_returns_to_the_old_configuration_in_silence",
        ),
        Rule(
            "boto3's waiter takes that for success.",
            "botocore's `endpoint_in_service`",
            "test_the_waiter_of_boto3_takes_a_silent_rollback_for_success",
        ),
        Rule(
            "A rollback that fails, too, leaves a mix: `UpdateRollbackFailed`, until the next update.",
            f"`DescribeEndpoint`: EndpointStatus; {ROLLING}",
            "test_a_rollback_that_fails_leaves_a_mix_that_the_next_update_takes_away",
        ),
        Rule(
            "A deployment past its maximum execution timeout is rolled back.",
            "`BlueGreenUpdatePolicy`, `RollingUpdatePolicy`: a timeout; that it rolls back is assumed",
            "test_a_deployment_past_its_timeout_is_rolled_back",
        ),
        Rule(
            "Counts and weights of variants are retained where asked, but for those excluded.",
            "`UpdateEndpoint`: RetainAllVariantProperties",
            "test_variant_properties_are_retained_where_asked",
        ),
        Rule(
            "The last deployment configuration is used again where asked.",
            "`UpdateEndpoint`: RetainDeploymentConfig",
            "test_the_last_deployment_configuration_is_used_again_where_asked",
        ),
        Rule(
            "An endpoint that is being changed is not updated: `Cannot update in-progress endpoint`.",
            "assumed; `DescribeEndpoint`: EndpointStatus",
            "test_an_update_of_an_endpoint_that_is_updating_is_refused",
        ),
        Rule(
            "Copies of hosted inference components are made anew on the new fleet before the old one goes.",
            "`UpdateEndpoint`: a new fleet, no loss of availability",
            "test_an_update_of_an_endpoint_with_components_makes_their_copies_anew_on_the_new_fleet",
        ),
    ),
    "Inference components": (
        Rule(
            "`Creating` until every copy serves, then `InService`.",
            "`CreateInferenceComponent`, `DescribeInferenceComponent`",
            "test_a_component_is_creating_until_its_copies_serve",
        ),
        Rule(
            "`CopyCount: 0` is refused at creation, and allowed afterwards.",
            "assumed for creation; `UpdateInferenceComponentRuntimeConfig`",
            "test_no_copies_at_creation_are_refused",
        ),
        Rule(
            "A component needs an endpoint that is `InService`.",
            "assumed",
            "test_a_component_needs_an_endpoint_in_service",
        ),
        Rule(
            "An endpoint whose variants have models of their own hosts no components.",
            SEEN_CLASSIC,
            "test_an_endpoint_with_a_model_of_its_own_hosts_no_components",
        ),
        Rule(
            "One that no instance of its variant can ever hold is refused; one that finds no room in time is `Failed`.",
            "assumed",
            "test_a_component_that_finds_no_room_in_time_fails_and_can_only_be_deleted",
        ),
        Rule(
            "A component in creation cannot be deleted.",
            SEEN_STUCK,
            "test_a_component_in_creation_cannot_be_deleted",
        ),
        Rule(
            "Scaling is `Updating`; another change meanwhile is refused.",
            "`UpdateInferenceComponentRuntimeConfig`; the refusal is assumed",
            "test_a_scaled_component_is_updating_until_it_has_its_copies",
        ),
        Rule(
            "Copies that find no room in time are given up: `InService`, with fewer copies than desired.",
            "`InferenceComponentRuntimeConfigSummary` has both counts; the end is assumed",
            "test_copies_without_room_are_given_up_in_time_and_told_by_the_counts",
        ),
        Rule(
            "Accelerators, CPUs and memory of an instance are never given away twice; whatever fits is placed.",
            "`InferenceComponentComputeResourceRequirements`",
            "test_no_instance_ever_holds_more_than_it_has",
        ),
        Rule(
            "SPREAD puts copies on as many instances as it can.",
            "`InferenceComponentPlacementStrategy`",
            "test_spread_puts_copies_on_as_many_instances_as_it_can",
        ),
        Rule(
            "BINPACK fills an instance before the next; it is also what is done where nothing is said.",
            "`InferenceComponentPlacementStrategy`; the default is assumed",
            "test_packing_fills_an_instance_before_the_next",
        ),
        Rule(
            "`Specifications` are by instance type: a copy goes only where there is one for it, and they are "
            "described in place of the single one.",
            "`CreateInferenceComponent`, `DescribeInferenceComponent`: Specifications",
            "test_specifications_by_instance_type_are_described_in_place_of_the_single_one",
        ),
        Rule(
            "An adapter takes its base's copies and has none of its own; a base with adapters cannot be deleted.",
            f"`InferenceComponentSpecification`: BaseInferenceComponentName; {ADAPTERS}; the refusal is assumed",
            "test_an_adapter_uses_its_base_and_has_no_copies_of_its_own",
        ),
        Rule(
            "An adapter is created with its artifacts alone: no resources, no copies.",
            ADAPTERS,
            "test_an_adapter_with_resources_of_its_own_is_refused",
        ),
        Rule(
            "A container that passes no health check within its timeout fails its component.",
            f"`InferenceComponentStartupParameters`; {PING}",
            "test_a_container_that_never_answers_its_health_check_fails_its_component",
        ),
    ),
    "Updates of inference components": (
        Rule(
            "New copies stand before as many old ones end, so each batch needs room of its own; the bake is between.",
            "`InferenceComponentRollingUpdatePolicy`",
            "test_a_rolling_update_starts_new_copies_bakes_and_then_ends_as_many_old_ones",
        ),
        Rule(
            "Without a rolling policy all new copies stand before the old ones end.",
            "AWS Machine Learning Blog, March 2025, on rolling updates: blue/green was the rule",
            "test_without_a_policy_all_new_copies_stand_before_the_old_ones_go",
        ),
        Rule(
            "A batch is 5 to 50% of the copies.",
            "`InferenceComponentRollingUpdatePolicy`",
            "test_a_batch_above_half_of_the_copies_is_refused",
        ),
        Rule(
            "A batch of one copy is always allowed: a component of one copy could not be updated otherwise.",
            "assumed",
            "test_a_single_copy_is_a_batch_of_its_own",
        ),
        Rule(
            "An alarm rolls back, and leaves the component as it was described before.",
            "`InferenceComponentDeploymentConfig`: AutoRollbackConfiguration",
            "test_an_alarm_rolls_back_and_leaves_the_component_unchanged",
        ),
        Rule(
            "A rollback comes in batches of its own, by default all at once.",
            "`InferenceComponentRollingUpdatePolicy`: RollbackMaximumBatchSize",
            "test_a_rollback_comes_in_batches_of_its_own",
        ),
        Rule(
            "A version that never gets ready, or room, is undone.",
            "assumed",
            "test_a_version_that_never_passes_its_health_check_is_undone",
        ),
        Rule(
            "So is an update past its maximum execution timeout.",
            "`InferenceComponentRollingUpdatePolicy`: a timeout; that it rolls back is assumed",
            "test_an_update_past_its_timeout_is_undone",
        ),
    ),
    "Calls": (
        Rule(
            "Calls must be signed: without a signature, with a strange key or a wrong signature they are 403.",
            SIGNING,
            "test_what_is_not_signed_as_it_must_be_is_refused",
        ),
        Rule(
            "A signature covers the body, whose hash is computed here: `UNSIGNED-PAYLOAD` is refused.",
            f"{SIGNING}; no operation of the runtime has the trait `unsignedPayload`",
            "test_an_unsigned_payload_is_refused",
        ),
        Rule(
            "Keys of IAM users and of assumed roles are as good as the emulator's own, while they last.",
            SIGNING,
            "test_a_role_that_was_assumed_may_call",
        ),
        Rule(
            "A container sees the headers that are for it, and no others.",
            "`InvokeEndpoint`",
            "test_a_container_sees_the_headers_that_are_for_it_and_no_others",
        ),
        Rule(
            "A body has at most 25 MB; the shape still says 6.",
            "Guide: inference options, since late 2025",
            "test_a_body_has_at_most_25_mb",
        ),
        Rule(
            "A model has 60 s to answer.",
            "`InvokeEndpoint`",
            "test_a_model_that_takes_too_long_is_an_error_without_a_status",
        ),
        Rule(
            "A model's error is 424 `ModelError`, with the model's own status.",
            "`InvokeEndpoint`: ModelError",
            "test_a_models_error_is_424_with_its_own_status",
        ),
        Rule(
            "An endpoint or component that is not there is a `ValidationError`.",
            SEEN_NOT_FOUND,
            "test_what_is_not_there_is_a_validation_error",
        ),
        Rule(
            "An endpoint of components wants to know which is called.",
            "`InvokeEndpoint`: InferenceComponentName; the words are as seen",
            "test_an_endpoint_of_components_wants_to_know_which",
        ),
        Rule(
            "A component without a ready copy answers with a `ValidationError`: there is no capacity.",
            ZERO,
            "test_a_component_at_zero_copies_says_that_it_has_no_capacity",
        ),
        Rule(
            "Copies are chosen at random, or by the fewest calls that wait for their answer.",
            "`ProductionVariantRoutingConfig`; the default is as the shape says",
            "test_least_outstanding_requests_go_round_a_copy_that_is_busy",
        ),
        Rule(
            "Variants are chosen by their weights, unless the call names one.",
            "`ProductionVariant`: InitialVariantWeight; `InvokeEndpoint`: TargetVariant",
            "test_a_classic_endpoint_serves_by_its_variants",
        ),
        Rule(
            "A streamed answer comes in its parts, as `vnd.amazon.eventstream`.",
            "`InvokeEndpointWithResponseStream`",
            "test_a_streamed_answer_comes_in_its_parts",
        ),
        Rule(
            "One that breaks off ends in a `ModelStreamError`.",
            "`ResponseStream`",
            "test_a_stream_that_breaks_off_ends_in_an_error",
        ),
        Rule(
            "An asynchronous call has its request and its answer, or what went wrong, in S3.",
            "`InvokeEndpointAsync`, `AsyncInferenceOutputConfig`",
            "test_an_asynchronous_call_finds_its_answer_in_s3",
        ),
        Rule(
            "An endpoint is called synchronously or asynchronously, as its configuration says, and not both.",
            "assumed",
            "test_endpoints_are_called_as_what_they_are",
        ),
        Rule(
            "An adapter is served by its base's copies, which are told for which adapter.",
            "`InferenceComponentSpecification`: BaseInferenceComponentName; the header is assumed",
            "test_an_adapter_is_served_by_the_copies_of_its_base",
        ),
        Rule(
            "Throttled calls are 429. A fault that names no operation does not throttle them.",
            "assumed",
            "test_throttling_is_429",
        ),
    ),
    "Containers": (
        Rule(
            "A copy is in service once its `GET /ping` says 200, and out of it while that is not answered within 2 s.",
            PING,
            "test_a_copy_is_ready_once_its_ping_says_200",
        ),
        Rule(
            "Containers get their `Environment` and their port in `SAGEMAKER_BIND_TO_PORT`; their model is in "
            "`SM_MODEL_DIR`, not in /opt/ml/model.",
            f"{PING}; the folder is ours, for there is no container",
            "test_a_container_is_told_what_sagemaker_tells",
        ),
        Rule(
            "A container that dies is started again.",
            "assumed",
            "test_a_process_that_dies_is_started_again",
        ),
        Rule(
            "A copy that is ended gets no more calls and finishes those it has, for 30 s.",
            "assumed",
            "test_a_copy_that_is_ended_finishes_the_calls_that_it_has",
        ),
        Rule(
            "A container that is ended gets SIGTERM, and SIGKILL 30 s later.",
            PING,
            "test_who_does_not_listen_to_sigterm_is_killed",
        ),
        Rule(
            "A model's archive is unpacked; all objects under a prefix are brought as they are.",
            "`ContainerDefinition`: ModelDataUrl; `S3ModelDataSource`",
            "test_an_archive_is_unpacked",
        ),
        Rule(
            "Data that cannot be brought fail their copy.",
            "assumed",
            "test_a_copy_whose_model_cannot_be_had_fails",
        ),
    ),
    "Metrics and alarms": (
        Rule(
            "Calls are counted for the component and for its variant.",
            METRICS,
            "test_calls_are_counted_for_the_component_and_for_its_variant",
        ),
        Rule(
            "Latencies are in microseconds of real time, with percentiles.",
            METRICS,
            "test_latencies_are_microseconds_and_have_percentiles",
        ),
        Rule(
            "How many calls there are at once is told every ten seconds, per model and per copy; no calls are told as "
            "zero.",
            f"{METRICS}; that zero is told is assumed",
            "test_how_many_calls_there_are_at_once_is_told_every_ten_seconds",
        ),
        Rule(
            "Other dimensions are another metric.",
            "CloudWatch User Guide: metrics concepts",
            "test_other_dimensions_are_another_metric",
        ),
        Rule(
            "Alarms are judged every period, at most every minute, by datapoints some of which may be missing.",
            ALARM_GUIDE,
            "test_the_guides_tables_hold",
        ),
        Rule(
            "They do so by the emulated time.",
            "the emulator's clock",
            "test_an_alarm_follows_its_metric_by_the_emulators_time",
        ),
        Rule(
            "A state that was set by hand stands until the next evaluation.",
            "CloudWatch API: SetAlarmState",
            "test_a_state_that_was_set_by_hand_stands_until_the_next_evaluation",
        ),
        Rule(
            "Rollbacks of updates ask the same alarms.",
            "`AutoRollbackConfig`",
            "test_a_rollback_asks_the_same_alarms",
        ),
    ),
    "Scaling": (
        Rule(
            "A capacity outside of new bounds is put right at once.",
            "Application Auto Scaling API: RegisterScalableTarget",
            "test_a_capacity_outside_of_new_bounds_is_put_right",
        ),
        Rule(
            "Target tracking makes alarms of its own and takes them along.",
            TRACKING,
            "test_a_policy_makes_its_own_alarms_and_takes_them_along",
        ),
        Rule(
            "It scales out after three periods above the target, and in after fifteen minutes below nine tenths of it, "
            "down to zero.",
            f"{TRACKING}; the nine tenths are as seen",
            "test_many_calls_at_once_scale_out_and_none_scale_in_to_zero",
        ),
        Rule(
            "What was just added counts while a scale-out cools down; scaling in waits for its own cooldown.",
            "Application Auto Scaling User Guide: define cooldown periods",
            "test_target_tracking",
        ),
        Rule(
            "Step scaling takes the step that the breach falls into.",
            STEPS,
            "test_step_scaling",
        ),
        Rule(
            "A step policy behind an alarm on NoCapacityInvocationFailures wakes a component from zero.",
            ZERO,
            "test_the_first_call_that_finds_nobody_wakes_a_component_from_zero",
        ),
        Rule(
            "A suspended target stays as it is.",
            "Application Auto Scaling API: SuspendedState",
            "test_a_suspended_target_stays_as_it_is",
        ),
        Rule(
            "A change that SageMaker refuses is a failed activity, and is tried again while the alarm stands.",
            "assumed",
            "test_a_refused_change_is_told_and_tried_again",
        ),
    ),
}

NOT_EMULATED: tuple[str, ...] = (
    "Serverless and multi-model endpoints, inference pipelines beyond their first container, shadow variants.",
    "Rolling deployments of endpoints that host inference components, models of model packages.",
    "Data capture, explainers, network isolation, VPCs.",
    "Partitions of accelerators (MIG), Availability Zones and `AvailabilityZoneBalance`, capacity reservations.",
    "`PREFIX_AWARE` and `KV_AWARE` routing.",
    "IAM: any signed caller may do anything. Only calls of models have their signature checked.",
    "Regions and accounts: there is one account, 123456789012, and what one region creates every region sees.",
    "EventBridge's events of state changes, CloudTrail, logs of containers in CloudWatch Logs.",
    "`SystemUpdating` and `OutOfService`: AWS's own maintenance.",
    "Instance types other than those in `longshore/emulator/instances.py`.",
    "What a real container and its GPU need: a copy's memory is counted, not measured.",
    "Metrics of GPUs' memory and of disks. A GPU is told as used while its copy has a call; CPUs, memory are measured.",
    "Composite alarms, alarms on anomalies, metric math beyond + - * / and FILL.",
    "CloudWatch's metrics and alarms by the Query protocol, which older SDKs speak.",
    "Scheduled and predictive scaling; notifications by SNS; stateful sessions.",
    "All other operations of SageMaker are moto's, and as faithful as moto.",
)
