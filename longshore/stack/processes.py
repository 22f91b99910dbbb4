"""Starting, finding and ending the process of a part; what tells them apart is the lock they hold."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from longshore.stack import locks
from longshore.stack.errors import StackError
from longshore.stack.parts import Part
from longshore.stack.places import Places
from longshore.stack.plan import passed_on

_LOOK_EVERY = 0.1
_TRIES = 50
_GONE_WITHIN = 10.0
"""Seconds from a kill until a process must be gone; only a hanging disk takes longer."""


@dataclass
class Running:
    """The process of a part: our child, or one that an earlier supervisor left."""

    pid: int
    child: asyncio.subprocess.Process | None = None

    async def ended(self) -> int | None:
        """Wait until it ends; the exit status, or None when it was not our child."""
        if self.child is not None:
            return await self.child.wait()
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            while process.status() != psutil.STATUS_ZOMBIE and process.is_running():  # noqa: ASYNC110 - not our child
                await asyncio.sleep(_LOOK_EVERY)
        return None


async def start(part: Part, places: Places) -> Running:
    """Start a part, or find it running as it would be started now. One that was started otherwise is ended first.

    Raises:
        StackError: it cannot be started.
    """
    lock = places.lock(part.name)
    for _ in range(_TRIES):
        held = await asyncio.to_thread(_take, lock, part.fingerprint)
        if held is not None:
            return await _start(part, places, held)
        found = await asyncio.to_thread(locks.holders, lock)
        if found and locks.note(lock) == part.fingerprint:
            return Running(found[0].pid)
        if found:
            await end(part, lock)
        await asyncio.sleep(_LOOK_EVERY)  # somebody only looked, or the last process is on its way out
    raise StackError(f"a process that cannot be seen holds {lock}", "end what uses this home, then run longshore up")


async def stop(part: Part, lock: Path) -> None:
    """End a part for good.

    Raises:
        StackError: a process outlived its kill.
    """
    if part.before_stop is not None and locks.is_held(lock):
        await part.before_stop()
    await end(part, lock)


async def end(part: Part, lock: Path) -> None:
    """End all processes of a part: the stop signal, its grace, then a kill. Ends only when its lock is free.

    Raises:
        StackError: a process outlived its kill.
    """
    found = await asyncio.to_thread(locks.holders, lock)
    if not found:
        return
    with contextlib.suppress(psutil.Error):
        found[0].send_signal(part.stop_signal)
    if await _until(lambda: not locks.is_held(lock), part.grace):
        return
    for process in await asyncio.to_thread(locks.holders, lock):
        with contextlib.suppress(psutil.Error):
            process.kill()
    if not await _until(lambda: not locks.is_held(lock), _GONE_WITHIN):
        pids = ", ".join(str(process.pid) for process in locks.holders(lock))
        raise StackError(f"{part.name} does not end (pid {pids})", "look at what it waits for, then run longshore down")


async def gone(lock: Path) -> None:
    """Wait until the last process of a part that has ended lets its lock go; kill what stays behind."""
    if await _until(lambda: not locks.is_held(lock), _GONE_WITHIN):
        return
    for process in await asyncio.to_thread(locks.holders, lock):
        with contextlib.suppress(psutil.Error):
            process.kill()


async def in_waves(waves: list[tuple[Part, ...]], act: Callable[[Part], Awaitable[None]]) -> None:
    """Do something to all parts of a wave at once, one wave after the other."""
    for wave in waves:
        await asyncio.gather(*(act(part) for part in wave))


def _take(lock: Path, fingerprint: str) -> locks.Held | None:
    try:
        return locks.take(lock, fingerprint)
    except OSError as error:
        raise StackError(
            f"{lock} cannot be written ({error.strerror or error})", "free some space on the disk of LONGSHORE_HOME"
        ) from None


async def _start(part: Part, places: Places, held: locks.Held) -> Running:
    try:
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        return await _spawn(part, places, held)
    finally:
        held.release()


async def _spawn(part: Part, places: Places, held: locks.Held) -> Running:
    log = os.open(places.log(part.name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    environment = part.environment if part.account else {**passed_on(), **part.environment}
    try:
        child = await asyncio.create_subprocess_exec(
            *part.command,
            env=environment,
            cwd=places.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(held.descriptor,),
            start_new_session=True,
            **(part.account.options() if part.account else {}),
        )
    except OSError as error:
        raise StackError(
            f"{part.name} cannot be started: {part.command[0]} ({error.strerror or error})",
            "install Longshore again, or run longshore doctor",
        ) from None
    finally:
        os.close(log)
    return Running(child.pid, child)


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(_LOOK_EVERY)
    return True
