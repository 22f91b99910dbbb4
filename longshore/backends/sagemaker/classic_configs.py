"""The model objects and endpoint configurations that classic endpoints are of; their names are those of the content."""

import json
from typing import Any

import structlog

from longshore.backends.port import BackendError, CopiesLevel, Handover
from longshore.backends.sagemaker import specification
from longshore.backends.sagemaker.errors import AbsentError, TakenError
from longshore.backends.sagemaker.names import Names
from longshore.backends.sagemaker.site import Site
from longshore.planning.servable import ARCHIVE
from longshore.spec.sagemaker import Instances, SageMakerTarget

logger = structlog.get_logger(__name__)


class Configs:
    """Those of one target."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.instances = _made_of(site.target, site.spec)

    @property
    def instance_type(self) -> str:
        """The type that copies run on; of several the first."""
        pools = sorted(enumerate(self.instances.pools), key=lambda pool: (pool[1].priority or pool[0] + 1, pool[0]))
        return self.instances.type or pools[0][1].instance_type

    def name(self, names: Names, of: CopiesLevel | Handover, copies: int) -> str:
        """The name of a version's configuration, of so many copies."""
        return names.config(of.deployment, json.dumps(self._variants(names, of, copies)))

    async def make(self, names: Names, of: CopiesLevel | Handover, copies: int, tags: list[dict[str, str]]) -> str:
        """Make the model object and the endpoint configuration of a version; their names are those of the content."""
        model = specification.model_object(names, of, self._site.spec.execution_role or "")
        if of.spec.artifact.uri.endswith(ARCHIVE):
            del model["PrimaryContainer"]["ModelDataSource"]
            model["PrimaryContainer"]["ModelDataUrl"] = of.spec.artifact.uri
        await self.quietly("CreateModel", **model, Tags=tags)
        variants = self._variants(names, of, copies)
        config = self.name(names, of, copies)
        request = {"EndpointConfigName": config, "ProductionVariants": variants}
        await self.quietly("CreateEndpointConfig", **request, Tags=tags)
        return config

    def _variants(self, names: Names, of: CopiesLevel | Handover, copies: int) -> list[dict[str, Any]]:
        own, instances = of.spec.sagemaker, self.instances
        variant: dict[str, Any] = {
            "VariantName": self._site.spec.variant,
            "ModelName": names.model(of.deployment, of.version),
            "InitialInstanceCount": max(1, copies),
            "InstanceType": self.instance_type,
            "RoutingConfig": {"RoutingStrategy": instances.routing},
        }
        if instances.inference_ami_version is not None:
            variant["InferenceAmiVersion"] = instances.inference_ami_version
        if own is not None and own.download_timeout is not None:
            variant["ModelDataDownloadTimeoutInSeconds"] = int(own.download_timeout)
        if own is not None and own.startup_timeout is not None:
            variant["ContainerStartupHealthCheckTimeoutInSeconds"] = int(own.startup_timeout)
        return [variant]

    async def forget(self, config: str, *, model: bool = True) -> None:
        """Delete a configuration, and the model that it is of, unless another is of that, too."""
        try:
            answer = await self._site.aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=config)
        except AbsentError:
            return
        for variant in answer["ProductionVariants"] if model else ():
            await self.quietly("DeleteModel", ModelName=variant["ModelName"])
        await self.quietly("DeleteEndpointConfig", EndpointConfigName=config)

    async def quietly(self, operation: str, **request: Any) -> None:
        """Make a call that may have been made before: what is made is there, what is deleted is gone."""
        try:
            await self._site.aws.call("sagemaker", operation, **request)
        except (AbsentError, TakenError):
            logger.debug("made before", operation=operation)


def _made_of(target: str, spec: SageMakerTarget) -> Instances:
    if spec.instances is None:
        raise BackendError("InstancesMissing", f"target {target} has no sagemaker.instances: add them", retryable=False)
    return spec.instances
