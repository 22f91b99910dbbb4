"""Whether the target of a deployment has what its checks are measured from. Pure."""

from collections.abc import Iterator

from longshore.spec.deployment import Check, DeploymentSpec
from longshore.spec.sources import OF_SAGEMAKER
from longshore.spec.target import TargetSpec


def unmeasurable(spec: DeploymentSpec, target: TargetSpec) -> Iterator[tuple[str, str]]:
    """Checks that could never be measured on this target: (field, what is wrong and the cure) pairs."""
    for index, check in enumerate(spec.rollout.checks):
        field = f"spec.rollout.checks[{index}].source.cloudwatch"
        for name, message in _on_cloudwatch(check, spec.target, target):
            yield (f"{field}.{name}" if name else field), message


def _on_cloudwatch(check: Check, name: str, target: TargetSpec) -> Iterator[tuple[str, str]]:
    asked = check.cloudwatch
    if asked is None:
        return
    place = target.sagemaker
    if place is None and asked.ready_made:
        cure = "leave source out for what the gateway measures, or name namespace, metric and statistic"
        yield "", f"{check.measured} is of an inference component, and target {name} is {target.backend}: {cure}"
    if place is None and asked.region is None:
        yield "region", f"target {name} is {target.backend} and has no region: add the region whose CloudWatch is meant"
    if place is None and (unknown := asked.placeholders & OF_SAGEMAKER):
        yield "dimensions", f"$({min(unknown)}) is SageMaker's, and target {name} is {target.backend}: write its value"
    if place is not None and place.endpoint is None and asked.ready_made:
        yield from _on_a_classic_endpoint(check, name)


def _on_a_classic_endpoint(check: Check, name: str) -> Iterator[tuple[str, str]]:
    """Its metrics are of the endpoint, whichever version answers."""
    if check.compare is not None:
        message = f"the endpoints of target {name} tell of no single version, so there is no baseline: use max or min"
        yield "", message
    elif (check.metric or "").endswith("-utilization"):
        yield "", f"{check.metric} is of an inference component, and target {name} has none: name a metric of endpoints"
