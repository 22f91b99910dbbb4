"""`longshore doctor`: what is well, what is not, and the cure beside it."""

import asyncio
import os

import longshore
from longshore.settings import Settings
from longshore.stack import locks, supervisor
from longshore.stack.checking import Check, Look, Report, ill, look_at_all
from longshore.stack.machine_checks import home_checks, key_check, port_checks, program_checks, python_check
from longshore.stack.places import Places
from longshore.stack.state import StackState, read


def doctor(settings: Settings) -> Report:
    """Look at the machine and, when it is up, at every part of the stack.

    It uses temporalio, so the process should end by `os._exit` once it has flushed its output.
    """
    places = Places.of(settings.home)
    running = _running(places)
    machine = [
        python_check(),
        *program_checks(os.environ),
        *home_checks(settings.home),
        *port_checks(places, running),
    ]
    return Report((*machine, *_stack_checks(settings, running)))


def _running(places: Places) -> StackState | None:
    state = read(places.stack_file)
    return state if state is not None and locks.is_held(places.lock(supervisor.LOCK)) else None


def _stack_checks(settings: Settings, running: StackState | None) -> list[Check]:
    if running is None:
        return [ill("stack", f"the stack of {settings.home} is not up", "longshore up")]
    from longshore.stack.live_checks import part_checks

    return [*part_checks(running), key_check(settings), *asyncio.run(look_at_all(_looks(settings, running)))]


def _looks(settings: Settings, running: StackState) -> list[Look]:
    from longshore.stack import live_checks

    database_url = str(running.addresses["databaseUrl"])
    return [
        ("postgres", lambda: live_checks.postgres_checks(database_url)),
        ("temporal", lambda: live_checks.temporal_checks(settings, f"longshore-{longshore.__version__}")),
        ("envoy", lambda: live_checks.gateway_checks(str(running.addresses["envoyAdminUrl"]), database_url)),
        ("signing", lambda: live_checks.signing_checks(database_url)),
        ("api", lambda: live_checks.api_checks(str(running.addresses["apiUrl"]))),
        ("agent", lambda: live_checks.agent_checks(settings)),
    ]
