"""The Backend port over a SageMaker endpoint that many models share."""

from typing import Any

from longshore.backends.inventory import Adoption, Found
from longshore.backends.notebook import Notebook
from longshore.backends.port import AutoscalerLevel, BackendError, CopiesLevel, Handover, HttpAnswer
from longshore.backends.sagemaker import asking, picture
from longshore.backends.sagemaker.components import Components
from longshore.backends.sagemaker.endpoint import SharedEndpoint
from longshore.backends.sagemaker.inventory import SharedInventory
from longshore.backends.sagemaker.native import NativeComponentUpdates
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.reading import Clock, Pace, Reader, utc_now
from longshore.backends.sagemaker.scaling import ComponentScaling
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.verifying import Verifier
from longshore.planning.fence import Fence
from longshore.planning.native import NativeStatus
from longshore.planning.observed import Copy, Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.sagemaker import SageMakerTarget
from longshore.spec.target import Host

LOG_GROUP = "/aws/sagemaker/InferenceComponents/"


class SageMakerBackend:
    """One target's copies as counts of inference components; each version of a deployment has one.

    It keeps nothing but readings: what must last is in the notebook, and any number of workers may have one of it.
    """

    def __init__(
        self,
        target: str,
        spec: SageMakerTarget,
        notebook: Notebook,
        pace: Pace | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.site = Site(target, spec, notebook)
        self.reader = Reader(self.site, pace, clock)
        self._endpoint = SharedEndpoint(self.site, self.reader)
        self._components = Components(self.site, self.reader, self._endpoint)
        self._native = NativeComponentUpdates(self.site, self.reader, self._components)
        self._scaling = ComponentScaling(self.site, self.reader)
        self._verifier = Verifier(self.site.aws)
        self._inventory = SharedInventory(self.site, self.reader, self._verifier)

    async def declare(self, hosts: tuple[Host, ...]) -> None:  # noqa: ARG002 - its hosts are the endpoint's instances
        """Make the target's endpoint, or check the one that is there; see `SharedEndpoint.declare`."""
        await self._endpoint.declare()

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check artifact and image; see `Verifier.verify`."""
        await self._verifier.verify(model, version, spec)

    async def ensure(self, level: CopiesLevel) -> Observation:
        """Bring one version of a deployment to a level, as far as one change goes; see `Components.ensure`."""
        await self._components.ensure(level)
        return await self.observe(level.deployment)

    async def observe(self, deployment: str | None = None) -> Observation:
        """Read the whole target, or one deployment's part of it. A reading is shared for some seconds: see `Pace`.

        That a deployment for which nothing was ever asked has no copies is known without SageMaker, so it can be
        retired from a target that cannot be read.
        """
        sequence = await self.site.notebook.begin_reading()
        noted = await self.reader.noted()
        try:
            view = await self.reader.view(noted, deployment)
        except BackendError as error:
            if deployment is None or noted.holds(deployment):
                raise
            return Observation(
                target=self.site.target,
                sequence=sequence,
                at=self.reader.clock(),
                hosts=(),
                copies=(),
                deployment=deployment,
                trouble=error.message,
            )
        if deployment is None:
            await self._components.sweep(noted, view)
        now = self.reader.clock()
        drawn = picture.draw(view, noted, now)
        url = await self.site.aws.url("sagemaker-runtime")
        ways = picture.upstreams(noted, view.endpoint.name, url, self.site.aws.region, self.site.spec.role)
        return Observation(
            target=self.site.target,
            sequence=sequence,
            at=now,
            hosts=drawn.hosts,
            copies=tuple(one for one in drawn.copies if deployment in {None, one.deployment}),
            deployment=deployment,
            upstreams=tuple(one for one in ways if deployment in {None, one.deployment}),
            differences=tuple(one for one in drawn.differences if deployment in {None, one.deployment}),
            trouble=view.endpoint.trouble,
        )

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """Send one request to the component of a copy; see `asking.invoke`."""
        where = {"EndpointName": self.site.spec.endpoint or "", "InferenceComponentName": component_of(copy.id)}
        return await asking.invoke(self.site.aws, copy.id, method, path, body, timeout=timeout, **where)

    async def components(self) -> tuple[Found, ...]:
        """Everything on the endpoint whoever made it; see `Inventory`."""
        return await self._inventory.components()

    async def examine(self, component: str, base: ModelVersionSpec | None) -> ModelVersionSpec:
        """The version that a component is; see `Inventory`."""
        return await self._inventory.examine(component, base)

    async def accept(self, adoption: Adoption) -> Observation:
        """Note a component as ours and as it is; see `Inventory`."""
        await self._inventory.accept(adoption)
        return await self.observe(adoption.deployment)

    async def steer(self, level: AutoscalerLevel) -> None:
        """Tell Application Auto Scaling whose copies it chooses; see `Autoscaling`."""
        await self._scaling.steer(level)

    async def hand_over(self, update: Handover) -> None:
        """Hand an update to SageMaker's own mechanism; see `NativeUpdates`."""
        await self._native.hand_over(update)

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See how such an update stands; see `NativeUpdates`."""
        return await self._native.follow(deployment, fence)

    async def names_of(self, deployment: str, version: str) -> dict[str, str]:
        """What SageMaker calls a version (`longshore.backends.naming`); its component may have been taken over."""
        if self.site.spec.endpoint is None:
            return {}
        page = (await self.site.notebook.pages(deployment)).get((deployment, version))
        own = (await self.site.names()).component(deployment, version)
        component = VersionPage.model_validate(page).component if page else own
        return {"COMPONENT": component, "ENDPOINT": self.site.spec.endpoint, "VARIANT": self.site.spec.variant}

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """The last lines that a component's copies wrote; see `asking.last_lines`."""
        return await asking.last_lines(self.site.aws, LOG_GROUP + component_of(copy_id), tail)


def component_of(copy_id: str) -> str:
    """The component whose copy has this id; see `picture.copy_id`."""
    return copy_id.rpartition("#")[0] or copy_id
