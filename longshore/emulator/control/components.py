"""Inference components: what their operations check and answer."""

from collections import Counter
from typing import Any

from longshore.emulator.control.account import COMPONENT, Account, Params
from longshore.emulator.control.component_updates import ComponentStories, Update
from longshore.emulator.control.listing import page
from longshore.emulator.control.policies import Rolling, guard_of, rolling_of
from longshore.emulator.control.specifications import blueprint_of, shown, specifications_of
from longshore.emulator.errors import invalid
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import Blueprint, Component, Endpoint, instant


class Components:
    """`CreateInferenceComponent` and its like."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._world = account.world
        self._stories = ComponentStories(account)

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "CreateInferenceComponent": self.create,
            "DescribeInferenceComponent": self.describe,
            "ListInferenceComponents": self.list_components,
            "UpdateInferenceComponent": self.update,
            "UpdateInferenceComponentRuntimeConfig": self.scale,
            "DeleteInferenceComponent": self.delete,
        }

    def create(self, caller: Caller, params: Params) -> dict[str, Any]:
        """A component on an endpoint that is in service, or an adapter of a component there."""
        name, now = params["InferenceComponentName"], self._world.now()
        endpoint = self._account.endpoint(caller, params["EndpointName"])
        arn = self._account.new_arn(COMPONENT, caller, name)
        specifications = specifications_of(params)
        if not specifications:
            raise invalid("One of Specification and Specifications is required.")
        component = Component(name, arn, params, now, now)
        component.endpoint, component.endpoint_arn = endpoint.name, endpoint.arn
        component.specifications, component.plural = specifications, "Specifications" in params
        if "BaseInferenceComponentName" in specifications[0]:
            story = self._adapter(caller, component, params)
        else:
            component.variant = self._variant(endpoint, params.get("VariantName"))
            fleet = endpoint.fleets[component.variant]
            component.blueprint = blueprint_of(self._account, caller, specifications, fleet)
            component.desired = _copy_count(params)
            story = self._stories.create(component, component.desired)
        self._account.tag(arn, params.get("Tags"))
        self._world.components[name] = component
        self._stories.begin(component, "Creating", story)
        return {"InferenceComponentArn": arn}

    def _adapter(self, caller: Caller, component: Component, params: Params) -> Any:
        specification = component.specifications[0]
        if "ComputeResourceRequirements" in specification or "RuntimeConfig" in params:
            raise invalid("An adapter uses its base component's resources and copies; it must not specify its own.")
        if not specification.get("Container", {}).get("ArtifactUrl"):
            raise invalid("An adapter inference component requires a Container with an ArtifactUrl.")
        base = self._account.component(caller, specification["BaseInferenceComponentName"])
        if base.endpoint != component.endpoint or base.base is not None:
            raise invalid(f"{base.name} is not a base inference component of the endpoint {component.endpoint}.")
        if base.status != "InService":
            raise invalid(f"The base inference component {base.name} must be InService and is {base.status}.")
        component.base, component.variant = base.name, base.variant
        return self._stories.create_adapter(component)

    @staticmethod
    def _variant(endpoint: Endpoint, name: str | None) -> str:
        if endpoint.status != "InService":
            raise invalid(f'The endpoint "{endpoint.arn}" must be InService and is {endpoint.status}.')
        name = name or (next(iter(endpoint.fleets)) if len(endpoint.fleets) == 1 else None)
        if name is None:
            raise invalid("VariantName is required: the endpoint has several variants.")
        if name not in endpoint.fleets:
            raise invalid(f"The endpoint {endpoint.name} has no variant {name}.")
        if endpoint.fleets[name].blueprint is not None:
            raise invalid(
                "Inference Components are not supported in this Endpoint. "
                "Please make sure this endpoint can deploy inference components."
            )
        return name

    def describe(self, caller: Caller, params: Params) -> dict[str, Any]:
        """A component as it is now."""
        component = self._account.component(caller, params["InferenceComponentName"])
        every = [shown(each, component.created) for each in component.specifications]
        return {
            **self._summary(component),
            "FailureReason": component.failure,
            "Specification": None if component.plural else every[0],
            "Specifications": every if component.plural else None,
            "RuntimeConfig": None if component.base else self._runtime(component),
            "LastDeploymentConfig": component.deployment,
        }

    def _runtime(self, component: Component) -> dict[str, Any]:
        copies = self._world.copies_of_component(component.name)
        types = Counter(copy.instance.type for copy in copies if copy.instance)
        placed = [{"InstanceType": kind, "CurrentCopyCount": count} for kind, count in sorted(types.items())]
        return {
            "DesiredCopyCount": component.desired,
            "CurrentCopyCount": len(copies),
            "PlacementStatus": placed or None,
        }

    @staticmethod
    def _summary(component: Component) -> dict[str, Any]:
        return {
            "InferenceComponentName": component.name,
            "InferenceComponentArn": component.arn,
            "EndpointName": component.endpoint,
            "EndpointArn": component.endpoint_arn,
            "VariantName": component.variant,
            "CreationTime": instant(component.created),
            "LastModifiedTime": instant(component.modified),
            "InferenceComponentStatus": component.status,
        }

    def list_components(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of components."""
        return page(params, self._world.components.values(), "InferenceComponents", self._summary)

    def update(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Another version, batch by batch; without a rolling policy all new copies stand before the old ones go."""
        component = self._changeable(caller, params)
        specifications = specifications_of(params)
        if not specifications and "RuntimeConfig" not in params:
            raise invalid("There is nothing to update: Specification, Specifications and RuntimeConfig are missing.")
        copies = int(params["RuntimeConfig"]["CopyCount"]) if "RuntimeConfig" in params else None
        if not specifications:
            return self._scale(component, copies or 0)
        update = self._update_of(caller, component, params, copies)
        if component.base:
            self._stories.begin(component, "Updating", self._stories.update_adapter(component, update))
        else:
            self._stories.begin(component, "Updating", self._stories.update(component, update))
        return {"InferenceComponentArn": component.arn}

    def _update_of(self, caller: Caller, component: Component, params: Params, copies: int | None) -> Update:
        config, total = params.get("DeploymentConfig"), component.desired
        specifications = specifications_of(params)
        policy = (config or {}).get("RollingUpdatePolicy")
        fleet = self._account.fleet(component)
        return Update(
            specifications=specifications,
            plural="Specifications" in params,
            blueprint=Blueprint({}) if component.base else blueprint_of(self._account, caller, specifications, fleet),
            rolling=rolling_of(policy, total) if policy and total else Rolling(max(total, 1), 0.0, max(total, 1)),
            guard=guard_of(config, caller.region),
            copies=copies,
            deployment=config,
        )

    def scale(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Another count of copies; 0 is allowed here."""
        component = self._changeable(caller, params)
        if component.base:
            raise invalid("An adapter has no copies of its own; scale its base component.")
        return self._scale(component, int(params["DesiredRuntimeConfig"]["CopyCount"]))

    def _scale(self, component: Component, copies: int) -> dict[str, Any]:
        self._stories.begin(component, "Updating", self._stories.scale(component, copies))
        return {"InferenceComponentArn": component.arn}

    def delete(self, caller: Caller, params: Params) -> None:
        """Delete a component that rests; a base only without adapters."""
        component = self._account.component(caller, params["InferenceComponentName"])
        if component.status not in ("InService", "Failed"):
            raise invalid(f'Cannot delete inference component "{component.arn}" in status {component.status}.')
        if any(other.base == component.name for other in self._world.components.values()):
            raise invalid(f'Cannot delete inference component "{component.arn}": it has adapters.')
        self._stories.begin(component, "Deleting", self._stories.delete(component))

    def _changeable(self, caller: Caller, params: Params) -> Component:
        component = self._account.component(caller, params["InferenceComponentName"])
        if component.status != "InService":
            raise invalid(f'Cannot update inference component "{component.arn}" in status {component.status}.')
        endpoint = self._world.endpoints[component.endpoint]
        if endpoint.status != "InService":
            raise invalid(f'The endpoint "{endpoint.arn}" must be InService and is {endpoint.status}.')
        return component


def _copy_count(params: Params) -> int:
    if "RuntimeConfig" not in params:
        raise invalid("RuntimeConfig is required, unless the component is an adapter.")
    count = int(params["RuntimeConfig"]["CopyCount"])
    if count == 0:
        raise invalid("CopyCount must be at least 1 when an inference component is created.")
    return count
