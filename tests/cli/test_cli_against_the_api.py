"""The command line against the real API over a real store, so that both mean the same by every field."""

import asyncio
import json
import logging
import threading
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
import structlog
import uvicorn
from harbour import Cli, started

from longshore.api.app import create_app
from longshore.api.dependencies import Dependencies
from longshore.api.metrics import Metrics
from longshore.api.temporal import DeploymentWorkflows, connector
from longshore.backends.port import BackendError
from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.route import Route
from longshore.planning.words import BatchProgress, Event, EventType, OperationKind, Phase, Progress
from longshore.settings import Settings
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.parsing import parse
from longshore.store.database import Database
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, Record, RevisionRow
from longshore.store.store import Store

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SPEC = DeploymentSpec(target="workstation", model="digits", version="1", copies=2)
MANIFESTS = """\
kind: Target
metadata: {name: workstation}
spec: {backend: local}
---
kind: ModelVersion
metadata: {model: digits, version: "1"}
spec:
  artifact: {uri: "file:///m", digest: "sha256:%s"}
  server: {command: [serve]}
  resources: {accelerators: 1}
""" % ("0" * 64)
DEPLOYMENT = """\
kind: Deployment
metadata: {name: digits, labels: {team: search}}
spec: {target: workstation, model: digits, version: "1", copies: 3}
"""


FREEZES = """\
kind: Freeze
metadata: {name: weekend}
spec:
  reason: nobody is there
  timeZone: Europe/Berlin
  labels: {team: search}
  targets: [workstation]
  windows: [{days: [sat, sun], from: 18:00, until: 08:00}]
---
kind: Freeze
metadata: {name: now}
spec: {reason: the tests' day, windows: [{days: [mon], from: 00:00, until: 24:00}]}
"""


class Served:
    """The API in a thread of its own, and its store."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),))
        self.store: Store
        self.url = ""
        self.key = ""
        self._server: uvicorn.Server
        self._closing: asyncio.Event

    async def _main(self) -> None:
        database = Database.connect("sqlite+aiosqlite://")
        await database.create_all()
        self.store = Store(database)
        _, self.key = await self.store.keys.create("ada")
        settings = Settings.from_environment()
        dependencies = Dependencies(
            settings=settings,
            store=self.store,
            workflows=DeploymentWorkflows(connector(settings)),
            backend_of=_no_backend,
            metrics=Metrics(),
            now=lambda: NOW,
        )
        self._closing = dependencies.closing
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(dependencies), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=5
            )
        )
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.wait({serving}, timeout=0.02)
            if serving.done():
                raise RuntimeError("the API did not start")
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self._up.set()
        await serving
        await database.dispose()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._server.should_exit = True
        self._thread.join(60)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the server's loop do something with the store."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


def _no_backend(*_: object) -> Any:
    raise BackendError("AgentUnavailable", "the agent of workstation does not answer", retryable=True)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("LONGSHORE_HOME", str(tmp_path))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with Served() as running:
        monkeypatch.setenv("LONGSHORE_API_URL", running.url)
        monkeypatch.setenv("LONGSHORE_API_KEY", running.key)
        yield running
    structlog.reset_defaults()


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    file = tmp_path / "manifests.yaml"
    file.write_text(MANIFESTS)
    return str(file)


def operation(phase: Phase, step: int) -> OperationRow:
    return OperationRow(
        id="digits/onboard-1",
        deployment="digits",
        number=1,
        kind=OperationKind.ONBOARD,
        model="digits",
        target="workstation",
        to_revision=1,
        to_version="1",
        strategy="rolling",
        phase=phase,
        actor="ada",
        started_at=NOW,
        ended_at=NOW if phase.ended else None,
        step=step,
        progress=Progress(
            batches=(BatchProgress(number=1, add=2, remove=0, weight=100, state="done"),),
            copies={"1": 2},
            ready={"1": 2},
            traffic={"1": 100},
        ).model_dump(mode="json"),
    )


async def onboard(store: Store, phase: Phase, step: int) -> None:
    """Write what the parts of the stack would write of an onboarding."""
    done = phase.ended
    row = DeploymentRow(
        name="digits",
        target="workstation",
        model="digits",
        labels={"team": "search"},
        spec=SPEC,
        revision=1 if done else None,
        version="1" if done else None,
        rollout_to=None if done else {"revision": 1, "version": "1"},
        operation="digits/onboard-1",
        sequence=step,
        updated_at=NOW,
    )
    type_ = EventType.ROLLOUT_SUCCEEDED if done else EventType.ROLLOUT_STARTED
    revision = RevisionRow(deployment="digits", number=1, version="1", spec=SPEC, phase=phase, actor="ada", at=NOW)
    await store.record(
        Record(
            source="digits/onboard-1",
            step=step,
            events=(Event(at=NOW, deployment="digits", type=type_, revision=1, actor="ada", message=type_.value),),
            operation=operation(phase, step),
            deployment=row,
            revisions=(revision,),
            ledger=LedgerChange(at=NOW, deployment="digits", model="digits", shares={"1": 100}, cause="batch 1"),
        )
    )


async def observe(store: Store) -> None:
    """Two ready copies with all of the traffic."""
    copies = tuple(
        Copy(
            id=f"digits-1-{number}",
            deployment="digits",
            model="digits",
            version="1",
            host="here",
            accelerators=(number,),
            address=f"127.0.0.1:{9000 + number}",
            state=CopyState.READY,
        )
        for number in range(2)
    )
    hosts = (ObservedHost(name="here", accelerators=4),)
    await store.fleet.save_observation(
        Observation(target="workstation", sequence=1, at=NOW, hosts=hosts, copies=copies, deployment="digits")
    )
    route = Route(deployment="digits", model="digits", weights={"1": 100})
    revision = await store.traffic.publish_route(route, Fence(operation=1, step=1))
    await store.traffic.gateway_seen("gateway", None, connected=True)
    await store.traffic.gateway_acked("gateway", revision)


@pytest.fixture
def fleet(served: Served, cli: Cli, manifest: str) -> Served:
    """A target, a version, two freezes, and a deployment that was onboarded."""
    assert cli("apply", "-f", manifest).code == 0
    (file := Path(manifest).with_name("freezes.yaml")).write_text(FREEZES)
    assert cli("apply", "-f", str(file)).code == 0
    served.do(onboard(served.store, Phase.SUCCEEDED, 1))
    served.do(observe(served.store))
    return served


def test_applying_twice_is_once(served: Served, cli: Cli, manifest: str) -> None:
    first, second = (cli("apply", "-f", manifest, "-o", "json") for _ in range(2))

    results = [
        [(item["kind"], item["name"], item["result"]) for item in json.loads(ran.out)["items"]]
        for ran in (first, second)
    ]
    assert results == [
        [("Target", "workstation", "created"), ("ModelVersion", "digits/1", "created")],
        [("Target", "workstation", "unchanged"), ("ModelVersion", "digits/1", "unchanged")],
    ]


READABLE = {
    ("get", "deployments"): "digits",
    ("get", "deployments", "-l", "team=search", "--target", "workstation", "--phase", "Succeeded"): "1 2/2",
    ("get", "deployment", "digits"): "1 100%",
    ("get", "targets"): "here 2/4",
    ("get", "target", "workstation"): "here 2/4",
    ("get", "freezes"): "sat sun 18:00 to 08:00 Europe/Berlin",
    ("get", "freeze", "weekend"): "team=search, on workstation",
    ("get", "fz/now"): "mon 00:00 to 24:00 UTC   until 2026-05-05 00:00:00Z",
    ("describe", "freeze", "weekend"): "timeZone: Europe/Berlin",
    ("keys", "list"): "admin",
    ("get", "models"): "digits",
    ("get", "model", "digits"): "digits",
    ("get", "versions"): "file:///m",
    ("get", "version", "digits/1"): "file:///m",
    ("get", "revisions", "digits"): "Succeeded",
    ("get", "revision", "digits/1"): "Succeeded",
    ("get", "copies", "digits"): "digits-1-1",
    ("get", "copy", "digits/digits-1-0"): "127.0.0.1:9000",
    ("get", "operations", "digits"): "digits/onboard-1",
    ("get", "operation", "digits/onboard-1"): "digits/onboard-1",
    ("describe", "digits"): "Labels:    team=search",
    ("describe", "target", "workstation"): "acceleratorMemoryGiB: 0",
    ("events",): "digits RolloutSucceeded",
    ("events", "digits", "--after", "0"): "digits RolloutSucceeded",
    ("ledger", "digits"): "batch 1",
    ("ledger", "digits", "--at", "2026-05-04T12:00:01Z"): "100%",
    ("traffic", "digits"): "127.0.0.1:9000, 127.0.0.1:9001",
    ("rollout", "status", "digits"): "✓ 1  +2  to 100%  done",
    ("rollout", "history", "digits"): "digits/onboard-1",
}


@pytest.mark.parametrize(("command", "said"), READABLE.items(), ids=map(" ".join, READABLE))
def test_everything_is_readable_in_every_format(fleet: Served, cli: Cli, command: tuple[str, ...], said: str) -> None:
    ran = {output: cli(*command, "-o", output) for output in ("table", "json", "jsonl", "yaml", "name")}

    assert {(found.code, found.err) for found in ran.values()} == {(0, "")}
    assert said in ran["table"].out
    content = json.loads(ran["json"].out)
    (as_yaml,) = parse(ran["yaml"].out)
    lines = [json.loads(line) for line in ran["jsonl"].out.splitlines()]
    assert as_yaml.content == content
    assert lines == content.get("items", [content])
    assert [line.count("/") > 0 for line in ran["name"].out.splitlines()] == [True] * len(lines)


def test_a_deployment_is_the_object_of_the_design(fleet: Served, cli: Cli) -> None:
    found = json.loads(cli("get", "deployment", "digits", "-o", "json").out)

    assert found == {
        "name": "digits",
        "target": "workstation",
        "model": "digits",
        "revision": 1,
        "version": "1",
        "copies": {"1": 2},
        "ready": {"1": 2},
        "traffic": {"1": 100},
        "rolloutTo": None,
        "phase": "Succeeded",
        "health": "Healthy",
        "drift": "InSync",
        "reason": None,
        "message": None,
        "temporalUrl": None,
    }


def test_diff_agrees_with_the_server_on_what_is_stored(fleet: Served, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(DEPLOYMENT)

    ran = cli("diff", "-f", str(file))

    assert ran.code == 6
    assert ran.out == "deployment/digits changed\n  - spec.copies: 2\n  + spec.copies: 3\n"
    file.write_text(DEPLOYMENT.replace("copies: 3", "copies: 2"))
    assert cli("diff", "-f", str(file)).code == 0


def test_a_plan_comes_from_what_the_server_knows(fleet: Served, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(DEPLOYMENT)

    ran = cli("plan", "-f", str(file), "-o", "json", "--exit-code")

    assert ran.code == 6
    plan = json.loads(ran.out)
    assert (plan["operation"], plan["batches"]) == ("scale", [{"add": 1, "remove": 0, "weight": 100}])
    file.write_text(DEPLOYMENT.replace("copies: 3", "copies: 2"))
    assert cli("plan", "-f", str(file), "--exit-code").code == 0


def test_a_freeze_differs_by_its_fields_until_it_is_applied_and_is_deleted(
    fleet: Served, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "freezes.yaml"
    file.write_text(FREEZES.replace("08:00", "07:00"))

    ran = cli("diff", "-f", str(file))
    assert ran.code == 6
    assert [line.split()[:2] for line in ran.out.splitlines()] == [
        ["freeze/weekend", "changed"],
        ["-", "spec.windows:"],
        ["+", "spec.windows:"],
    ]
    assert cli("apply", "-f", str(file)).code == 0
    assert cli("diff", "-f", str(file)).code == 0
    assert cli("delete", "freeze/weekend").out.splitlines()[1].split()[0] == "freeze/weekend"
    assert cli("get", "freezes", "-o", "name").out == "freeze/now\n"


def test_a_key_that_was_made_is_a_key_until_it_is_revoked(
    fleet: Served, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cli("keys", "create", "bob", "--role", "viewer", "--role", "release-manager", "-o", "json")
    assert made.code == 0
    assert "keep the key now" in made.err
    assert "bob    viewer, release-manager" in cli("keys", "list").out
    with monkeypatch.context() as patched:
        patched.setenv("LONGSHORE_API_KEY", json.loads(made.out)["key"])
        assert cli("get", "targets").code == 0
        refused = cli("delete", "target", "workstation")
        assert (refused.code, len(refused.err.splitlines())) == (1, 1)
        assert "ask for a key with one of the roles admin, operator" in refused.err
        assert cli("rollout", "override", "digits", "--reason", "haste").code == 1
    assert cli("keys", "revoke", "bob").out.splitlines()[1] == "key bob is revoked"
    assert cli("keys", "create", "bob", "--role", "release-manager").code == 2


def test_what_the_server_refuses_has_file_and_line(fleet: Served, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text("# first\n" + DEPLOYMENT.replace('"1"', '"7"'))

    ran = cli("apply", "-f", str(file))

    assert ran.code in {1, 2}
    assert ran.err.startswith(f"{file}:2: ")
    assert len(ran.err.splitlines()) == 1


MISTAKES = [
    (("get", "deployment", "gone"), "there is no deployment 'gone'"),
    (("rollout", "pause", "gone"), "there is no deployment 'gone'"),
    (("rollout", "pause", "digits", "--wait"), "Temporal"),
    (("rollout", "approve", "gone"), "there is no deployment 'gone'"),
    (("rollout", "override", "gone", "--reason", "haste"), "there is no deployment 'gone'"),
    (("keys", "revoke", "gone"), "`longshore keys list` lists those there are"),
    (("logs", "digits"), "the agent of workstation does not answer"),
]


@pytest.mark.parametrize(("command", "said"), MISTAKES)
def test_what_cannot_be_done_is_one_line(fleet: Served, cli: Cli, command: tuple[str, ...], said: str) -> None:
    ran = cli(*command)

    assert (ran.code, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert said in ran.err


def test_watching_ends_with_the_operation(served: Served, cli: Cli, manifest: str) -> None:
    cli("apply", "-f", manifest)
    served.do(onboard(served.store, Phase.PROGRESSING, 1))

    with started("rollout", "watch", "digits") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "digits/onboard-1 Progressing\n"
        served.do(onboard(served.store, Phase.SUCCEEDED, 2))
        assert process.stdout.readline().endswith("digits RolloutSucceeded: RolloutSucceeded\n")
        assert process.stdout.readline() == "digits/onboard-1 Succeeded\n"
        assert process.wait(60) == 0
