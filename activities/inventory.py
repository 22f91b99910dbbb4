"""The activity beside a target that takes something over as it is."""

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import AcceptInput
from longshore.backends.inventory import Adoption, Inventory
from longshore.backends.port import Backend, BackendError
from longshore.planning.observed import Observation
from longshore.store.store import Store


class InventoryActivities:
    """Adopts for one target, where its backend can."""

    def __init__(self, backend: Backend, store: Store) -> None:
        self._backend = backend
        self._store = store

    @activity.defn(name="accept_component")
    @as_failures
    async def accept(self, asked: AcceptInput) -> Observation:
        """Note something as a version of a deployment, as it is on the target."""
        if not isinstance(self._backend, Inventory):
            message = f"nothing on target {asked.target} can be taken over: that is for endpoints which several share"
            raise BackendError("NothingToAdopt", message, retryable=False)
        found = await self._store.models.get(asked.model, asked.version)
        if found is None:
            message = f"version {asked.version} of {asked.model} is not registered"
            raise BackendError("VersionUnknown", message, retryable=False)
        adoption = Adoption(
            deployment=asked.deployment,
            model=asked.model,
            version=asked.version,
            copies=asked.copies,
            component=asked.component,
            before=asked.before,
            spec=found.spec,
            fence=asked.fence,
        )
        observation = await self._backend.accept(adoption)
        await self._store.fleet.save_observation(observation)
        return observation
