"""Models, and the endpoint configurations that name them: both immutable, created and deleted at once."""

from typing import Any

from longshore.emulator.control.account import CONFIG, MODEL, Account, Params
from longshore.emulator.control.listing import page
from longshore.emulator.control.variants import check_variant
from longshore.emulator.errors import invalid
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import EndpointConfig, Model, instant

_CONFIG_MEMBERS = (
    "EndpointConfigName",
    "ProductionVariants",
    "DataCaptureConfig",
    "KmsKeyId",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "ExecutionRoleArn",
    "VpcConfig",
    "EnableNetworkIsolation",
    "MetricsConfig",
    "CrossRegionTrafficConfig",
)


class Models:
    """`CreateModel` and its like, `CreateEndpointConfig` and its like."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._world = account.world

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "CreateModel": self.create_model,
            "DescribeModel": self.describe_model,
            "ListModels": self.list_models,
            "DeleteModel": self.delete_model,
            "CreateEndpointConfig": self.create_config,
            "DescribeEndpointConfig": self.describe_config,
            "ListEndpointConfigs": self.list_configs,
            "DeleteEndpointConfig": self.delete_config,
        }

    def create_model(self, caller: Caller, params: Params) -> dict[str, Any]:
        """An image, and where its artifacts are."""
        if ("PrimaryContainer" in params) == bool(params.get("Containers")):
            raise invalid("One of PrimaryContainer and Containers must be specified, and not both.")
        for container in params.get("Containers") or [params["PrimaryContainer"]]:
            if "Image" not in container:
                raise invalid("The emulator has no models of model packages: name an Image.")
        name, now = params["ModelName"], self._world.now()
        arn = self._account.new_arn(MODEL, caller, name)
        self._account.tag(arn, params.get("Tags"))
        self._world.models[name] = Model(name, arn, params, now, now)
        return {"ModelArn": arn}

    def describe_model(self, caller: Caller, params: Params) -> dict[str, Any]:
        """A model as it was created."""
        model = self._account.model(caller, params["ModelName"])
        members = (
            "ModelName",
            "PrimaryContainer",
            "Containers",
            "InferenceExecutionConfig",
            "ExecutionRoleArn",
            "VpcConfig",
        )
        given = {name: model.request[name] for name in members if name in model.request}
        return {
            **given,
            "ModelArn": model.arn,
            "CreationTime": instant(model.created),
            "EnableNetworkIsolation": model.request.get("EnableNetworkIsolation", False),
        }

    def list_models(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of models."""
        return page(
            params,
            self._world.models.values(),
            "Models",
            lambda model: {
                "ModelName": model.name,
                "ModelArn": model.arn,
                "CreationTime": instant(model.created),
            },
        )

    def delete_model(self, caller: Caller, params: Params) -> None:
        """Delete the entry; endpoints that run the model keep it."""
        model = self._account.model(caller, params["ModelName"])
        del self._world.models[model.name]
        self._world.tags.pop(model.arn, None)

    def create_config(self, caller: Caller, params: Params) -> dict[str, Any]:
        """An endpoint configuration, checked variant by variant."""
        name, now = params["EndpointConfigName"], self._world.now()
        arn = self._account.new_arn(CONFIG, caller, name)
        variants = params["ProductionVariants"]
        if len({variant["VariantName"] for variant in variants}) < len(variants):
            raise invalid("The variant names of an endpoint configuration must be unique.")
        for variant in variants:
            if "ModelName" in variant:
                self._account.model(caller, variant["ModelName"])
            check_variant(variant, has_role="ExecutionRoleArn" in params)
        self._account.tag(arn, params.get("Tags"))
        self._world.configs[name] = EndpointConfig(name, arn, params, now, now)
        return {"EndpointConfigArn": arn}

    def describe_config(self, caller: Caller, params: Params) -> dict[str, Any]:
        """A configuration as it was created."""
        config = self._account.config(caller, params["EndpointConfigName"])
        given = {name: config.request[name] for name in _CONFIG_MEMBERS if name in config.request}
        return {**given, "EndpointConfigArn": config.arn, "CreationTime": instant(config.created)}

    def list_configs(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of configurations."""
        return page(
            params,
            self._world.configs.values(),
            "EndpointConfigs",
            lambda config: {
                "EndpointConfigName": config.name,
                "EndpointConfigArn": config.arn,
                "CreationTime": instant(config.created),
            },
        )

    def delete_config(self, caller: Caller, params: Params) -> None:
        """Delete the entry, even of one in use: the documentation only says that one must not."""
        config = self._account.config(caller, params["EndpointConfigName"])
        del self._world.configs[config.name]
        self._world.tags.pop(config.arn, None)
