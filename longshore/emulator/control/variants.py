"""Production variants: what a configuration may say of them, and the fleets that come of them."""

from collections.abc import Mapping
from typing import Any

from longshore.emulator.errors import invalid
from longshore.emulator.instances import room_of
from longshore.emulator.state import DEFAULT_START_SECONDS, Blueprint, Container, Fleet, Model, Need

Variant = Mapping[str, Any]


def check_variant(variant: Variant, *, has_role: bool) -> None:
    """Refuse what no endpoint could be made of.

    Raises:
        AwsError: what is wrong with it.
    """
    name = variant["VariantName"]
    if "ServerlessConfig" in variant:
        raise invalid("The emulator has no serverless endpoints.")
    if ("InstanceType" in variant) == ("InstancePools" in variant):
        raise invalid(f"Variant {name}: one of InstanceType and InstancePools must be specified, and not both.")
    for kind in _types(variant):
        room_of(kind)
    _check_pools(variant)
    if "InitialInstanceCount" not in variant:
        raise invalid(f"Variant {name}: InitialInstanceCount is required for instance-based variants.")
    if "ModelName" not in variant and not has_role:
        raise invalid("ExecutionRoleArn is required for an endpoint that hosts inference components.")
    _check_scaling(variant)


def _types(variant: Variant) -> list[str]:
    pools = variant.get("InstancePools")
    return [pool["InstanceType"] for pool in pools] if pools else [variant["InstanceType"]]


def _check_pools(variant: Variant) -> None:
    pools = variant.get("InstancePools", [])
    for member in ("InstanceType", "Priority"):
        if len({pool[member] for pool in pools}) < len(pools):
            raise invalid(f"Variant {variant['VariantName']}: each instance pool must have its own {member}.")


def _check_scaling(variant: Variant) -> None:
    scaling = variant.get("ManagedInstanceScaling")
    if scaling is None or scaling.get("Status") != "ENABLED":
        return
    least, most = scaling.get("MinInstanceCount", 1), scaling.get("MaxInstanceCount")
    initial = variant["InitialInstanceCount"]
    if least == 0 and "ModelName" in variant:
        raise invalid("MinInstanceCount can be 0 only for endpoints that host inference components.")
    if most is not None and least > most:
        raise invalid(f"MinInstanceCount {least} must be less than or equal to MaxInstanceCount {most}.")
    if initial < least or (most is not None and initial > most):
        raise invalid(f"InitialInstanceCount {initial} must be between MinInstanceCount and MaxInstanceCount.")


def container_of(model: Model) -> Container:
    """What a SageMaker model runs: its primary container, or the first of several."""
    given = model.request.get("PrimaryContainer") or model.request["Containers"][0]
    source = (given.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return Container(
        image=given.get("Image", ""),
        model_url=given.get("ModelDataUrl") or source.get("S3Uri"),
        environment=dict(given.get("Environment") or {}),
        model_name=model.name,
    )


def fleet_of(endpoint: str, variant: Variant, models: Mapping[str, Model]) -> Fleet:
    """The fleet that a variant of a configuration asks for, without its instances yet."""
    weight = float(variant.get("InitialVariantWeight", 1.0))
    return Fleet(
        endpoint=endpoint,
        variant=variant["VariantName"],
        settings=variant,
        desired=int(variant["InitialInstanceCount"]),
        weight=weight,
        desired_weight=weight,
        blueprint=_blueprint(variant, models),
    )


def _blueprint(variant: Variant, models: Mapping[str, Model]) -> Blueprint | None:
    """One container an instance; instance pools may each have a model of their own."""
    if "ModelName" not in variant:
        return None
    need = Need(whole_instance=True)
    by_type: dict[str | None, tuple[Need, Container]] = {None: (need, container_of(models[variant["ModelName"]]))}
    for pool in variant.get("InstancePools", []):
        if override := pool.get("ModelNameOverride"):
            by_type[pool["InstanceType"]] = (need, container_of(models[override]))
    seconds = float(variant.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_START_SECONDS))
    return Blueprint(by_type, start_seconds=seconds)
