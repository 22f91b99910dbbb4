"""The Backend port over classic endpoints: each deployment has one of its own, and its copies are instances.

An endpoint is of one version at a time. From one to the next SageMaker brings it itself (`hand_over`); here it is
made, given other counts, and deleted. No copies are no endpoint: SageMaker knows no classic one without instances.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog

from longshore.backends.notebook import Notebook, Turn
from longshore.backends.port import BackendError, CopiesLevel, Handover, HttpAnswer
from longshore.backends.sagemaker import asking, classic_seen, specification
from longshore.backends.sagemaker.classic_configs import Configs
from longshore.backends.sagemaker.classic_native import NativeEndpointUpdates, write
from longshore.backends.sagemaker.classic_reading import EndpointReader
from longshore.backends.sagemaker.classic_seen import EndpointPage, SeenEndpoint
from longshore.backends.sagemaker.errors import TakenError
from longshore.backends.sagemaker.hosts import known_type
from longshore.backends.sagemaker.names import Names, tags_of
from longshore.backends.sagemaker.reading import Clock, Pace, utc_now
from longshore.backends.sagemaker.seen import lacks_capacity
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.steps import busy
from longshore.backends.sagemaker.verifying import Verifier
from longshore.planning.fence import Fence
from longshore.planning.native import NativeStatus
from longshore.planning.observed import Copy, Observation, Upstream
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.sagemaker import SageMakerTarget
from longshore.spec.target import Host

logger = structlog.get_logger(__name__)

LOG_GROUP: Final = "/aws/sagemaker/Endpoints/"


class ClassicBackend:
    """One target's classic endpoints. It keeps nothing but readings: what must last is in the notebook."""

    def __init__(
        self,
        target: str,
        spec: SageMakerTarget,
        notebook: Notebook,
        pace: Pace | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.site = Site(target, spec, notebook)
        self._configs = Configs(self.site)
        self._reader = EndpointReader(self.site, pace or Pace(), clock)
        self._native = NativeEndpointUpdates(self.site, self._reader, self._configs)
        self._verifier = Verifier(self.site.aws)

    async def declare(self, hosts: tuple[Host, ...]) -> None:  # noqa: ARG002 - its hosts are the endpoints' instances
        """Check that its instances are of a kind that is known.

        Raises:
            BackendError: reason `InstanceTypeUnknown`.
        """
        known_type(self._configs.instance_type)

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check artifact and image; see `Verifier.verify`."""
        await self._verifier.verify(model, version, spec)

    async def ensure(self, level: CopiesLevel) -> Observation:
        """Bring a deployment's endpoint to a level, as far as one change goes.

        Raises:
            BackendError: `OtherVersionServes`, not retryable; `EndpointBusy`, retryable; or AWS refused.
            FenceRefusedError: a later step came first.
        """
        async with self.site.notebook.turn(level.deployment, level.fence) as turn:
            known = classic_seen.read(turn.pages)
            page = known.get(level.version)
            if page is not None or level.copies:
                await self._bring(turn, level, page, known)
        return await self.observe(level.deployment)

    async def observe(self, deployment: str | None = None) -> Observation:
        """Read every endpoint of ours, or one deployment's."""
        sequence = await self.site.notebook.begin_reading()
        every = {key: EndpointPage.model_validate(page) for key, page in (await self.site.notebook.pages()).items()}
        asked = {key: page for key, page in every.items() if deployment in {None, key[0]}}
        for page in asked.values():
            await self._reader.look(page)
        if deployment is None:
            await self._sweep(every)
        now, kind = self._reader.clock(), known_type(self._configs.instance_type)
        copies = [
            copy
            for key, page in sorted(every.items())
            for copy in classic_seen.copies(key, page, self._reader.known(page.endpoint), kind, now)
        ]
        refused = classic_seen.refused(every, now)
        return Observation(
            target=self.site.target,
            sequence=sequence,
            at=now,
            hosts=classic_seen.hosts(copies, kind, self._configs.instances.max, refused=refused),
            copies=tuple(copy for copy in copies if deployment in {None, copy.deployment}),
            deployment=deployment,
            upstreams=tuple([await self._way(key, page) for key, page in sorted(asked.items())]),
            differences=tuple(
                one
                for key, page in sorted(asked.items())
                for one in classic_seen.differences(key, page, self._reader.known(page.endpoint), now)
            ),
        )

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """Send one request to the endpoint of a copy; see `asking.invoke`."""
        where = {"EndpointName": copy.id.rpartition("#")[0]}
        return await asking.invoke(self.site.aws, copy.id, method, path, body, timeout=timeout, **where)

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """The last lines that an endpoint's copies wrote; see `asking.last_lines`."""
        return await asking.last_lines(self.site.aws, LOG_GROUP + (copy_id.rpartition("#")[0] or copy_id), tail)

    async def hand_over(self, update: Handover) -> None:
        """Hand an update of an endpoint to SageMaker; see `NativeEndpointUpdates.hand_over`."""
        await self._native.hand_over(update)

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See how such an update stands; see `NativeEndpointUpdates.follow`."""
        return await self._native.follow(deployment, fence)

    async def _sweep(self, every: Mapping[tuple[str, str], EndpointPage]) -> None:
        """Forget endpoints that are gone as we wanted it, and remove what was made for them."""
        for (deployment, version), page in every.items():
            over = page.count == 0 and (page.made or not page.was_refused(self._reader.clock()))
            if over and self._reader.known(page.endpoint) is None:
                async with self.site.notebook.turn(deployment, None) as turn:
                    if classic_seen.read(turn.pages).get(version) == page:
                        await self._forget(turn, version, page)

    async def _forget(self, turn: Turn, version: str, page: EndpointPage) -> None:
        """Remove what was made for an endpoint that is gone; that there were no instances is kept while it counts."""
        await self._configs.forget(page.config)
        if page.was_refused(self._reader.clock()):
            await write(turn, version, page.model_copy(update={"made": False}))
        else:
            await turn.tear_out(version)

    async def _way(self, key: tuple[str, str], page: EndpointPage) -> Upstream:
        scheme, _, rest = (await self.site.aws.url("sagemaker-runtime")).partition("://")
        authority = rest.split("/", 1)[0]
        host, _, port = authority.partition(":")
        tls = scheme == "https"
        return Upstream(
            deployment=key[0],
            version=key[1],
            address=f"{host}:{port or (443 if tls else 80)}",
            tls=tls,
            host=authority,
            path=f"/endpoints/{page.endpoint}",
            signed_for=f"sagemaker/{self.site.aws.region}",
            role=self.site.spec.role,
        )

    # -- levels ----------------------------------------------------------------------------------------------------

    async def _bring(
        self, turn: Turn, level: CopiesLevel, page: EndpointPage | None, known: dict[str, EndpointPage]
    ) -> None:
        names = await self.site.names()
        if page is None:
            other = next((version for version, one in known.items() if one.made and one.count), None)
            if other is not None:
                message = f"{level.deployment} is of version {other}: an endpoint serves one version at a time"
                raise BackendError("OtherVersionServes", message, retryable=False)
            specification.checked(level.model, level.version, level.spec)
            config = self._configs.name(names, level, level.copies)
            endpoint = names.endpoint(level.deployment)
            page = EndpointPage(model=level.model, endpoint=endpoint, config=config, level=0, count=0)
        drains = level.surplus == "drain"
        count = max(level.copies, page.count) if drains else level.copies
        seen = await self._reader.describe(page.endpoint)
        wanted = page.model_copy(update={"level": level.copies, "count": count})
        if seen is not None and seen.failure and lacks_capacity(seen.failure):
            wanted = wanted.model_copy(update={"refused_at": self._reader.clock()})
        if not count:
            await self._end(turn, level, wanted, seen)
        elif seen is None:
            await self._make(turn, level, wanted, names)
        else:
            await self._change(turn, level, wanted, seen, names)

    async def _make(self, turn: Turn, level: CopiesLevel, page: EndpointPage, names: Names) -> None:
        await write(turn, level.version, page.model_copy(update={"asked_at": self._reader.clock(), "had": 0}))
        told = {"deployment": level.deployment, "version": level.version}
        tags = names.tags(**told, operation=str(level.fence.operation))
        config = await self._configs.make(names, level, level.copies, tags)
        request = {"EndpointName": page.endpoint, "EndpointConfigName": config}
        owner = names.tags(deployment=level.deployment)
        try:
            await self.site.aws.call("sagemaker", "CreateEndpoint", **request, Tags=owner)
        except TakenError:
            raise busy(page.endpoint, "being made") from None
        made = {"config": config, "made": True, "asked_at": self._reader.clock(), "had": 0}
        await write(turn, level.version, page.model_copy(update=made))
        self._reader.forget(page.endpoint)
        logger.info("endpoint made", **request)

    async def _change(
        self, turn: Turn, level: CopiesLevel, page: EndpointPage, seen: SeenEndpoint, names: Names
    ) -> None:
        if not page.made:
            await self._check_owner(level.deployment, seen, names)
        if seen.status == "Failed":
            await self.site.aws.call("sagemaker", "DeleteEndpoint", EndpointName=page.endpoint)
            raise busy(page.endpoint, "Deleting")
        if seen.desired == page.count or (page.recent(self._reader.clock()) and seen.busy):
            await write(turn, level.version, page.model_copy(update={"made": True}))
            return
        if seen.busy:
            raise busy(page.endpoint, seen.status)
        changed = page.model_copy(update={"made": True, "asked_at": self._reader.clock(), "had": seen.current})
        await write(turn, level.version, changed)
        weights = [{"VariantName": self.site.spec.variant, "DesiredInstanceCount": page.count}]
        request = {"EndpointName": page.endpoint, "DesiredWeightsAndCapacities": weights}
        await self.site.aws.call("sagemaker", "UpdateEndpointWeightsAndCapacities", **request)
        self._reader.forget(page.endpoint)

    async def _end(self, turn: Turn, level: CopiesLevel, page: EndpointPage, seen: SeenEndpoint | None) -> None:
        """Delete the endpoint, and once it is gone what was made for it."""
        await write(turn, level.version, page)
        self._reader.forget(page.endpoint)
        if seen is None:
            await self._forget(turn, level.version, page)
        elif seen.status in {"Updating", "SystemUpdating", "RollingBack"}:
            raise busy(page.endpoint, seen.status)
        elif seen.status != "Deleting":
            await self._configs.quietly("DeleteEndpoint", EndpointName=page.endpoint)

    async def _check_owner(self, deployment: str, seen: SeenEndpoint, names: Names) -> None:
        answer = await self.site.aws.call("sagemaker", "ListTags", ResourceArn=seen.arn)
        if not names.ours(tags_of(answer.get("Tags", [])), deployment=deployment):
            message = f"there is an endpoint {seen.name} that is not {deployment}'s: delete it, or give it another name"
            raise BackendError("NameTaken", message, retryable=False)
