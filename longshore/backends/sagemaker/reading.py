"""Readings of a target: no more calls to AWS than it takes to see what moves.

SageMaker has no word for "what changed", and limits the rate of calls for the whole account. So a whole reading (a list
of the components, and the endpoint) is made now and then and shared; between two of them, only components that move
are described, and each at most once in a while, however many ask.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.backends.port import BackendError
from longshore.backends.sagemaker import pages, seen
from longshore.backends.sagemaker.errors import AbsentError
from longshore.backends.sagemaker.picture import Noted
from longshore.backends.sagemaker.seen import MISSING, Component, Endpoint, View
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.trust import recent
from longshore.spec.base import Value

Clock = Callable[[], datetime]


class Pace(Value):
    """How often SageMaker is asked."""

    moving: timedelta = timedelta(seconds=2)
    """Between two looks at a component that is being changed."""
    whole: timedelta = timedelta(seconds=10)
    """Between two whole readings."""
    steady: timedelta = timedelta(seconds=40)
    """Between two looks at a component that nobody changes: the list does not tell when copies are lost."""


LISTED_AT_ONCE = 100
"""Components in a page of the list: the most that SageMaker gives; left to it, it gives 10."""
DESCRIBED_AT_ONCE = 8
"""Descriptions under way together, in a whole reading."""


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class Reader:
    """One target's readings, shared by all who ask in this process."""

    def __init__(self, site: Site, pace: Pace | None = None, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._site = site
        self._pace = pace or Pace()
        self._view: View | None = None
        self._whole_at: datetime | None = None
        self._configs: dict[str, dict[str, Any]] = {}
        """Endpoint configurations, which never change."""
        self._one_at_a_time = asyncio.Lock()

    @property
    def endpoint_seen(self) -> Endpoint | None:
        """The endpoint as of the last whole reading."""
        return self._view.endpoint if self._view else None

    def shown(self, component: str) -> Component | None:
        """A component as of the last reading; None where it shows none, or there was no reading yet."""
        return self._view.components.get(component) if self._view else None

    async def noted(self) -> Noted:
        """Everything in the notebook, as values."""
        versions, deployments = {}, {}
        for (deployment, version), page in (await self._site.notebook.pages()).items():
            if version == pages.DEPLOYMENT:
                deployments[deployment] = pages.DeploymentPage.model_validate(page)
            else:
                versions[deployment, version] = pages.VersionPage.model_validate(page)
        return Noted(versions=versions, deployments=deployments)

    async def view(self, noted: Noted, deployment: str | None = None) -> View:
        """What SageMaker has, as new as whoever asks about all, or about one deployment, needs it.

        Raises:
            BackendError: AWS refused, or the endpoint is not there.
        """
        async with self._one_at_a_time:
            if self._view is None or self._whole_at is None or self.clock() >= self._whole_at + self._pace.whole:
                self._view = await self._read_whole(noted)
                self._whole_at = self.clock()
        ours = {
            page.component: page
            for (name, _), page in noted.versions.items()
            if deployment is None or name == deployment
        }
        due = [name for name, page in ours.items() if self._is_due(page)]
        await asyncio.gather(*(self.look_at(name) for name in due))
        return self._view

    async def look_at(self, name: str) -> Component | None:
        """Describe one component now; None when there is none."""
        at = self.clock()
        try:
            answer = await self._site.aws.call("sagemaker", "DescribeInferenceComponent", InferenceComponentName=name)
        except AbsentError:
            self.keep(name, None)
            return None
        found = seen.component(answer, at)
        self.keep(name, found)
        return found

    def keep(self, name: str, found: Component | None) -> None:
        """Take what was found, or what a change of ours will have made of it, into the readings to come."""
        if self._view is None:
            return
        others = {other: one for other, one in self._view.components.items() if other != name}
        components = others if found is None else {**others, name: found}
        self._view = self._view.model_copy(update={"components": components})

    async def endpoint(self) -> Endpoint:
        """Describe the endpoint now.

        Raises:
            BackendError: reason `EndpointMissing`, retryable; or AWS refused.
        """
        name, at = self._site.spec.endpoint or "", self.clock()
        try:
            answer = await self._site.aws.call("sagemaker", "DescribeEndpoint", EndpointName=name)
        except AbsentError:
            cure = "make it, or let Longshore: give the target sagemaker.instances"
            message = f"target {self._site.target}: there is no endpoint {name} in {self._site.spec.region}; {cure}"
            raise BackendError("EndpointMissing", message, retryable=True) from None
        config = await self._config(answer.get("EndpointConfigName"))
        found = seen.endpoint(answer, config, self._site.spec.variant, at)
        if found is None:
            message = f"endpoint {name} has no variant {self._site.spec.variant}: set sagemaker.variant"
            raise BackendError("VariantMissing", message, retryable=False)
        return found

    def _is_due(self, page: pages.VersionPage) -> bool:
        found = self._view.components.get(page.component) if self._view else None
        now = self.clock()
        if found is None:
            return False  # the list, read a moment ago, has it not; what was just made is kept by who made it
        if page.asked_at is not None and found.seen_at < page.asked_at:
            return True
        moves = found.moving or (recent(page, now) and found.desired != page.count)
        return moves and now >= found.seen_at + self._pace.moving

    async def _read_whole(self, noted: Noted) -> View:
        try:
            endpoint = await self.endpoint()
        except BackendError as error:
            if error.reason != "EndpointMissing" or not any(page.made for page in noted.versions.values()):
                raise
            return self._nothing(error.message)
        listed = await self._site.aws.all(
            "sagemaker",
            "ListInferenceComponents",
            "InferenceComponents",
            EndpointNameEquals=endpoint.name,
            MaxResults=LISTED_AT_ONCE,
        )
        known = self._view.components if self._view else {}
        asked = {page.component: page.asked_at for page in noted.versions.values()}
        slots = asyncio.Semaphore(DESCRIBED_AT_ONCE)

        async def one(summary: dict[str, Any]) -> Component | None:
            name = summary["InferenceComponentName"]
            if (found := known.get(name)) is not None and not self._is_old(found, summary, asked.get(name)):
                return found
            async with slots:
                return await self.look_at(name)

        there = await asyncio.gather(*(one(summary) for summary in listed))
        components = {found.name: found for found in there if found is not None}
        return View(endpoint=endpoint, components={**_just_made(known, components, asked), **components})

    def _nothing(self, why: str) -> View:
        """The endpoint that we have components on is gone: that is a reading, for they are gone with it."""
        name, variant = self._site.spec.endpoint or "", self._site.spec.variant
        return View(
            endpoint=Endpoint(name=name, status=MISSING, variant=variant, messages=(why,), seen_at=self.clock())
        )

    def _is_old(self, found: Component, summary: dict[str, Any], asked_at: datetime | None) -> bool:
        now = self.clock()
        changed = (summary["LastModifiedTime"], summary.get("InferenceComponentStatus")) != (
            found.modified_at,
            found.status,
        )
        overtaken = asked_at is not None and found.seen_at < asked_at
        waited = self._pace.moving if found.moving else self._pace.steady
        return changed or overtaken or now >= found.seen_at + waited

    async def _config(self, name: str | None) -> dict[str, Any]:
        if name is None:
            return {}
        if name not in self._configs:
            answer = await self._site.aws.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name)
            self._configs = {name: answer}
        return self._configs[name]


def _just_made(
    known: dict[str, Component], listed: dict[str, Component], asked: dict[str, datetime | None]
) -> dict[str, Component]:
    """Components that we made a moment ago, and that the list does not tell of yet; see `trust.GRACE`."""
    missing: Iterable[str] = known.keys() - listed.keys()
    return {name: known[name] for name in missing if asked.get(name) is not None and known[name].status == "Creating"}
