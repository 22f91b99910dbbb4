"""An embedded stack in a home of its own, driven by the installed command line as a user would."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from longshore.stack.places import Places
from longshore.stack.plan import Plan
from longshore.stack.ports import Ports

LONGSHORE = Path(sysconfig.get_path("scripts")) / "longshore"
SERVER = Path(__file__).with_name("e2e_server.py")
COMMAND_S = 120.0
WAIT_S = 90.0
"""How long anything may take on a slow machine, before a test says that it never happened."""
ACCELERATORS = 8


def eventually(condition: Callable[[], Any], what: str, within: float = WAIT_S) -> Any:
    """Ask a condition until it holds, and give what it gave."""
    deadline = time.monotonic() + within
    while not (held := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.02)
    return held


class Stack:
    """The short words that the stories are told in."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self._files = home / "e2e"
        self.documents: dict[str, dict[str, Any]] = {}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LONGSHORE_", "TEMPORAL_"))
        }
        self._environment = {**inherited, "LONGSHORE_HOME": str(home), "LONGSHORE_PORT_BASE": "auto", **environment}
        self.lives = Lives(self._files / "lives.jsonl")

    # -- the command line ------------------------------------------------------------------------------------------

    def run(self, *arguments: str, stdin: str | None = None, exits: int = 0) -> str:
        """Run `longshore` and give its stdout."""
        done = subprocess.run(
            [LONGSHORE, *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert done.returncode == exits, f"longshore {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def told_to(self, *arguments: str) -> int:
        """Run `longshore`, whatever comes of it; gives its exit code."""
        command = [LONGSHORE, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, timeout=COMMAND_S, check=False)
        return done.returncode

    def read(self, *arguments: str) -> Any:
        """What a reading command says."""
        return json.loads(self.run(*arguments, "-o", "json"))

    def up(self) -> None:
        """Bring the stack up."""
        self._files.mkdir(exist_ok=True)
        self.run("up")

    @property
    def state(self) -> dict[str, Any]:
        """The stack's own word of its parts."""
        found: dict[str, Any] = json.loads((self.home / "run" / "stack.json").read_text())
        return found

    @property
    def aws(self) -> dict[str, str]:
        """The environment in which AWS is the stack's emulator."""
        base = int(self.state["portBase"])
        return Plan.of(Places.of(self.home), Ports(base), {"LONGSHORE_EMULATE": "sagemaker"}).aws()

    @property
    def gateway(self) -> str:
        """`host:port` that requests to models go to."""
        return str(self.state["gatewayUrl"]).removeprefix("http://")

    # -- given -----------------------------------------------------------------------------------------------------

    def given_target(self, name: str = "here") -> None:
        """A target with declared accelerators, more than any rollout here may take."""
        hosts = [{"name": "a", "accelerators": ACCELERATORS, "acceleratorMemoryGiB": 16}]
        self.apply({"kind": "Target", "metadata": {"name": name}, "spec": {"backend": "local", "hosts": hosts}})

    def given_version(self, model: str, version: str, **behaviour: Any) -> None:
        """A version that behaves as `e2e_server` describes."""
        artifact = self._files / f"{model}-{version}.json"
        artifact.write_text(json.dumps(behaviour))
        spec = {
            "artifact": {
                "uri": f"file://{artifact}",
                "digest": f"sha256:{hashlib.sha256(artifact.read_bytes()).hexdigest()}",
            },
            "server": {
                "command": [sys.executable, "-I", "-S", str(SERVER)],
                "ready": "/ready",
                "protocol": "http",
                "env": {"LIVES": str(self.lives.path)},
                "smoke": {"path": "/ready"},
            },
            "resources": {"accelerators": 1},
        }
        self.apply({"kind": "ModelVersion", "metadata": {"model": model, "version": version}, "spec": spec})

    # -- when ------------------------------------------------------------------------------------------------------

    def when_applied(self, name: str, **changes: Any) -> None:
        """Apply a deployment; what is not given stays as it was."""
        before = self.documents.get(name, {"target": "here"})
        self.documents[name] = {**before, **changes}
        self.apply({"kind": "Deployment", "metadata": {"name": name}, "spec": self.documents[name]})

    def when_killed(self, part: str) -> float:
        """`kill -9` a part; gives the instant."""
        pid = self.state["parts"][part]["pid"]
        os.kill(pid, signal.SIGKILL)
        return time.time()

    def when_supervisor_killed(self) -> None:
        """`kill -9` the supervisor, and wait until it is gone."""
        process = psutil.Process(self.state["supervisor"])
        process.kill()
        process.wait(WAIT_S)

    @contextmanager
    def following(self, name: str) -> Iterator["Followed"]:
        """Follow a deployment's events from now on, through restarts of the API."""
        after = max((event["sequence"] for event in self.events(name)), default=0)
        arguments = [LONGSHORE, "events", name, "--follow", "--after", str(after), "-o", "jsonl"]
        with (self._files / "follow.log").open("ab") as log:
            process = subprocess.Popen(
                arguments, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        followed = Followed(process, after)
        try:
            yield followed
        finally:
            followed.close()

    # -- then ------------------------------------------------------------------------------------------------------

    def events(self, name: str, after: int = 0) -> list[dict[str, Any]]:
        """Everything that happened to a deployment, oldest first."""
        found: list[dict[str, Any]] = self.read("events", name, "--after", str(after))["items"]
        return found

    def then_serves(self, name: str, version: str, copies: int, within: float = 30) -> dict[str, Any]:
        """Wait until a deployment rests with exactly these copies of a version and all of the traffic."""
        wanted = {
            "version": version,
            "copies": {version: copies},
            "ready": {version: copies},
            "traffic": {version: 100},
            "rolloutTo": None,
            "health": "Healthy",
            "drift": "InSync",
        }
        seen: dict[str, Any] = {}

        def serves() -> bool:
            seen.update(self.read("get", "deployment", name))
            return {key: seen[key] for key in wanted} == wanted

        try:
            eventually(serves, f"{name} serves version {version}", within)
        except AssertionError:
            assert {key: seen[key] for key in wanted} == wanted, seen["message"]
        return seen

    def then_back(self, part: str, restarts: int) -> None:
        """Wait until a part was started again so many times, and all is ready."""

        def back() -> bool:
            state = self.state
            return state["parts"][part]["restarts"] >= restarts and state["ready"]

        eventually(back, f"{part} is back")

    def then_ledger_is_whole(self, name: str) -> list[dict[str, int]]:
        """Check that each span begins where the one before ends and adds up to 100; gives their shares in order."""
        spans = self.read("ledger", name)["items"]
        assert [span["until"] for span in spans] == [*(span["since"] for span in spans[1:]), None]
        for span in spans:
            assert sum(span["shares"].values()) == 100, span
        return [span["shares"] for span in spans]

    def apply(self, *documents: dict[str, Any], options: tuple[str, ...] = (), exits: int = 0) -> None:
        """Apply documents together, their API's version left out."""
        manifests = "\n---\n".join(json.dumps({"apiVersion": "longshore/v1", **document}) for document in documents)
        self.run("apply", "-f", "-", *options, stdin=manifests, exits=exits)


class Followed:
    """Events as `longshore events --follow` tells them."""

    def __init__(self, process: "subprocess.Popen[bytes]", after: int) -> None:
        self._process = process
        self.after = after
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, name="events")
        self._reader.start()

    def wait_for(self, kind: str, batch: int | None = None, within: float = WAIT_S) -> dict[str, Any]:
        """Wait until something happened."""

        def happened() -> dict[str, Any] | None:
            told = [event for event in self.events if event["type"] == kind]
            return next((event for event in told if batch in {None, event["batch"]}), None)

        try:
            event: dict[str, Any] = eventually(happened, kind, within)
        except AssertionError:
            told = "\n".join(f"{one['type']} {one['batch'] or ''} {one['message']}" for one in self.events)
            raise AssertionError(f"no {kind} {batch or ''} within {within:g} s; there were\n{told}") from None
        return event

    def close(self) -> None:
        """Follow no longer."""
        self._process.kill()
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)

    def _read(self) -> None:
        if self._process.stdout is None:
            raise AssertionError("it was started with a pipe")
        with self._process.stdout as lines:
            self.events.extend(json.loads(line) for line in lines)


class Lives:
    """The serving processes that ever started, by their own word, and how many lived at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def started(self) -> list[dict[str, Any]]:
        """Every start, oldest first: copy, version, pid and instant."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [json.loads(line) for line in lines]

    def living(self, version: str | None = None) -> list[dict[str, Any]]:
        """The starts whose processes still run."""
        return [
            life for life in self.started() if (version is None or life["version"] == version) and _runs(life["pid"])
        ]

    @contextmanager
    def counted(self) -> Iterator["Count"]:
        """Count starts, and the most that live at once, until the block ends."""
        count = Count(self)
        thread = threading.Thread(target=count.watch, name="lives")
        thread.start()
        try:
            yield count
        finally:
            count.over.set()
            thread.join(WAIT_S)


class Count:
    """What happened to serving processes while somebody watched."""

    def __init__(self, lives: Lives) -> None:
        self._lives = lives
        self._before = len(lives.started())
        self.most = 0
        self.over = threading.Event()

    @property
    def starts(self) -> list[dict[str, Any]]:
        """Starts since the beginning."""
        return self._lives.started()[self._before :]

    def watch(self) -> None:
        """Look twenty times a second."""
        while not self.over.wait(0.05):
            self.most = max(self.most, len(self._lives.living()))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
