"""A walkthrough's two sides: what a person says to Longshore, and what AWS has meanwhile."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from e2e_stack import eventually
from sagemaker_player import IMAGE, ROLE, Player

PERIOD_S = 60
"""Of alarms; emulated, so one real second."""
LOOKS_PER_SECOND = 5
WITHIN_S = 90.0
"""How long a person may have to wait for anything, where several walk at once on two cores."""


class Walker:
    """Says things by the installed command line, and looks at AWS by boto3."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.stack = player.stack
        self.sagemaker = player.client("sagemaker")
        self._cloudwatch = player.client("cloudwatch")
        self._autoscaling = player.client("application-autoscaling")
        self._runtime = player.client("sagemaker-runtime")

    def given_endpoint(self, name: str, type_: str, instances: int, most: int | None = None) -> None:
        """A target with an endpoint of its own, see `Player.given_endpoint`, and wait until it is there."""
        self.player.given_endpoint(name, type_, instances, most)

        def is_there() -> bool:
            found = self.sagemaker.list_endpoints(NameContains=name, StatusEquals="InService")["Endpoints"]
            return name in {one["EndpointName"] for one in found}

        eventually(is_there, f"endpoint {name} is InService")

    def given_classic_target(self, name: str, type_: str, most: int) -> None:
        """A target where each deployment has an endpoint of its own."""
        instances = {"type": type_, "min": 1, "max": most}
        sagemaker = {"region": "us-east-1", "executionRole": ROLE, "instances": instances}
        target = {"backend": "sagemaker", "sagemaker": sagemaker}
        self.stack.apply({"kind": "Target", "metadata": {"name": name}, "spec": target})

    def given_versions(self, *versions: tuple[str, str], **behaviour: Any) -> None:
        """Versions of models, which all behave alike."""
        self.stack.apply(*(self.player.version(model, version, behaviour) for model, version in versions))

    # -- what a person says ----------------------------------------------------------------------------------------

    def apply(self, deployments: dict[str, Any], *options: str, exits: int = 0) -> None:
        """Apply deployments by name, in one go; what is not given of one stays as it was."""
        told = self.stack.documents
        told |= {name: {"model": name, **told.get(name, {}), **changes} for name, changes in deployments.items()}
        documents = [{"kind": "Deployment", "metadata": {"name": name}, "spec": told[name]} for name in deployments]
        self.stack.apply(*documents, options=options, exits=exits)

    def get(self, name: str) -> dict[str, Any]:
        """The deployment as Longshore tells it."""
        found: dict[str, Any] = self.stack.read("get", "deployment", name)
        return found

    def serves(self, name: str, version: str, copies: int) -> None:
        """Wait until a deployment rests with these copies of a version, as Longshore and the gateway tell it."""
        self.stack.then_serves(name, version, copies, within=WITHIN_S)

    def shows(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Wait until Longshore tells just this of a deployment."""
        seen: dict[str, Any] = {}

        def does() -> bool:
            seen.update(self.get(name))
            return {key: seen[key] for key in wanted} == wanted

        try:
            eventually(does, f"{name} shows {wanted}", WITHIN_S)
        except AssertionError:
            assert {key: seen[key] for key in wanted} == wanted, seen["message"]
        return seen

    def happens(self, name: str, kind: str) -> dict[str, Any]:
        """Wait until something happened to a deployment."""

        def happened() -> dict[str, Any] | None:
            return next((event for event in self.stack.events(name) if event["type"] == kind), None)

        found: dict[str, Any] = eventually(happened, f"{kind} of {name}")
        return found

    def asks(self, name: str) -> dict[str, Any]:
        """What the gateway answers to one request: the version, and the process that it came from."""
        url = f"http://{self.stack.gateway}/v1/models/{name}/invocations"
        answer = httpx.post(url, json={}, timeout=30, trust_env=False)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def wakes(self, name: str) -> None:
        """Ask a model that sleeps until it answers."""
        url = f"http://{self.stack.gateway}/v1/models/{name}/invocations"

        def answers() -> bool:
            return httpx.post(url, json={}, timeout=30, trust_env=False).status_code == httpx.codes.OK

        assert not answers(), "it sleeps"
        eventually(answers, f"{name} is awake")

    # -- what AWS has ----------------------------------------------------------------------------------------------

    def components(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """The inference components of an endpoint, as described, by name."""
        pages = self.sagemaker.get_paginator("list_inference_components").paginate(EndpointNameEquals=endpoint)
        names = [one["InferenceComponentName"] for page in pages for one in page["InferenceComponents"]]
        return {name: self.described(name) for name in names}

    def described(self, component: str) -> dict[str, Any]:
        """One inference component."""
        found: dict[str, Any] = self.sagemaker.describe_inference_component(InferenceComponentName=component)
        return {key: value for key, value in found.items() if key != "ResponseMetadata"}

    def component_of(self, deployment: str) -> str:
        """The name of the one component that a deployment has."""
        (found,) = (
            name
            for name, one in self.components(self.stack.documents[deployment]["target"]).items()
            if self._tag(one["InferenceComponentArn"], "longshore:deployment") == deployment
        )
        return found

    def endpoint_of(self, deployment: str) -> dict[str, Any]:
        """The endpoint that a deployment has for itself, as described."""
        every = self.sagemaker.list_endpoints(NameContains=deployment)["Endpoints"]
        (found,) = (one for one in every if self._tag(one["EndpointArn"], "longshore:deployment") == deployment)
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=found["EndpointName"])
        return described

    def made_by_hand(self, endpoint: str, name: str, accelerators: int = 1) -> str:
        """A component of one copy that a person makes and Longshore knows nothing of; gives its name."""
        uri, _ = self.player.artifact(name, {})
        self._model(name, uri, {"MODEL_VERSION": name})
        self.sagemaker.create_inference_component(
            InferenceComponentName=name,
            EndpointName=endpoint,
            VariantName="AllTraffic",
            Specification={"ModelName": name, "ComputeResourceRequirements": _needs(accelerators)},
            RuntimeConfig={"CopyCount": 1},
        )
        self.in_service(name)
        return name

    def scaled_by_hand(self, component: str, copies: int) -> None:
        """Somebody wants another number of copies."""
        self.sagemaker.update_inference_component_runtime_config(
            InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": copies}
        )

    def patched_by_hand(self, component: str, **environment: str) -> None:
        """Somebody gives a component other variables of its environment."""
        before = self.described(component)["Specification"]
        container = self.sagemaker.describe_model(ModelName=before["ModelName"])["PrimaryContainer"]
        patched = f"patched-{component}"[:63].rstrip("-")
        uri = container["ModelDataSource"]["S3DataSource"]["S3Uri"]
        self._model(patched, uri, {**container["Environment"], **environment})
        specification = {**before, "ModelName": patched}
        self.sagemaker.update_inference_component(InferenceComponentName=component, Specification=specification)
        self.in_service(component)

    def in_service(self, component: str) -> None:
        """Wait until AWS is done with a component."""
        eventually(
            lambda: self.described(component)["InferenceComponentStatus"] == "InService", f"{component} is InService"
        )

    def invokes(self, endpoint: str, component: str) -> dict[str, Any]:
        """What a component answers to somebody who asks AWS and not the gateway."""
        answer = self._runtime.invoke_endpoint(
            EndpointName=endpoint, InferenceComponentName=component, ContentType="application/json", Body=b"{}"
        )
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    def scalable_targets(self, component: str) -> list[dict[str, Any]]:
        """What the autoscaler knows of a component: none or one."""
        found: list[dict[str, Any]] = self._autoscaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[f"inference-component/{component}"]
        )["ScalableTargets"]
        return found

    def policies(self, component: str) -> set[str]:
        """Types of the policies by which a component is scaled."""
        found = self._autoscaling.describe_scaling_policies(
            ServiceNamespace="sagemaker", ResourceId=f"inference-component/{component}"
        )["ScalingPolicies"]
        return {policy["PolicyType"] for policy in found}

    def alarm(self, name: str, **dimensions: str) -> None:
        """An alarm on the errors of a component's or an endpoint's containers."""
        self._cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            Statistic="Sum",
            Period=PERIOD_S,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )

    def rests(self, alarm: str) -> None:
        """Wait until an alarm is over: an update that begins under it is rolled back."""

        def does() -> bool:
            (found,) = self._cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
            return bool(found["StateValue"] == "OK")

        eventually(does, f"alarm {alarm} is over")

    def faults(self, **faults: Any) -> None:
        """Change some of what goes wrong at AWS, and leave the rest."""
        httpx.patch(f"{self.player.aws_url}/_emulator/faults", json=faults, timeout=10).raise_for_status()

    @contextmanager
    def watched(self, endpoint: str) -> Iterator["Watch"]:
        """Look at an endpoint all the while."""
        watch, over = Watch(), threading.Event()

        def look() -> None:
            while not over.wait(1 / LOOKS_PER_SECOND):
                self._look(endpoint, watch)

        with ThreadPoolExecutor(1, thread_name_prefix=f"watches {endpoint}") as pool:
            looking = pool.submit(look)
            try:
                yield watch
            finally:
                over.set()
            looking.result()

    def instances(self, endpoint: str) -> int:
        """Instances that the endpoint has."""
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    def _look(self, endpoint: str, watch: "Watch") -> None:
        try:
            found = self.components(endpoint).values()
        except self.sagemaker.exceptions.ClientError:  # one was deleted between being listed and described
            return
        watch.accelerators.append(sum(max(_copies(one)) * _accelerators(one) for one in found))
        watch.instances.append(self.instances(endpoint))

    def _model(self, name: str, uri: str, environment: dict[str, str]) -> None:
        source = {"S3Uri": uri, "S3DataType": "S3Object", "CompressionType": "None"}
        container = {"Image": IMAGE, "Environment": environment, "ModelDataSource": {"S3DataSource": source}}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def _tag(self, arn: str, key: str) -> str | None:
        tags = self.sagemaker.list_tags(ResourceArn=arn)["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == key), None)


@dataclass
class Watch:
    """What AWS had of an endpoint, look by look."""

    accelerators: list[int] = field(default_factory=list)
    """Of all components: of the copies that they have or ask for, whichever are more."""
    instances: list[int] = field(default_factory=list)


def _copies(component: dict[str, Any]) -> tuple[int, int]:
    counts = component["RuntimeConfig"]
    return counts["DesiredCopyCount"], counts["CurrentCopyCount"]


def _needs(accelerators: int) -> dict[str, Any]:
    return {"NumberOfAcceleratorDevicesRequired": accelerators, "MinMemoryRequiredInMb": 1024}


def _accelerators(component: dict[str, Any]) -> int:
    needs = component["Specification"]["ComputeResourceRequirements"]
    return int(needs["NumberOfAcceleratorDevicesRequired"])
