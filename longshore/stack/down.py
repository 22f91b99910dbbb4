"""`longshore down`: stop the stack of a home, and with `purge` remove what it kept."""

import asyncio
import contextlib
import os
import signal
import time

import psutil

from longshore.settings import Settings
from longshore.stack import locks, ports, processes
from longshore.stack.parts import Part, parts, stop_order
from longshore.stack.places import Places
from longshore.stack.plan import Plan

STOPPED_WITHIN = 120.0
"""Seconds for the supervisor to stop everything: more than the graces of all waves together."""
_STARTED_WITHIN = 20.0
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
    if places.stack_file.exists():  # a supervisor that stops in order removes it: this one was killed
        ran = True
        asyncio.run(_stop_orphans(places))
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


async def _stop_orphans(places: Places) -> None:
    """Stop what a killed supervisor left: its parts, and the copies, which only an agent can end."""
    plan = Plan.of(places, ports.choose(places.home, ports.base_from_environment()), os.environ)
    known = parts(plan)
    for part in known:
        if part.before_stop is not None and not locks.is_held(places.lock(part.name)):
            await _start_again(part, places)

    async def stop(part: Part) -> None:
        await processes.stop(part, places.lock(part.name))

    await processes.in_waves(stop_order(known), stop)


async def _start_again(part: Part, places: Places) -> None:
    """Start a part that is needed for stopping what it left."""
    await processes.start(part, places)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STARTED_WITHIN):
            while not await part.ready():  # noqa: ASYNC110 - another process becomes ready
                await asyncio.sleep(_LOOK_EVERY)
