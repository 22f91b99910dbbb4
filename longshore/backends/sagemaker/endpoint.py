"""The endpoint that a target's deployments share: made by us where the target says of which instances, else checked.

What we make carries our tags, and only that is ever changed. A configuration cannot be changed, so its name is that of
its content: the same wish has the same name, and is asked for once.
"""

import json
from typing import Any, Final

import structlog

from longshore.backends.port import BackendError
from longshore.backends.sagemaker import hosts
from longshore.backends.sagemaker.errors import AbsentError, TakenError
from longshore.backends.sagemaker.names import Names, tags_of
from longshore.backends.sagemaker.reading import Reader
from longshore.backends.sagemaker.seen import BROKEN, Endpoint
from longshore.backends.sagemaker.site import Site
from longshore.spec.sagemaker import Instances, SageMakerTarget

logger = structlog.get_logger(__name__)

TAKES_COMPONENTS: Final = frozenset({"InService", "Updating", "SystemUpdating"})


class SharedEndpoint:
    """One target's endpoint."""

    def __init__(self, site: Site, reader: Reader) -> None:
        self._site = site
        self._reader = reader
        self._name = site.spec.endpoint or ""
        self._refused: BackendError | None = None
        """Why nothing may be made on the endpoint, as that it is not ours; None while nothing is against it."""

    async def declare(self) -> None:
        """Bring the endpoint to what the target says: make it, or change what it is made of; or see that it is there.

        Raises:
            BackendError: reasons `EndpointMissing`, `EndpointNotOurs`, `EndpointBusy`, `VariantMissing`,
                `InstanceTypeUnknown`; or AWS refused.
        """
        try:
            await self._declare()
        except BackendError as error:
            self._refused = None if error.retryable else error
            raise
        self._refused = None

    async def _declare(self) -> None:
        if self._site.spec.instances is None:
            found = await self._reader.endpoint()
            for instance_type in found.instances:
                hosts.known_type(instance_type)
            return
        names = await self._site.names()
        wanted = variants(self._site.spec, self._site.spec.instances)
        config = names.config(self._name, json.dumps(wanted, sort_keys=True))
        try:
            there = await self._site.aws.call("sagemaker", "DescribeEndpoint", EndpointName=self._name)
        except AbsentError:
            await self._make(config, wanted, names)
            return
        await self._check_owner(there, names)
        if there["EndpointStatus"] in BROKEN:
            logger.warning("the endpoint failed; it is made anew", endpoint=self._name, said=there.get("FailureReason"))
            await self._site.aws.call("sagemaker", "DeleteEndpoint", EndpointName=self._name)
        elif there.get("EndpointConfigName") != config:
            await self._change(there, config, wanted, names)
        else:
            await self._remove_old_configs(config, names)

    async def ready(self) -> None:
        """See that the endpoint takes components, and have it made anew where it failed.

        Raises:
            BackendError: reason `EndpointNotReady`, retryable; or what `declare` refused for good.
        """
        if self._refused is not None:
            raise self._refused
        known = self._reader.endpoint_seen
        if known is not None and known.status in TAKES_COMPONENTS:
            return
        found = await self._found()
        if found is not None and found.status in TAKES_COMPONENTS:
            return
        if self._site.spec.instances is not None and (found is None or found.status in BROKEN):
            await self.declare()
        why = f": {'; '.join(found.messages)}" if found is not None and found.messages else ""
        stands = "being made" if found is None else found.status
        message = f"endpoint {self._name} is {stands}{why}; copies start when it is in service"
        raise BackendError("EndpointNotReady", message, retryable=True)

    async def _found(self) -> Endpoint | None:
        """The endpoint now; None while one of ours is not there, as between one that failed and the next."""
        try:
            return await self._reader.endpoint()
        except BackendError as error:
            if error.reason != "EndpointMissing" or self._site.spec.instances is None:
                raise
            return None

    async def _make(self, config: str, wanted: list[dict[str, Any]], names: Names) -> None:
        await self._make_config(config, wanted, names)
        request = {"EndpointName": self._name, "EndpointConfigName": config}
        try:
            await self._site.aws.call("sagemaker", "CreateEndpoint", **request, Tags=names.tags())
        except TakenError:
            return  # by another worker of ours, a moment ago; if by a stranger, the next look says so
        logger.info("endpoint made", endpoint=self._name, config=config)

    async def _change(self, there: dict[str, Any], config: str, wanted: list[dict[str, Any]], names: Names) -> None:
        if there.get("PendingDeploymentSummary", {}).get("EndpointConfigName") == config:
            return
        if there["EndpointStatus"] != "InService":
            message = f"endpoint {self._name} is {there['EndpointStatus']}; its instances are changed when that is over"
            raise BackendError("EndpointBusy", message, retryable=True)
        await self._make_config(config, wanted, names)
        await self._site.aws.call(
            "sagemaker",
            "UpdateEndpoint",
            EndpointName=self._name,
            EndpointConfigName=config,
            RetainAllVariantProperties=True,
        )
        logger.info("endpoint is being changed", endpoint=self._name, config=config)

    async def _make_config(self, config: str, wanted: list[dict[str, Any]], names: Names) -> None:
        try:
            await self._site.aws.call(
                "sagemaker",
                "CreateEndpointConfig",
                EndpointConfigName=config,
                ProductionVariants=wanted,
                ExecutionRoleArn=self._site.spec.execution_role,
                Tags=names.tags(),
            )
        except TakenError:
            logger.debug("made before", config=config)

    async def _check_owner(self, there: dict[str, Any], names: Names) -> None:
        answer = await self._site.aws.call("sagemaker", "ListTags", ResourceArn=there["EndpointArn"])
        if not names.ours(tags_of(answer.get("Tags", []))):
            message = (
                f"endpoint {self._name} is there and was not made by this target: leave out sagemaker.instances to use "
                "it as it is, or give another name"
            )
            raise BackendError("EndpointNotOurs", message, retryable=False)

    async def _remove_old_configs(self, config: str, names: Names) -> None:
        """Those that the endpoint had before; only ours begin with our letters."""
        stem = config.rsplit("-", 2)[0]
        listed = await self._site.aws.all("sagemaker", "ListEndpointConfigs", "EndpointConfigs", NameContains=stem)
        for one in listed:
            name = one["EndpointConfigName"]
            if name.startswith(names.prefix) and name != config and name.rsplit("-", 2)[0] == stem:
                await self._site.aws.call("sagemaker", "DeleteEndpointConfig", EndpointConfigName=name)


SCALE_IN: Final = {"consolidation": "CONSOLIDATION", "idleRelease": "IDLE_RELEASE"}


def variants(spec: SageMakerTarget, instances: Instances) -> list[dict[str, Any]]:
    """The endpoint's one production variant, as CreateEndpointConfig takes it. Pure."""
    variant: dict[str, Any] = {
        "VariantName": spec.variant,
        "InitialInstanceCount": max(1, instances.min),
        "ManagedInstanceScaling": {
            "Status": "ENABLED",
            "MinInstanceCount": instances.min,
            "MaxInstanceCount": instances.max,
            "ScaleInPolicy": {"Strategy": SCALE_IN[instances.scale_in]},
        },
        "RoutingConfig": {"RoutingStrategy": instances.routing},
    }
    if instances.type is not None:
        variant["InstanceType"] = instances.type
    else:
        variant["InstancePools"] = [
            {"InstanceType": pool.instance_type, "Priority": pool.priority or order}
            for order, pool in enumerate(instances.pools, start=1)
        ]
    if instances.inference_ami_version is not None:
        variant["InferenceAmiVersion"] = instances.inference_ami_version
    return [variant]
