"""Updates of classic endpoints, which SageMaker carries out itself: blue/green under guardrails, or rolling.

The endpoint keeps its name; its page moves from the version that it was of to the one whose configuration it was seen
to have. boto3's own waiter takes an update that was rolled back for a success: what counts is `EndpointConfigName`.
"""

import structlog

from longshore.backends.notebook import Turn
from longshore.backends.port import BackendError, Handover
from longshore.backends.sagemaker import classic_seen, specification
from longshore.backends.sagemaker.classic_configs import Configs
from longshore.backends.sagemaker.classic_reading import EndpointReader
from longshore.backends.sagemaker.classic_seen import EndpointPage, HandedEndpoint, SeenEndpoint
from longshore.backends.sagemaker.errors import AwsError
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.steps import busy
from longshore.planning.fence import Fence
from longshore.planning.native import NativeStatus

logger = structlog.get_logger(__name__)


class NativeEndpointUpdates:
    """Hands updates of one target's endpoints to SageMaker; see `NativeUpdates`."""

    def __init__(self, site: Site, reader: EndpointReader, configs: Configs) -> None:
        self._site = site
        self._reader = reader
        self._configs = configs

    async def hand_over(self, update: Handover) -> None:
        """Have SageMaker begin an update of the deployment's endpoint, once; see `NativeUpdates`."""
        async with self._site.notebook.turn(update.deployment, update.fence) as turn:
            known = classic_seen.read(turn.pages)
            key, page = update.before, known.get(update.before)
            if page is None and (own := known.get(update.version)) is not None:
                if own.updating is None:
                    return  # asked before, and seen to have come to its end
                key, page = update.version, own  # an update of before ended as neither version: back to the old one
            if page is None or not page.made:
                message = f"{update.deployment} has no endpoint of version {update.before}: scale it up first"
                raise BackendError("NothingToUpdate", message, retryable=False)
            asked = page.handed if page.handed is not None and page.handed.fence == update.fence else None
            if asked is not None and (asked.accepted or asked.over):
                return
            seen = await self._reader.describe(page.endpoint)
            if seen is None:
                message = f"there is no endpoint {page.endpoint} any more: somebody deleted it"
                raise BackendError("NothingToUpdate", message, retryable=False)
            if asked is None or (not seen.busy and seen.modified_at == asked.modified_before):
                asked = await self._begin(turn, update, key, page, seen)
            accepted = asked.model_copy(update={"accepted": True})
            await write(turn, key, page.model_copy(update={"handed": accepted, "had": seen.current}))
        logger.info("handed an update to SageMaker", endpoint=page.endpoint, version=update.version)

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See how the last update stands, and move the page of an endpoint that came to its end."""
        async with self._site.notebook.turn(deployment, fence) as turn:
            known = {version: page for version, page in classic_seen.read(turn.pages).items() if page.made}
            version = next((one for one, page in known.items() if page.updating), next(iter(known), None))
            if version is None:
                return NativeStatus(resource="(none)", under_way=False, words="there is no endpoint")
            page = known[version]
            seen = await self._reader.describe(page.endpoint)
            if seen is None:
                words = "somebody deleted it"
                return NativeStatus(resource=page.endpoint, under_way=False, broken=True, words=words)
            status = classic_seen.status_of(version, page, seen, self._reader.clock())
            if not status.under_way and not status.broken and page.updating and status.version:
                await self._settle(turn, page, before=version, now=status.version)
            return status

    async def _begin(
        self, turn: Turn, update: Handover, key: str, page: EndpointPage, seen: SeenEndpoint
    ) -> HandedEndpoint:
        """Note on the page of this version what is asked for, then ask."""
        if seen.busy:
            raise busy(seen.name, seen.status)
        specification.checked(update.model, update.version, update.spec)
        copies = seen.desired if update.copies is None else update.copies
        told = {"deployment": update.deployment, "version": update.version}
        names = await self._site.names()
        tags = names.tags(**told, operation=str(update.fence.operation))
        config = await self._configs.make(names, update, copies, tags)
        handed = HandedEndpoint(
            fence=update.fence,
            version=update.version,
            config=config,
            copies=max(1, copies),
            at=self._reader.clock(),
            modified_before=seen.modified_at,
        )
        await write(turn, key, page.model_copy(update={"handed": handed, "had": seen.current}))
        request = {"EndpointName": page.endpoint, "EndpointConfigName": config}
        try:
            how = classic_seen.deployment_config(update.policy)
            await self._site.aws.call("sagemaker", "UpdateEndpoint", **request, DeploymentConfig=how)
        except AwsError as error:
            # The answer to a first attempt may have been lost: then it is under way, and SageMaker refuses another.
            now = None if error.retryable else await self._reader.describe(page.endpoint)
            if now is None or not now.busy:
                raise
        self._reader.forget(page.endpoint)
        return handed

    async def _settle(self, turn: Turn, page: EndpointPage, *, before: str, now: str) -> None:
        """Note what came of the update; the configuration that nobody has any more goes."""
        handed = page.updating
        if handed is None:
            return
        if now == before and now != handed.version:
            over = {"handed": handed.model_copy(update={"over": True})}
            await write(turn, before, page.model_copy(update=over))
            await self._configs.forget(handed.config)
            return
        counts = {"level": handed.copies, "count": handed.copies, "had": handed.copies}
        moved = page.model_copy(update={**counts, "config": handed.config, "handed": None})
        await write(turn, handed.version, moved)
        if before != handed.version:
            await turn.tear_out(before)
        if page.config != handed.config:
            await self._configs.forget(page.config, model=before != handed.version)


async def write(turn: Turn, version: str, page: EndpointPage) -> None:
    """Note it durably."""
    await turn.write(version, page.model_dump(mode="json"))
