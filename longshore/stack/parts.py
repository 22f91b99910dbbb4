"""The parts of the stack: what each is started with, when it is ready, and what must be ready before it."""

import hashlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec

from longshore.stack.agent import rest_copies
from longshore.stack.binaries import ENVOY, TEMPORAL
from longshore.stack.errors import StackError
from longshore.stack.plan import Plan
from longshore.stack.ports import LOOPBACK
from longshore.stack.postgres import Account
from longshore.stack.probes import Probe, accepts_unix, answers_http, answers_sql, runs

SEARCH_ATTRIBUTES = {
    "LongshoreDeployment": "Keyword",
    "LongshoreModel": "Keyword",
    "LongshoreTarget": "Keyword",
    "LongshorePhase": "Keyword",
    "LongshoreRevision": "Int",
}
"""Name → type of what operators look deployments up by in the Temporal UI."""
TEMPORAL_PRAGMAS = ("journal_mode=wal", "synchronous=full")
"""What is committed outlives a crash of the machine, as with SQLite's default journal, at a third of its time."""


@dataclass(frozen=True)
class Part:
    """One process of the stack."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Secrets may be among it."""
    after: tuple[str, ...] = ()
    """Parts that must have been ready once before this one starts."""
    ready: Probe = runs
    prepare: Callable[[], None] | None = None
    """Done before every start, in a thread; raises `StackError`."""
    ports: tuple[tuple[int, str], ...] = ()
    """Ports it listens on, each with its use."""
    once: bool = False
    """Runs to its end instead of staying; it is ready when it ended well."""
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    before_stop: Callable[[], Awaitable[None]] | None = None
    """Done before it is stopped for good, but not when it is only started again."""
    grace: float = 10.0
    """Seconds from the stop signal until it is killed."""

    @property
    def fingerprint(self) -> str:
        """Tells whether a running process is this part as it would be started now."""
        content = json.dumps([self.command, self.environment, self.account and self.account.uid], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def parts(plan: Plan) -> tuple[Part, ...]:
    """All parts of a plan, in an order in which each comes after those it needs.

    Raises:
        StackError: a program is not installed.
    """
    own = plan.environment()
    to_aws = own | plan.way_to_aws()
    stores = ("postgres",) if plan.postgres else ()
    temporal = ("temporal",) if plan.embedded_temporal else ()
    ENVOY.locate()  # its own process would say so, but only after everything else was started
    found = [
        _python("setup", "longshore.stack.setup", own, after=stores, once=True),
        _envoy(plan),
        _python(
            "agent",
            "longshore.backends.local.agent",
            own,
            ready=accepts_unix(plan.places.agent_socket()),
            before_stop=rest_copies(plan.places.agent_socket()),
        ),
        _python(
            "api",
            "longshore.api",
            to_aws,
            after=("setup", *temporal),
            ready=answers_http(f"{plan.api_url}/healthz"),
            ports=((plan.ports.api, "API"), (plan.ports.discovery, "discovery service")),
        ),
        _python("worker", "worker", to_aws, after=("setup", "agent", *temporal), grace=30.0),  # activities may finish
        _python("release", "longshore.stack.release", own, after=temporal, once=True),
    ]
    if plan.emulated:
        found.insert(0, _emulator(plan))
    if plan.embedded_temporal:
        found.insert(0, _temporal(plan))
    if plan.postgres:
        found.insert(0, _postgres(plan))
    return tuple(found)


def select(found: Iterable[Part], names: Iterable[str]) -> tuple[Part, ...]:
    """Only these parts; what they would wait for and is left out is taken as ready.

    Raises:
        StackError: there is no part of that name.
    """
    everything = {part.name: part for part in found}
    for name in names:
        if name not in everything:
            raise StackError(f"the stack has no part {name}", f"its parts are {', '.join(everything)}")
    return tuple(part for name, part in everything.items() if name in set(names))


def stop_order(found: Iterable[Part]) -> list[tuple[Part, ...]]:
    """Waves in which parts are stopped: each one after all that need it."""
    left = {part.name: part for part in found}
    waves = []
    while left:
        needed = {name for part in left.values() for name in part.after}
        wave = tuple(part for name, part in left.items() if name not in needed)
        waves.append(wave)
        for part in wave:
            del left[part.name]
    return waves


def _python(name: str, module: str, environment: dict[str, str], **more: object) -> Part:
    # -P keeps the working folder out of the import path: a folder named `worker` there is not ours
    return Part(name, (sys.executable, "-P", "-m", module), environment, **more)  # type: ignore[arg-type]


def _postgres(plan: Plan) -> Part:
    postgres = plan.postgres
    assert postgres is not None  # noqa: S101 - the caller looked
    return Part(
        "postgres",
        postgres.command(),
        {"TZ": "UTC"},
        ready=answers_sql(postgres.url),
        prepare=postgres.prepare,
        account=postgres.account,
        stop_signal=signal.SIGINT,  # its fast shutdown: open sessions end, nothing is lost
        grace=30.0,
    )


def _temporal(plan: Plan) -> Part:
    command = [str(TEMPORAL.locate()), "server", "start-dev", "--db-filename", str(plan.places.temporal_database)]
    command += ["--ip", LOOPBACK, "--port", str(plan.ports.temporal)]
    command += ["--ui-ip", LOOPBACK, "--ui-port", str(plan.ports.temporal_ui), "--ui-disable-news-fetch"]
    command += ["--log-level", "warn"]
    for pragma in TEMPORAL_PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    if plan.temporal_namespace != "default":
        command += ["--namespace", plan.temporal_namespace]
    for name, kind in SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={kind}"]
    return Part(
        "temporal",
        tuple(command),
        # the UI asks the frontend for the namespace, so this one answer speaks for all three
        ready=answers_http(f"{plan.temporal_ui_url}/api/v1/namespaces/{plan.temporal_namespace}"),
        ports=((plan.ports.temporal, "Temporal"), (plan.ports.temporal_ui, "Temporal UI")),
    )


def _emulator(plan: Plan) -> Part:
    if find_spec("moto") is None:
        raise StackError("the emulator needs moto, which is not installed", "install longshore[emulator]")
    command = [sys.executable, "-P", "-m", "longshore.cli", "emulate", "sagemaker"]
    command += ["--port", str(plan.ports.emulator), "--runtime-port", str(plan.ports.emulator_runtime)]
    command += ["--speed", plan.emulator_speed]
    if plan.emulator_images:
        command += ["--images", plan.emulator_images]
    return Part(
        "emulator",
        tuple(command),
        ready=answers_http(f"{plan.aws()['AWS_ENDPOINT_URL']}/_emulator/faults"),
        ports=(
            (plan.ports.emulator, "SageMaker emulator"),
            (plan.ports.emulator_runtime, "SageMaker emulator runtime"),
        ),
        grace=40.0,  # its serving processes may finish
    )


def _envoy(plan: Plan) -> Part:
    told = plan.way_to_aws() | {
        "LONGSHORE_HOME": str(plan.places.home),
        "LONGSHORE_DISCOVERY_LISTEN": f"{LOOPBACK}:{plan.ports.discovery}",
        "LONGSHORE_GATEWAY_LISTEN": f"{LOOPBACK}:{plan.ports.gateway}",
        "LONGSHORE_GATEWAY_ADMIN": f"{LOOPBACK}:{plan.ports.envoy_admin}",
        "LONGSHORE_GATEWAY_NAME": f"gateway-{plan.places.id}",
    }
    return _python(
        "envoy",
        "longshore.stack.gateway",
        told,
        # not /ready: that waits for the first routes, which the API brings
        ready=answers_http(f"{plan.envoy_admin_url}/server_info"),
        ports=((plan.ports.gateway, "gateway"), (plan.ports.envoy_admin, "Envoy admin")),
    )
