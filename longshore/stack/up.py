"""`longshore up`: bring the stack of a home up, once, and say where it is."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from longshore.settings import Settings
from longshore.stack import locks, logs, ports, supervisor
from longshore.stack.down import down
from longshore.stack.errors import StackError
from longshore.stack.parts import Part, parts, select
from longshore.stack.places import Places
from longshore.stack.plan import Plan
from longshore.stack.state import StackState, read

READY_WITHIN = 120.0
"""Seconds; a first `up` on a slow disk makes a database cluster and imports everything once."""
_GIVE_UP_AFTER = 5
"""Starts of a part that ended at once: by then it will not heal by itself."""
_LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Stack:
    """Where the stack is that is up."""

    api_url: str
    web_url: str
    temporal_ui_url: str | None
    gateway_url: str
    started: bool
    """False: it was up already."""
    seconds: float
    parts: tuple[str, ...]
    aws: dict[str, str]
    """The environment in which AWS is the emulator; empty where it is AWS itself."""


def up(
    settings: Settings,
    *,
    wait: float = READY_WITHIN,
    only: tuple[str, ...] = (),
    emulate: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Stack:
    """Bring the stack up and wait until every part is ready. Once it is up, doing it again changes nothing.

    Args:
        settings: Their home is the stack's. `LONGSHORE_PORT_BASE`, `LONGSHORE_DATABASE_URL` and `TEMPORAL_ADDRESS`
            are read from the environment.
        wait: Seconds to wait for it; the stack goes on by itself after that.
        only: Parts to keep; empty is all of them.
        emulate: Have the SageMaker emulator in it, which stands in for AWS; `LONGSHORE_EMULATE=sagemaker` does too.
        say: Told one line for each step.

    Raises:
        StackError: a port is taken, a program is missing, the home cannot be used, or a part does not get ready.
    """
    began = time.monotonic()
    places = Places.prepare(settings.home)
    environment = {**os.environ, **({"LONGSHORE_EMULATE": "sagemaker"} if emulate else {})}
    running = _running(places)
    if running is not None and running.version != Plan.of(places, ports.Ports(0), environment).version:
        say(f"replacing the stack of version {running.version}")
        down(settings)
        running = None
    child = None
    if running is None:
        child = _start(places, environment, only, say)
    else:
        _check_same(running, environment)
    known = {name for name, part in running.parts.items() if part.well} if running else set()
    state = _wait(places, child, began + wait, say, known)
    _wait_for_gateway(state, began + wait)
    return Stack(
        api_url=state.addresses["apiUrl"],
        web_url=state.addresses["webUrl"],
        temporal_ui_url=state.addresses["temporalUiUrl"],
        gateway_url=state.addresses["gatewayUrl"],
        started=running is None,
        seconds=time.monotonic() - began,
        parts=tuple(state.parts),
        aws=_plan(places, state, environment).aws(),
    )


def _plan(places: Places, state: StackState, environment: Mapping[str, str]) -> Plan:
    """The plan of the stack that is up."""
    emulate = state.addresses.get("emulate")
    asked = {**environment, **({"LONGSHORE_EMULATE": str(emulate)} if emulate else {})}
    return Plan.of(places, ports.Ports(int(state.addresses["portBase"])), asked)


def _running(places: Places) -> StackState | None:
    """The state of the stack if a supervisor lives; it writes its file at once."""
    lock = places.lock(supervisor.LOCK)
    deadline = time.monotonic() + supervisor.LOCK_WITHIN
    while locks.is_held(lock):
        state = read(places.stack_file)
        if state is not None and str(state.supervisor) == locks.note(lock):
            return state
        if time.monotonic() > deadline:
            raise StackError("the supervisor does not say how the stack is", "run longshore down, then longshore up")
        time.sleep(_LOOK_EVERY)
    return None


def _check_same(running: StackState, environment: Mapping[str, str]) -> None:
    """An `up` that asks for something else than what runs must not seem to have got it."""
    wanted = {
        "portBase": ports.base_from_environment(),
        "databaseUrl": environment.get("LONGSHORE_DATABASE_URL"),
        "temporalAddress": environment.get("TEMPORAL_ADDRESS"),
        "emulate": environment.get("LONGSHORE_EMULATE"),
    }
    for key, value in wanted.items():
        if value and value != "auto" and value != str(running.addresses.get(key)):
            raise StackError(
                f"the stack is up with another {key} than is asked for now",
                "run longshore down first, or ask for the same",
            )


def _start(
    places: Places, environment: Mapping[str, str], only: tuple[str, ...], say: Callable[[str], None]
) -> "subprocess.Popen[bytes]":
    """Start a supervisor of its own session, after all that can be known to be in its way."""
    chosen = ports.choose(places.home, ports.base_from_environment())
    plan = Plan.of(places, chosen, environment)
    found = parts(plan)
    _check_ports(places, select(found, only) if only else found)
    ports.keep(places.home, chosen)
    places.stack_file.unlink(missing_ok=True)
    say(f"starting the stack of {places.home}")
    with places.log(supervisor.LOCK).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "longshore.stack.supervisor", *only],
            cwd=places.home,
            env={**environment, "LONGSHORE_HOME": str(places.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _check_ports(places: Places, found: tuple[Part, ...]) -> None:
    """Every port is free, or its part still runs from before."""
    for part in found:
        if not locks.is_held(places.lock(part.name)):
            for port, use in part.ports:
                if not ports.free(port):
                    raise ports.in_use(port, use)


def _wait(
    places: Places,
    child: "subprocess.Popen[bytes] | None",
    deadline: float,
    say: Callable[[str], None],
    told: set[str],
) -> StackState:
    """Follow the supervisor's file until every part is well; say so of each that is not told already."""
    lock = places.lock(supervisor.LOCK)
    while True:
        state = read(places.stack_file)
        if state is not None and str(state.supervisor) == locks.note(lock):
            for name, part in state.parts.items():
                if part.well and name not in told:
                    told.add(name)
                    say(f"{name} is ready")
            if state.ready:
                return state
            _check_progress(places, state)
        if child is not None and child.poll() not in (None, 0):
            said = logs.last_line(places.log(supervisor.LOCK))
            raise StackError(f"the supervisor ended ({said})", f"read {places.log(supervisor.LOCK)}")
        if time.monotonic() > deadline:
            raise _too_late(places, state)
        time.sleep(_LOOK_EVERY)


def _check_progress(places: Places, state: StackState) -> None:
    for name, part in state.parts.items():
        if part.state == "failed" and part.message:
            problem, _, cure = part.message.rpartition(": ")
            raise StackError(problem, cure)
        if part.restarts >= _GIVE_UP_AFTER and part.state == "restarting":
            raise StackError(
                f"{name} does not start ({part.message})",
                f"read {places.log(name)}, then run longshore up again; longshore down stops the rest",
            )


def _too_late(places: Places, state: StackState | None) -> StackError:
    waiting = [name for name, part in state.parts.items() if not part.well] if state else ["the supervisor"]
    return StackError(
        f"not ready in time: {', '.join(waiting)}",
        f"read the logs in {places.logs}, and run longshore up again to go on waiting",
    )


def _wait_for_gateway(state: StackState, deadline: float) -> None:
    """Envoy is live once the API has given it its first routes."""
    if not {"envoy", "api"} <= set(state.parts):
        return
    url = f"{state.addresses['envoyAdminUrl']}/ready"
    with httpx.Client(timeout=2, trust_env=False) as client:
        while True:
            try:
                if client.get(url).is_success:
                    return
            except httpx.HTTPError:
                pass
            if time.monotonic() > deadline:
                raise StackError("Envoy gets no routes from the API", "run longshore doctor")
            time.sleep(_LOOK_EVERY)
