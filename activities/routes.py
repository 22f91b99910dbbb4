"""Activities of the traffic plane: publish, withdraw, and ask about copies that drain."""

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import DrainedInput, PublishInput, RouteInput, RouteOutput, WithdrawInput
from longshore.planning.operation import Acked, DrainReport
from longshore.planning.route import Route
from longshore.traffic.port import RouteStatus, TrafficPlane

ACK_WAIT = 3.0
"""Seconds to wait for acknowledgements, which take milliseconds; the workflow asks again."""


class RouteActivities:
    """A traffic step is done when it was acked, not when it was sent."""

    def __init__(self, traffic: TrafficPlane) -> None:
        self._traffic = traffic

    @activity.defn(name="publish_route")
    @as_failures
    async def publish(self, asked: PublishInput) -> Acked:
        """Publish weights, and wait a little for every gateway's word."""
        route = Route(
            deployment=asked.deployment,
            model=asked.model,
            weights=asked.weights,
            standby=asked.standby,
            idempotent=asked.idempotent,
        )
        revision = await self._traffic.publish(route, asked.fence)
        return _acked(await self._traffic.status(revision, ACK_WAIT))

    @activity.defn(name="withdraw_route")
    @as_failures
    async def withdraw(self, asked: WithdrawInput) -> Acked:
        """Remove a route, and wait a little for every gateway's word."""
        revision = await self._traffic.withdraw(asked.deployment, asked.fence)
        return _acked(await self._traffic.status(revision, ACK_WAIT))

    @activity.defn(name="read_route")
    @as_failures
    async def weights(self, asked: RouteInput) -> RouteOutput:
        """The weights that a deployment's route has."""
        return RouteOutput(weights=await self._traffic.weights(asked.deployment))

    @activity.defn(name="read_draining")
    @as_failures
    async def drained(self, asked: DrainedInput) -> DrainReport:
        """Whether the gateways know that the copies drain, and how many requests they still have."""
        status = await self._traffic.status(await self._traffic.revision(), ACK_WAIT)
        if not status.acked:
            return DrainReport(acked=False, in_flight=0)
        active = await self._traffic.active_requests(asked.addresses) if asked.addresses else {}
        whole = await self._traffic.requests_at(asked.deployment, asked.versions) if asked.versions else {}
        return DrainReport(acked=True, in_flight=sum(active.values()) + sum(whole.values()))


def _acked(status: RouteStatus) -> Acked:
    return Acked(acked=status.acked, at=status.at, rejected=status.rejected, gateways=status.gateways)
