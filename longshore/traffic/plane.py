"""The traffic plane of every backend: routes through the store, measurements from the Envoys themselves."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

import httpx

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import Sample
from longshore.planning.route import Gateway, Route, required
from longshore.traffic.admin import Admin
from longshore.traffic.bootstrap import FLUSH_INTERVAL_S
from longshore.traffic.port import RouteStatus, RouteStore, TrafficError
from longshore.traffic.resources import check_route
from longshore.traffic.routes import cluster_name

STATUS_POLL_S: Final = 0.5
"""How long a lost notice of an ack is waited for."""
FLUSH_MARGIN_S: Final = 0.1
"""A flush takes its time too: Envoy gathers its threads' histograms after the interval."""

T = TypeVar("T")


class EnvoyTrafficPlane:
    """Implements `TrafficPlane`. Close it, or use it as a context manager."""

    def __init__(self, store: RouteStore) -> None:
        self._store = store
        self._client = httpx.AsyncClient(trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections to the gateways."""
        await self._client.aclose()

    async def publish(self, route: Route, fence: Fence) -> int:
        """See `TrafficPlane.publish`.

        Raises:
            InvalidRouteError: gateways would refuse the route; nothing was saved, and trying again does not help.
        """
        check_route(route)
        return await self._ask_store(self._store.publish_route(route, fence))

    async def withdraw(self, deployment: str, fence: Fence) -> int:
        """See `TrafficPlane.withdraw`."""
        return await self._ask_store(self._store.withdraw_route(deployment, fence))

    async def weights(self, deployment: str) -> dict[str, int]:
        """See `TrafficPlane.weights`."""
        return await self._ask_store(self._store.weights(deployment))

    async def revision(self) -> int:
        """See `TrafficPlane.revision`."""
        return await self._ask_store(self._store.revision())

    async def status(self, revision: int, wait: float) -> RouteStatus:
        """See `TrafficPlane.status`."""
        deadline = asyncio.get_running_loop().time() + wait
        async with self._store.watch_acks() as acks:
            while True:
                status = revision_status(revision, await self._gateways(), datetime.now(UTC))
                left = deadline - asyncio.get_running_loop().time()
                if status.acked or status.rejected or left <= 0:
                    return status
                await acks.wait(min(left, STATUS_POLL_S))

    async def active_requests(self, addresses: tuple[str, ...]) -> dict[str, int]:
        """See `TrafficPlane.active_requests`."""
        found = await asyncio.gather(*(self._admin(gateway).active() for gateway in await self._required()))
        return {address: sum(one.get(address, 0) for one in found) for address in addresses}

    async def requests_at(self, deployment: str, versions: tuple[str, ...]) -> dict[str, int]:
        """See `TrafficPlane.requests_at`."""
        names = {version: cluster_name(deployment, version) for version in versions}
        asked = (self._admin(gateway).at_versions(names.values()) for gateway in await self._required())
        found = await asyncio.gather(*asked)
        return {version: sum(one[name] for one in found) for version, name in names.items()}

    async def sample(self, deployment: str, versions: tuple[str, ...]) -> list[Sample]:
        """See `TrafficPlane.sample`.

        All samples of one call share their `at`: everything answered before it is in them, since the gateways are
        read a flush interval later.
        """
        gateways = await self._required()
        if not gateways:
            raise TrafficError("no gateway is connected, so nothing can be measured; `longshore doctor` says why")
        at = datetime.now(UTC)
        await asyncio.sleep(FLUSH_INTERVAL_S + FLUSH_MARGIN_S)
        read = await asyncio.gather(*(self._sample(gateway, deployment, versions, at) for gateway in gateways))
        return [sample for samples in read for sample in samples]

    async def _sample(self, gateway: Gateway, deployment: str, versions: tuple[str, ...], at: datetime) -> list[Sample]:
        admin = self._admin(gateway)
        epoch = await admin.epoch()
        counters = await admin.counters([cluster_name(deployment, version) for version in versions])
        return [
            Sample(
                gateway=gateway.node,
                version=version,
                at=at,
                epoch=epoch,
                requests=counted.requests,
                errors=counted.errors,
                latency=counted.latency,
            )
            for version, counted in zip(versions, counters.values(), strict=True)
        ]

    async def _required(self) -> list[Gateway]:
        return required(await self._gateways(), datetime.now(UTC))

    async def _gateways(self) -> list[Gateway]:
        return await self._ask_store(self._store.gateways())

    def _admin(self, gateway: Gateway) -> Admin:
        if gateway.admin is None:
            raise TrafficError(f"gateway {gateway.node} does not say where its admin interface is")
        return Admin(self._client, gateway.node, gateway.admin)

    @staticmethod
    async def _ask_store(question: Awaitable[T]) -> T:
        """The store's errors as the traffic plane's, but for a refused fence, which is the caller's to see."""
        try:
            return await question
        except FenceRefusedError:
            raise
        except Exception as error:
            raise TrafficError(f"the store did not answer: {error}") from error


def revision_status(revision: int, gateways: list[Gateway], now: datetime) -> RouteStatus:
    """What the gateways' words mean for one revision. Pure."""
    asked = required(gateways, now)
    said = [one.rejection for one in asked if one.rejected is not None and one.acked < revision <= one.rejected]
    said += [route.message for one in asked for route in one.refused if route.revision == revision]
    rejected = next((message or "refused without a reason" for message in said), None)
    return RouteStatus(
        revision=revision,
        acked=bool(asked) and rejected is None and all(one.acked >= revision for one in asked),
        at=now,
        gateways=len(asked),
        rejected=rejected,
    )
