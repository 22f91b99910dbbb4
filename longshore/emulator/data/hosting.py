"""Where calls go, as the emulated account has it: the way from a call's names to the copies that may take it."""

from http import HTTPStatus

from longshore.emulator.data.targets import CallError, Share, Target
from longshore.emulator.errors import AwsError
from longshore.emulator.state import ACCOUNT, Component, CopyState, Endpoint, Fleet, Need
from longshore.emulator.world import World

_SERVING = {"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"}
"""Statuses of an endpoint that has copies to serve with."""
_DEFAULT_STRATEGY = "RANDOM"


class WorldHosting:
    """The control plane's state, as calls see it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def admit(self, operation: str) -> None:
        """Let a call in, unless an injected fault throttles it by name: one of all APIs means no calls of models.

        Raises:
            AwsError: it does.
        """
        throttle = self._world.faults.now.throttle
        if throttle is None or throttle.operations == ["*"]:
            return
        try:
            self._world.faults.guard(operation)
        except AwsError as error:
            raise AwsError(error.code, error.message, HTTPStatus.TOO_MANY_REQUESTS) from None

    def target(self, endpoint: str, component: str | None, variant: str | None) -> Target:
        """Where a call goes.

        Raises:
            CallError: there is no such endpoint, or it is not in service; `component` or `variant` is none of its.
        """
        with self._world.lock:
            found = self._world.endpoints.get(endpoint)
            if found is None:
                raise _refused(f"Endpoint {endpoint} of account {ACCOUNT} not found.")
            if found.status not in _SERVING or not found.fleets:
                raise _refused(f"Endpoint {endpoint} of account {ACCOUNT} is not in service: it is {found.status}.")
            if found.hosts_components:
                return self._of_component(found, component)
            if component is not None:
                raise _refused(f"Endpoint {endpoint} hosts no inference components, and {component} was asked for.")
            return self._of_variants(found, variant)

    def targets(self) -> list[Target]:
        """All that calls can be for: every component, and every variant that has a model of its own."""
        with self._world.lock:
            endpoints = {name: found for name, found in self._world.endpoints.items() if found.fleets}
            components = [
                self._on(endpoints[component.endpoint], component)
                for component in self._world.components.values()
                if component.base is None
                and component.endpoint in endpoints
                and component.variant in endpoints[component.endpoint].fleets
            ]
            variants = [
                self._of_variants(endpoint, variant)
                for endpoint in endpoints.values()
                if not endpoint.hosts_components
                for variant in endpoint.fleets
            ]
            return components + variants

    def _of_component(self, endpoint: Endpoint, name: str | None) -> Target:
        if name is None:
            raise _refused(
                "Inference Component Name header is required for endpoints to which you plan to deploy inference "
                "components. Please include Inference Component Name header or consider using SageMaker models."
            )
        component = self._world.components.get(name)
        if component is None or component.endpoint != endpoint.name:
            raise _refused(f"Inference Component {name} of endpoint {endpoint.name} of account {ACCOUNT} not found.")
        return self._on(endpoint, component)

    def _on(self, endpoint: Endpoint, component: Component) -> Target:
        copies = tuple(copy.id for copy in self._world.copies_of_component(component.name))
        return Target(
            endpoint.name,
            (Share(component.variant, copies),),
            component=component.name,
            adapter=component.name if component.base else None,
            strategy=_strategy(endpoint.fleets[component.variant]),
        )

    def _of_variants(self, endpoint: Endpoint, variant: str | None) -> Target:
        if variant is not None and variant not in endpoint.fleets:
            raise _refused(f"Variant {variant} of endpoint {endpoint.name} of account {ACCOUNT} not found.")
        fleets = [fleet for fleet in endpoint.all_fleets() if variant in {None, fleet.variant}]
        shares = tuple(
            Share(fleet.variant, tuple(copy.id for copy in self._world.ready_copies(fleet)), _weight(fleet, variant))
            for fleet in fleets
        )
        config = self._world.configs.get(endpoint.config)
        output = config.request.get("AsyncInferenceConfig") if config is not None else None
        return Target(endpoint.name, shares, strategy=_strategy(fleets[0]), output=output)

    def need(self, copy: str) -> Need:
        """What a copy takes of its instance; nothing, if it is gone."""
        with self._world.lock:
            found = (known for known in self._world.copies() if known.id == copy and known.state is CopyState.READY)
            return next((known.need for known in found), Need())


def _weight(fleet: Fleet, asked: str | None) -> float:
    """A fleet's part of the calls: whoever names a variant does not care for weights, but for both sides of a shift."""
    return fleet.share * (1.0 if asked is not None else fleet.weight)


def _strategy(fleet: Fleet) -> str:
    return str((fleet.settings.get("RoutingConfig") or {}).get("RoutingStrategy", _DEFAULT_STRATEGY))


def _refused(message: str) -> CallError:
    return CallError("ValidationError", message)
