"""Endpoints: what their operations check and answer."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from longshore.emulator.control.account import ENDPOINT, Account, Params
from longshore.emulator.control.endpoint_updates import Deployment, EndpointStories
from longshore.emulator.control.listing import page
from longshore.emulator.control.policies import check_endpoint_config, guard_of, rolling_of, shares_of
from longshore.emulator.control.specifications import deployed_image
from longshore.emulator.control.variants import fleet_of
from longshore.emulator.errors import invalid, limit_exceeded
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import Endpoint, EndpointConfig, Fleet, instant

_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


class Endpoints:
    """`CreateEndpoint` and its like."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._world = account.world
        self._stories = EndpointStories(account)

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "CreateEndpoint": self.create,
            "DescribeEndpoint": self.describe,
            "ListEndpoints": self.list_endpoints,
            "UpdateEndpoint": self.update,
            "UpdateEndpointWeightsAndCapacities": self.reweigh,
            "DeleteEndpoint": self.delete,
        }

    def create(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Ask for a configuration's instances."""
        name, now = params["EndpointName"], self._world.now()
        config = self._account.config(caller, params["EndpointConfigName"])
        arn = self._account.new_arn(ENDPOINT, caller, name)
        check_endpoint_config(params.get("DeploymentConfig"), retain=False)
        endpoint = Endpoint(name, arn, params, now, now, config=config.name, deployment=params.get("DeploymentConfig"))
        fleets = self._fleets_of(caller, endpoint, config)
        self._check_quota(fleets)
        endpoint.fleets = fleets
        self._account.tag(arn, params.get("Tags"))
        self._world.endpoints[name] = endpoint
        self._stories.begin(endpoint, "Creating", self._stories.create(endpoint))
        return {"EndpointArn": arn}

    def describe(self, caller: Caller, params: Params) -> dict[str, Any]:
        """An endpoint as it is now."""
        endpoint = self._account.endpoint(caller, params["EndpointName"])
        config = self._world.configs.get(endpoint.config)
        request = config.request if config else {}
        return {
            **self._summary(endpoint),
            "EndpointConfigName": endpoint.config,
            "ProductionVariants": [_variant(fleet, endpoint) for fleet in endpoint.fleets.values()] or None,
            "FailureReason": endpoint.failure,
            "LastDeploymentConfig": endpoint.deployment,
            "AsyncInferenceConfig": request.get("AsyncInferenceConfig"),
            "PendingDeploymentSummary": _pending(endpoint),
        }

    @staticmethod
    def _summary(endpoint: Endpoint) -> dict[str, Any]:
        return {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointStatus": endpoint.status,
            "CreationTime": instant(endpoint.created),
            "LastModifiedTime": instant(endpoint.modified),
        }

    def list_endpoints(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of endpoints."""
        return page(params, self._world.endpoints.values(), "Endpoints", self._summary)

    def update(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Another configuration, blue/green or rolling."""
        endpoint = self._changeable(caller, params)
        config = self._account.config(caller, params["EndpointConfigName"])
        self._refuse_if_components_change(endpoint)
        if config.name == endpoint.config and endpoint.status == "InService":
            raise invalid("Cannot update the endpoint to the endpoint configuration that it has.")
        policy, retain = params.get("DeploymentConfig"), params.get("RetainDeploymentConfig", False)
        check_endpoint_config(policy, retain=retain)
        policy = endpoint.deployment if retain else policy
        fleets = self._fleets_of(caller, endpoint, config)
        if params.get("RetainAllVariantProperties", False):
            excluded = {each["VariantPropertyType"] for each in params.get("ExcludeRetainedVariantProperties", [])}
            _retain(endpoint, fleets, excluded)
        deployment = self._deployment(endpoint, config, fleets, policy, caller)
        self._check_quota(fleets)
        endpoint.left += endpoint.incoming.values()
        endpoint.incoming = {}
        tell = self._stories.rolling if deployment.rolling else self._stories.blue_green
        self._stories.begin(endpoint, "Updating", tell(endpoint, deployment))
        return {"EndpointArn": endpoint.arn}

    def _refuse_if_components_change(self, endpoint: Endpoint) -> None:
        for component in self._account.components_on(endpoint.name):
            if component.status in ("Creating", "Updating", "Deleting"):
                raise invalid(
                    f'Cannot update endpoint "{endpoint.arn}": its inference component {component.name} is '
                    f"{component.status}."
                )

    @staticmethod
    def _deployment(
        endpoint: Endpoint, config: EndpointConfig, fleets: dict[str, Fleet], policy: Params | None, caller: Caller
    ) -> Deployment:
        blue_green = (policy or {}).get("BlueGreenUpdatePolicy") or {}
        rolling = (policy or {}).get("RollingUpdatePolicy")
        if rolling and endpoint.hosts_components:
            raise invalid("The emulator has no rolling deployments of endpoints that host inference components.")
        if policy and set(fleets) != set(endpoint.fleets):
            raise invalid("The new endpoint configuration must have the same variant names as the old one.")
        if rolling and len(fleets) > 1:
            raise invalid("RollingUpdatePolicy is not supported for endpoints with several variants.")
        total = max(fleet.desired for fleet in fleets.values())
        routing = blue_green.get("TrafficRoutingConfiguration", {})
        return Deployment(
            config=config.name,
            fleets=fleets,
            shares=shares_of(blue_green or None, total),
            wait=float((rolling or routing).get("WaitIntervalInSeconds", 0)),
            termination_wait=float(blue_green.get("TerminationWaitInSeconds", 0)),
            rolling={name: rolling_of(rolling, fleet.desired) for name, fleet in fleets.items()} if rolling else {},
            guard=guard_of(policy, caller.region),
            policy=policy,
        )

    def reweigh(self, caller: Caller, params: Params) -> dict[str, Any]:
        """Other weights of variants, other counts of their instances."""
        endpoint = self._changeable(caller, params)
        counts: dict[str, int] = {}
        for each in params["DesiredWeightsAndCapacities"]:
            fleet = endpoint.fleets.get(each["VariantName"])
            if fleet is None:
                raise invalid(f"The endpoint {endpoint.name} has no variant {each['VariantName']}.")
            if "DesiredInstanceCount" in each:
                counts[fleet.variant] = _count(fleet, each["DesiredInstanceCount"])
        for each in params["DesiredWeightsAndCapacities"]:
            if "DesiredWeight" in each:
                endpoint.fleets[each["VariantName"]].desired_weight = float(each["DesiredWeight"])
        self._stories.begin(endpoint, "Updating", self._stories.reweigh(endpoint, counts))
        return {"EndpointArn": endpoint.arn}

    def delete(self, caller: Caller, params: Params) -> None:
        """Give an endpoint up; its components must be gone before."""
        endpoint = self._account.endpoint(caller, params["EndpointName"])
        if endpoint.status in ("Updating", "SystemUpdating", "RollingBack", "Deleting"):
            raise invalid(f'Cannot delete endpoint "{endpoint.arn}" in status {endpoint.status}.')
        if hosted := self._account.components_on(endpoint.name):
            names = ", ".join(sorted(component.name for component in hosted))
            raise invalid(f'Cannot delete endpoint "{endpoint.arn}": it hosts the inference components {names}.')
        self._stories.begin(endpoint, "Deleting", self._stories.delete(endpoint))

    def _changeable(self, caller: Caller, params: Params) -> Endpoint:
        endpoint = self._account.endpoint(caller, params["EndpointName"])
        if endpoint.status in _BUSY:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.status == "Failed":
            raise invalid(f'Cannot update failed endpoint "{endpoint.arn}". It can only be deleted.')
        return endpoint

    def _fleets_of(self, caller: Caller, endpoint: Endpoint, config: EndpointConfig) -> dict[str, Fleet]:
        variants = config.request["ProductionVariants"]
        for variant in variants:
            pools = variant.get("InstancePools", [])
            named = [variant.get("ModelName"), *(pool.get("ModelNameOverride") for pool in pools)]
            for name in filter(None, named):
                self._account.model(caller, name)
        return {each["VariantName"]: fleet_of(endpoint.name, each, self._world.models) for each in variants}

    def _check_quota(self, fleets: Mapping[str, Fleet]) -> None:
        """The account's limits, by instance type; by default there are none."""
        asked = Counter(dict.fromkeys(self._world.faults.now.quotas, 0))
        for fleet in fleets.values():
            asked[fleet.pools[0]] += fleet.desired
        for kind, limit in self._world.faults.now.quotas.items():
            used = self._world.fleets.count(kind)
            if used + asked[kind] > limit and asked[kind]:
                raise limit_exceeded(
                    f"The account-level service limit '{kind} for endpoint usage' is {limit} Instances, with current "
                    f"utilization of {used} Instances and a request delta of {asked[kind]} Instances. Please use AWS "
                    "Service Quotas to request an increase for this quota."
                )


def _count(fleet: Fleet, count: int) -> int:
    bounds = fleet.managed
    if bounds is not None and not bounds[0] <= count <= bounds[1]:
        raise invalid(f"DesiredInstanceCount {count} must be between {bounds[0]} and {bounds[1]}.")
    if count == 0:
        raise invalid("DesiredInstanceCount must be at least 1.")
    return int(count)


def _retain(endpoint: Endpoint, fleets: Mapping[str, Fleet], excluded: set[str]) -> None:
    """`RetainAllVariantProperties`: the counts and weights that the variants have, but for those excluded."""
    for name, fleet in fleets.items():
        old = endpoint.fleets.get(name)
        if old is not None and "DesiredInstanceCount" not in excluded:
            fleet.desired = old.desired
        if old is not None and "DesiredWeight" not in excluded:
            fleet.weight = fleet.desired_weight = old.desired_weight


def _variant(fleet: Fleet, endpoint: Endpoint) -> dict[str, Any]:
    """A `ProductionVariantSummary`."""
    return {
        "VariantName": fleet.variant,
        "DeployedImages": _images(fleet, endpoint),
        "CurrentWeight": fleet.weight,
        "DesiredWeight": fleet.desired_weight,
        "CurrentInstanceCount": len(fleet.ready),
        "DesiredInstanceCount": fleet.desired,
        "InstancePools": _pools(fleet),
        "VariantStatus": _status(fleet),
        "ManagedInstanceScaling": fleet.settings.get("ManagedInstanceScaling"),
        "RoutingConfig": fleet.settings.get("RoutingConfig"),
    }


def _images(fleet: Fleet, endpoint: Endpoint) -> list[dict[str, Any]] | None:
    if fleet.blueprint is None:
        return None
    _, container = next(iter(fleet.blueprint.by_type.values()))
    return [deployed_image(container.image, endpoint.created)]


def _pools(fleet: Fleet) -> list[dict[str, Any]] | None:
    if "InstancePools" not in fleet.settings:
        return None
    types = Counter(instance.type for instance in fleet.ready)
    return [{"InstanceType": kind, "CurrentInstanceCount": types[kind]} for kind in fleet.pools]


def _status(fleet: Fleet) -> list[dict[str, Any]] | None:
    if fleet.status is None:
        return None
    return [{"Status": fleet.status[0], "StartTime": instant(fleet.status[1])}]


def _pending(endpoint: Endpoint) -> dict[str, Any] | None:
    if endpoint.pending is None or not endpoint.incoming:
        return None
    name, since = endpoint.pending
    hidden = ("RoutingConfig",)
    variants = [
        {
            **{key: value for key, value in _variant(fleet, endpoint).items() if key not in hidden},
            "InstanceType": fleet.settings.get("InstanceType"),
        }
        for fleet in endpoint.incoming.values()
    ]
    return {"EndpointConfigName": name, "ProductionVariants": variants, "StartTime": instant(since)}
