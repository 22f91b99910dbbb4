"""What is scaled: a component's copies or a variant's instances, read from the account, changed by operations."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from longshore.emulator.errors import AwsError
from longshore.emulator.world import World

COMPONENT = "sagemaker:inference-component:DesiredCopyCount"
VARIANT = "sagemaker:variant:DesiredInstanceCount"

_FORMS = {
    COMPONENT: re.compile(r"inference-component/(?P<component>[^/]+)"),
    VARIANT: re.compile(r"endpoint/(?P<endpoint>[^/]+)/variant/(?P<variant>[^/]+)"),
}

CarryOut = Callable[[str, Mapping[str, Any]], object]
"""One of SageMaker's operations, by name and parameters."""


class Names(NamedTuple):
    """What a resource's id names."""

    component: str | None = None
    endpoint: str | None = None
    variant: str | None = None

    def dimensions(self) -> list[dict[str, str]]:
        """By which its metrics are told."""
        if self.component is not None:
            return [{"Name": "InferenceComponentName", "Value": self.component}]
        return [
            {"Name": "EndpointName", "Value": self.endpoint or ""},
            {"Name": "VariantName", "Value": self.variant or ""},
        ]


def check_resource(resource: str, dimension: str) -> None:
    """Check that a resource's id is of the form that its dimension has.

    Raises:
        AwsError: it is not, or there is no such dimension here.
    """
    form = _FORMS.get(dimension)
    if form is None:
        raise AwsError("ValidationException", f"The emulator scales {COMPONENT} and {VARIANT}, not {dimension}.")
    if form.fullmatch(resource) is None:
        raise AwsError("ValidationException", f"Unsupported resource type for {dimension}: {resource}")


class Capacity:
    """The capacities of an account."""

    def __init__(self, world: World, carry_out: CarryOut) -> None:
        self._world = world
        self._carry_out = carry_out

    def names(self, resource: str) -> Names:
        """What a resource's id names; the id has been checked."""
        found = next(match for form in _FORMS.values() if (match := form.fullmatch(resource)))
        return Names(**found.groupdict())

    def current(self, resource: str) -> int | None:
        """How much is wanted at present; None if there is no such resource."""
        names = self.names(resource)
        with self._world.lock:
            if names.component is not None:
                component = self._world.components.get(names.component)
                return component.desired if component is not None and component.base is None else None
            endpoint = self._world.endpoints.get(names.endpoint or "")
            fleet = endpoint.fleets.get(names.variant or "") if endpoint is not None else None
            return fleet.desired if fleet is not None else None

    def change(self, resource: str, wanted: int) -> None:
        """Want another capacity.

        Raises:
            AwsError: SageMaker refuses it, as while the resource is being updated.
        """
        names = self.names(resource)
        if names.component is not None:
            self._carry_out(
                "UpdateInferenceComponentRuntimeConfig",
                {"InferenceComponentName": names.component, "DesiredRuntimeConfig": {"CopyCount": wanted}},
            )
            return
        variant = {"VariantName": names.variant, "DesiredInstanceCount": wanted}
        self._carry_out(
            "UpdateEndpointWeightsAndCapacities",
            {"EndpointName": names.endpoint, "DesiredWeightsAndCapacities": [variant]},
        )
