"""Names, ARNs and what several operations look up."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from longshore.emulator.errors import exists, invalid, not_found
from longshore.emulator.protocol import Caller
from longshore.emulator.state import ACCOUNT, Component, Endpoint, EndpointConfig, Fleet, Model
from longshore.emulator.world import World

Params = Mapping[str, Any]
_T = TypeVar("_T")

MODEL = "model"
CONFIG = "endpoint configuration"
ENDPOINT = "endpoint"
COMPONENT = "inference component"

_ARN_KIND = {MODEL: "model", CONFIG: "endpoint-config", ENDPOINT: "endpoint", COMPONENT: "inference-component"}

OURS = frozenset(_ARN_KIND.values())
"""The kinds of resources, as ARNs name them, that are not moto's."""


def arn_of(kind: str, region: str, name: str) -> str:
    """The ARN of a resource; SageMaker puts names into ARNs in lower case."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{_ARN_KIND[kind]}/{name.lower()}"


class Account:
    """Look-ups that refuse in the service's words. Used under the world's lock."""

    def __init__(self, world: World) -> None:
        self.world = world

    def model(self, caller: Caller, name: str) -> Model:
        """A model by its name."""
        return self._of(self.world.models, MODEL, caller, name)

    def config(self, caller: Caller, name: str) -> EndpointConfig:
        """An endpoint configuration by its name."""
        return self._of(self.world.configs, CONFIG, caller, name)

    def endpoint(self, caller: Caller, name: str) -> Endpoint:
        """An endpoint by its name, whatever its status."""
        return self._of(self.world.endpoints, ENDPOINT, caller, name)

    def component(self, caller: Caller, name: str) -> Component:
        """An inference component by its name, whatever its status."""
        return self._of(self.world.components, COMPONENT, caller, name)

    def new_arn(self, kind: str, caller: Caller, name: str) -> str:
        """The ARN of something to create.

        Raises:
            AwsError: there is one of that name; case does not distinguish names.
        """
        every: dict[str, Mapping[str, Any]] = {
            MODEL: self.world.models,
            CONFIG: self.world.configs,
            ENDPOINT: self.world.endpoints,
            COMPONENT: self.world.components,
        }
        known = every[kind]
        if any(name.lower() == other.lower() for other in known):
            raise exists(kind, arn_of(kind, caller.region, name))
        return arn_of(kind, caller.region, name)

    def fleet(self, component: Component) -> Fleet:
        """The instances that a component's copies are put on."""
        return self.world.endpoints[component.endpoint].fleets[component.variant]

    def components_on(self, endpoint: str) -> list[Component]:
        """The components, adapters too, that an endpoint hosts."""
        return [component for component in self.world.components.values() if component.endpoint == endpoint]

    def tag(self, arn: str, tags: Sequence[Mapping[str, str]] | None) -> None:
        """Add tags; one of the same key is replaced.

        Raises:
            AwsError: a resource would have more than fifty.
        """
        now = {**self.world.tags.get(arn, {}), **{tag["Key"]: tag["Value"] for tag in tags or ()}}
        if len(now) > 50:
            raise invalid("A resource has at most 50 tags.")
        self.world.tags[arn] = now

    @staticmethod
    def _of(known: Mapping[str, _T], kind: str, caller: Caller, name: str) -> _T:
        found = known.get(name)
        if found is None:
            raise not_found(kind, arn_of(kind, caller.region, name))
        return found
