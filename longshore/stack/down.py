"""`longshore down`: stop the stack of a home, and with `purge` remove what it kept."""

import asyncio
import contextlib
import os
import signal
import time

import psutil

from longshore.settings import Settings
from longshore.stack import locks, ports, processes
from longshore.stack.errors import StackError
from longshore.stack.parts import Part, parts, stop_order
from longshore.stack.places import Places
from longshore.stack.plan import Plan

STOPPED_WITHIN = 120.0
"""Seconds for the supervisor to stop everything: more than the graces of all waves together."""
_SUPERVISOR = "supervisor"
_LOOK_EVERY = 0.05


def down(settings: Settings, *, purge: bool = False, wait: float = STOPPED_WITHIN) -> bool:
    """Stop the stack, serving copies included, and say whether anything ran.

    Copies end with the agent, for nothing would watch them; the next `up` starts them again as their levels say.

    Args:
        settings: Their home is the stack's.
        purge: Remove the stack's data too: database, workflows, logs, keys.
        wait: Seconds for an orderly stop; what is left after that is killed.

    Raises:
        StackError: a process does not end.
    """
    places = Places.of(settings.home)
    ran = _stop_supervisor(places, wait)
    held = {file.stem for file in places.lock("x").parent.glob("*.lock") if locks.is_held(file)} - {_SUPERVISOR}
    if held:  # a supervisor that was killed left them
        ran = True
        _stop_parts(places, held)
    places.stack_file.unlink(missing_ok=True)
    if purge:
        places.purge()
    return ran


def _stop_supervisor(places: Places, wait: float) -> bool:
    lock = places.lock(_SUPERVISOR)
    if not locks.is_held(lock):
        return False
    for process in locks.holders(lock):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + wait
    while locks.is_held(lock):
        if time.monotonic() > deadline:
            for process in locks.holders(lock):
                with contextlib.suppress(psutil.Error):
                    process.kill()
            break
        time.sleep(_LOOK_EVERY)
    return True


def _stop_parts(places: Places, names: set[str]) -> None:
    plan = Plan.of(places, ports.choose(places.home, ports.base_from_environment()), os.environ)
    known = {part.name: part for part in parts(plan)}
    found = [known.get(name, Part(name, ())) for name in names]

    async def stop(part: Part) -> None:
        await processes.end(part, places.lock(part.name))

    with contextlib.suppress(TimeoutError):
        asyncio.run(processes.in_waves(stop_order(found), stop))
    if left := [name for name in names if locks.is_held(places.lock(name))]:
        raise StackError(f"still running: {', '.join(left)}", "run longshore down again")
