"""Activities beside a target whose platform updates copies by itself: hand an update over, and see how it stands."""

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import DelegateInput, FollowInput
from longshore.backends.port import Backend, BackendError, Handover, NativeUpdates
from longshore.planning.native import NativeStatus
from longshore.store.store import Store


class NativeActivities:
    """Updates that one target's platform carries out."""

    def __init__(self, backend: Backend, store: Store) -> None:
        self._backend = backend
        self._store = store

    @activity.defn(name="delegate_update")
    @as_failures
    async def delegate(self, asked: DelegateInput) -> None:
        """Have the platform begin an update, once."""
        found = await self._store.models.get(asked.model, asked.version)
        if found is None:
            message = f"version {asked.version} of {asked.model} is not registered"
            raise BackendError("VersionUnknown", message, retryable=False)
        update = Handover(
            deployment=asked.deployment,
            model=asked.model,
            version=asked.version,
            before=asked.before,
            copies=asked.copies,
            policy=asked.policy,
            spec=found.spec,
            fence=asked.fence,
        )
        await self._platform(asked.target).hand_over(update)

    @activity.defn(name="follow_update")
    @as_failures
    async def follow(self, asked: FollowInput) -> NativeStatus:
        """See how an update stands."""
        return await self._platform(asked.target).follow(asked.deployment, asked.fence)

    def _platform(self, target: str) -> NativeUpdates:
        if isinstance(self._backend, NativeUpdates):
            return self._backend
        message = f"target {target} updates nothing by itself: remove rollout.delegate"
        raise BackendError("NotDelegable", message, retryable=False)
