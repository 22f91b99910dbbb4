"""Readings of classic endpoints: each is described at most once in a while, however many ask."""

from datetime import datetime

from longshore.backends.sagemaker import classic_seen
from longshore.backends.sagemaker.classic_seen import EndpointPage, SeenEndpoint
from longshore.backends.sagemaker.errors import AbsentError
from longshore.backends.sagemaker.reading import Clock, Pace
from longshore.backends.sagemaker.site import Site


class EndpointReader:
    """One target's endpoints, as this process last saw them."""

    def __init__(self, site: Site, pace: Pace, clock: Clock) -> None:
        self.clock = clock
        self._site = site
        self._pace = pace
        self._seen: dict[str, tuple[datetime, SeenEndpoint | None]] = {}
        """Endpoint → when it was last described, and how."""

    def known(self, name: str) -> SeenEndpoint | None:
        """As it was last described; None where there was none."""
        return self._seen[name][1] if name in self._seen else None

    def forget(self, name: str) -> None:
        """It was just changed: the next look describes it."""
        self._seen.pop(name, None)

    async def look(self, page: EndpointPage) -> None:
        """Describe an endpoint, unless that was done a moment ago."""
        at, seen = self._seen.get(page.endpoint, (None, None))
        moves = seen is None or seen.busy or page.updating is not None or page.recent(self.clock())
        waits = self._pace.moving if moves else self._pace.whole
        if at is None or self.clock() >= at + waits:
            await self.describe(page.endpoint)

    async def describe(self, name: str) -> SeenEndpoint | None:
        """Describe an endpoint now; None when there is none."""
        try:
            answer = await self._site.aws.call("sagemaker", "DescribeEndpoint", EndpointName=name)
        except AbsentError:
            self._seen[name] = (self.clock(), None)
            return None
        seen = classic_seen.endpoint(answer, self._site.spec.variant)
        self._seen[name] = (self.clock(), seen)
        return seen
