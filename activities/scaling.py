"""The activity beside a target that tells its autoscaler whose copies it chooses."""

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import SteerInput
from longshore.backends.port import AutoscalerLevel, Autoscaling, Backend, BackendError


class ScalingActivities:
    """What one target's autoscaler is told."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @activity.defn(name="steer_autoscaler")
    @as_failures
    async def steer(self, asked: SteerInput) -> None:
        """Bring the autoscaler to a level."""
        if not isinstance(self._backend, Autoscaling):
            message = f"target {asked.target} has no autoscaler: remove scaling from {asked.deployment}"
            raise BackendError("NoAutoscaler", message, retryable=False)
        await self._backend.steer(
            AutoscalerLevel(
                deployment=asked.deployment,
                version=asked.version,
                scaling=asked.scaling,
                suspended=asked.suspended,
                fence=asked.fence,
            )
        )
