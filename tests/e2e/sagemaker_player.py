"""Plays a rehearsal's story on the emulated SageMaker: real serving processes, and real traffic through Envoy.

A rehearsal acts at instants. On a real backend nothing takes the same time twice, so here each act of the timeline is
done once the events have come to where they stood in the rehearsal at that instant. What must be equal is the story,
event for event, and its end.
"""

import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
from e2e_stack import LONGSHORE, Stack, eventually

from longshore.spec.parsing import parse

SCENARIOS = Path(__file__).parents[1] / "scenarios"
IMAGE = "stories:1"
CONTAINER = Path(__file__).with_name("e2e_container.py")
BUCKET = "stories"
ROLE = "arn:aws:iam::123456789012:role/stories"
REQUESTS_PER_SECOND = 12.0
"""Of each story: so that two cores hold several, and half a minute is samples enough."""
MOST_BAKE_S = 6.0
"""Longer ones are cut: acts come by what happened, not by the time that passed."""
PLAYED_WITHIN = 300.0
"""Seconds: the longest story has ten batches."""
GPUS = {4: "ml.g5.12xlarge", 8: "ml.g5.48xlarge"}
"""Accelerators of an instance → its type."""

TOLD = frozenset(
    {
        *("RolloutStarted", "BatchStarted", "BatchReady", "TrafficShifted", "BatchDone", "CheckFailed"),
        *("RolloutPaused", "RolloutResumed", "ApprovalAsked", "Approved", "RollbackStarted", "RolloutBlocked"),
        *("RolloutSucceeded", "RolledBack", "RolloutAborted", "RolloutSuperseded", "RolloutFailed"),
        *("Scaled", "WarmReleased", "Refused", "Retired"),
    }
)
"""Events that are compared: how often a check passes is a matter of time, and of luck whether a copy is lost."""
END = ("phase", "version", "revision", "copies", "ready", "traffic", "rolloutTo", "reason")

Told = list[tuple[str, int | None, str | None]]


def told(events: list[dict[str, Any]]) -> Told:
    """Type, batch and weights of the events that are compared."""
    return [
        (event["type"], event["batch"], json.dumps(event["weights"], sort_keys=True) if "weights" in event else None)
        for event in events
        if event["type"] in TOLD
    ]


@dataclass
class Story:
    """One rehearsal, and its deployment's name on the stack."""

    name: str
    content: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        (document,) = parse((SCENARIOS / f"{self.name}.yaml").read_text())
        self.content = document.content["spec"]

    @property
    def deployment(self) -> str:
        """Named like the story, as far as names go: many are played on one stack."""
        return f"s{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    @cached_property
    def rehearsed(self) -> dict[str, Any]:
        """What the rehearsal says."""
        command = [LONGSHORE, "rehearse", "-f", SCENARIOS / f"{self.name}.yaml", "-o", "json"]
        answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return answer

    @property
    def given(self) -> dict[str, Any]:
        """The one deployment that it is about."""
        (spec,) = self.content["given"].values()
        found: dict[str, Any] = spec
        return found

    @property
    def end(self) -> dict[str, Any]:
        """How the rehearsal left its deployment."""
        (found,) = self.rehearsed["deployments"].values()
        return {key: found[key] for key in END}

    def before(self, instant: float) -> Told:
        """The events of the rehearsal before an act at an instant."""
        return told([event for event in self.rehearsed["events"] if event["at"] < instant])


class Player:
    """Plays stories on a stack with the emulator."""

    def __init__(self, stack: Stack, aws: dict[str, str]) -> None:
        self.stack = stack
        self._aws = aws
        self._s3 = self.client("s3")
        self._s3.create_bucket(Bucket=BUCKET)

    def client(self, service: str) -> Any:
        """A client of the emulated AWS."""
        return boto3.client(
            service,
            endpoint_url=self.aws_url,
            aws_access_key_id=self._aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._aws["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        )

    @property
    def aws_url(self) -> str:
        """Where the emulated AWS is."""
        return self._aws["AWS_ENDPOINT_URL"]

    def faults(self, **faults: Any) -> None:
        """What goes wrong at the emulated AWS from now on; nothing, when nothing is given."""
        httpx.put(f"{self.aws_url}/_emulator/faults", json=faults, timeout=10).raise_for_status()

    def play(self, story: Story) -> None:
        """Play a story from what is given to its end, and check that it is the rehearsal's."""
        self._given(story)
        name = story.deployment
        self.stack.then_serves(name, story.given["version"], story.given["copies"])
        begun = self._newest(name)
        with self.asked(name):
            for act in story.content["timeline"]:
                self._until(story, begun, story.before(_seconds(act["at"])))
                self._act(name, act)
            self._until(story, begun, told(story.rehearsed["events"]))
            self._ends(story)

    def _given(self, story: Story) -> None:
        hosts = story.content["hosts"]
        needed = max(host["accelerators"] for host in hosts)
        type_ = next(type_ for accelerators, type_ in GPUS.items() if accelerators >= needed)
        name = story.deployment
        self.given_endpoint(name, type_, len(hosts))
        wanted = {story.given["version"], *(act["version"] for act in story.content["timeline"] if "version" in act)}
        for version in sorted(wanted):
            self.given_version(name, version, story.content["versions"].get(version, {}))
        self.stack.when_applied(name, target=name, **self._spec(name, story.given))

    def given_endpoint(self, name: str, type_: str, instances: int, most: int | None = None) -> None:
        """A target with an endpoint of its own: so many instances, and where `most` is given, up to that many."""
        sagemaker = {
            "region": "us-east-1",
            "endpoint": name,
            "executionRole": ROLE,
            "instances": {"type": type_, "min": instances, "max": most or instances},
        }
        target = {"backend": "sagemaker", "sagemaker": sagemaker}
        self.stack.apply({"kind": "Target", "metadata": {"name": name}, "spec": target})

    def given_version(self, model: str, version: str, behaviour: dict[str, Any]) -> None:
        """A version whose container behaves as a rehearsal says, but for its start-up, which is what it is."""
        self.stack.apply(self.version(model, version, behaviour))

    def version(self, model: str, version: str, behaviour: dict[str, Any]) -> dict[str, Any]:
        """Such a version's manifest; its artifact is on S3."""
        uri, digest = self.artifact(f"{model}-{version}", behaviour)
        spec = {
            "artifact": {"uri": uri, "digest": digest},
            "server": {"image": IMAGE, "protocol": "http", "env": {"MODEL_VERSION": version}},
            "resources": {"accelerators": 1, "cpus": 1, "memoryGiB": 1, **behaviour.get("resources", {})},
            "sideBySide": behaviour.get("sideBySide", True),
        }
        return {"kind": "ModelVersion", "metadata": {"model": model, "version": version}, "spec": spec}

    def artifact(self, name: str, behaviour: dict[str, Any]) -> tuple[str, str]:
        """Put what makes a container behave so on S3; gives where it is, and its digest."""
        said = {"errors": behaviour.get("errorRate", 0.0), "startup": 1e6 if behaviour.get("neverReady") else 0.0}
        body = json.dumps(said).encode()
        self._s3.put_object(Bucket=BUCKET, Key=f"{name}.json", Body=body, ChecksumAlgorithm="SHA256")
        return f"s3://{BUCKET}/{name}.json", f"sha256:{hashlib.sha256(body).hexdigest()}"

    def _spec(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """A deployment as the rehearsal has it, its waits and windows fitted to a slower flow of requests."""
        spec = {**given, "model": name}
        rollout = dict(spec.get("rollout", {}))
        if "checks" in rollout:
            rollout["checks"] = [{**check, "minSamples": 8, "interval": "4s"} for check in rollout["checks"]]
        rollout["bake"] = f"{min(_seconds(rollout['bake']), MOST_BAKE_S):g}s"
        return {**spec, "rollout": {"drainTimeout": "20s", **rollout}}

    def _act(self, name: str, act: dict[str, Any]) -> None:
        words = {key: value for key, value in act.items() if key not in {"at", "do", "deployment"}}
        refused = 1
        match act["do"]:
            case "apply":
                policy = words.pop("rollout", {})
                before = self.stack.documents[name]
                rollout = self._spec(name, {"rollout": {**before["rollout"], **policy}})["rollout"]
                self.stack.when_applied(name, **words, rollout=rollout)
            case "scale":
                self.stack.run("scale", name, "--copies", str(words["copies"]))
            case "retire":
                self.stack.run("delete", "deployment", name)
            case verb:
                answer = self.stack.told_to("rollout", verb, name)
                assert answer in {0, refused}, f"{verb} exits {answer}"

    def _newest(self, name: str) -> int:
        return max((event["sequence"] for event in self.stack.events(name)), default=0)

    def _until(self, story: Story, begun: int, wanted: Told) -> None:
        """Wait until just these events have come.

        Raises:
            AssertionError: others did, or too few.
        """
        came: Told = []

        def there() -> bool:
            came[:] = told(self.stack.events(story.deployment, after=begun))
            return len(came) >= len(wanted) or came != wanted[: len(came)]

        try:
            eventually(there, f"{story.name}: {len(wanted)} events", within=PLAYED_WITHIN)
        finally:
            assert came[: len(wanted)] == wanted, self.stack.read("get", "deployment", story.deployment)["message"]

    def _ends(self, story: Story) -> None:
        """Wait until the deployment is as the rehearsal left it."""
        wanted, found = story.end, dict[str, Any]()

        def is_so() -> bool:
            deployment = self.stack.read("get", "deployment", story.deployment)
            found.update({key: deployment[key] for key in END})
            return found == wanted

        try:
            eventually(is_so, f"{story.name} ends as rehearsed")
        except AssertionError:
            assert found == wanted

    @contextmanager
    def asked(self, name: str, per_second: float = REQUESTS_PER_SECOND) -> Iterator[list[int]]:
        """Requests on the beat, for the checks to measure; gives their statuses as they come."""
        over = threading.Event()
        statuses: list[int] = []
        url = f"http://{self.stack.gateway}/v1/models/{name}/invocations"

        def ask() -> None:
            beat = time.monotonic()
            with httpx.Client(timeout=20, trust_env=False) as client:
                while not over.wait(max(0.0, beat - time.monotonic())):
                    answer = client.post(url, content=b"{}", headers={"content-type": "application/json"})
                    statuses.append(answer.status_code)
                    beat = max(beat + 1 / per_second, time.monotonic())

        with ThreadPoolExecutor(1, thread_name_prefix=f"asks {name}") as pool:
            asking = pool.submit(ask)
            try:
                yield statuses
            finally:
                over.set()
            asking.result()  # an answer that never came is none to be silent about


def _seconds(text: str | float) -> float:
    from longshore.spec.quantities import parse_duration

    return parse_duration(text)
