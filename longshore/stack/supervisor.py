"""The process that keeps the stack's parts running: `python -m longshore.stack.supervisor`.

It holds a lock for as long as it lives, so there is one a home. Parts are not tied to its life: when it is killed they
go on, and the next one takes them over.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from longshore.home import home_folder
from longshore.logs import configure_logs
from longshore.stack import locks, logs, ports, processes
from longshore.stack.errors import StackError
from longshore.stack.parts import Part, parts, select, stop_order
from longshore.stack.places import Places
from longshore.stack.plan import Plan
from longshore.stack.state import PartState, StackState

LOCK = "supervisor"
LOCK_WITHIN = 2.0
"""Seconds in which the lock must be had: somebody who only looks holds it for an instant."""
READY_WITHIN = 90.0
"""Seconds from a part's start until it must be ready; then it is started anew."""
FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0
_PROBE_EVERY = 0.1
_ROTATE_EVERY = 10.0

log = structlog.get_logger(__name__)


@dataclass
class BackOff:
    """How long to wait before a part is started again: 0.2 s, doubling to 10 s, anew once it was ready."""

    next_wait: float = FIRST_WAIT

    def wait(self) -> float:
        """Seconds to wait now; the next wait is twice as long."""
        wait, self.next_wait = self.next_wait, min(2 * self.next_wait, LONGEST_WAIT)
        return wait

    def reset(self) -> None:
        """The part was ready."""
        self.next_wait = FIRST_WAIT


class Supervisor:
    """Starts parts in order, starts again what ends, and stops all in reverse."""

    def __init__(self, plan: Plan, kept: Iterable[Part]) -> None:
        """Supervise these parts of a plan."""
        self.plan = plan
        self.parts = tuple(kept)
        self.states = {part.name: PartState() for part in self.parts}
        self._was_ready = {part.name: asyncio.Event() for part in self.parts}
        self._addresses = plan.addresses()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the parts until told to stop, then stop them."""
        self._write()
        keeping = asyncio.create_task(self._keep_all())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([keeping, stopping], return_when=asyncio.FIRST_COMPLETED)
        if keeping.done():  # only by an error of ours: crash, and leave the parts to the next supervisor
            keeping.result()
        keeping.cancel()
        await asyncio.wait([keeping])
        await self._stop()

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(self._keep(part))
            group.create_task(self._rotate_logs())

    async def _keep(self, part: Part) -> None:
        """Start a part, and start it again whenever it ends."""
        for name in part.after:
            if name in self._was_ready:
                await self._was_ready[name].wait()
        back_off = BackOff()
        while True:
            try:
                done = await self._run_once(part, back_off)
            except StackError as error:
                self._say(part, "failed", message=str(error))
                done = False
            if done:
                return
            self.states[part.name].restarts += 1
            await asyncio.sleep(back_off.wait())

    async def _run_once(self, part: Part, back_off: BackOff) -> bool:
        """One life of a part's process; whether the part is done for good."""
        running = await processes.start(part, self.plan.places)
        self._say(part, "starting", pid=running.pid)
        ended = asyncio.create_task(running.ended())
        try:
            if not part.once:
                await self._until_ready(part, ended)
                if not ended.done():
                    back_off.reset()
                    self._say(part, "ready", pid=running.pid)
                    self._was_ready[part.name].set()
            status = await ended
        finally:
            ended.cancel()
        if part.once and status == 0:
            self._say(part, "done")
            self._was_ready[part.name].set()
            return True
        await processes.gone(self.plan.places.lock(part.name))
        said = logs.last_line(self.plan.places.log(part.name))
        self._say(part, "restarting", message=f"ended with status {status}: {said or 'no output'}")
        return False

    async def _until_ready(self, part: Part, ended: "asyncio.Task[int | None]") -> None:
        """Ask the part until it is ready or has ended; end it when that takes too long."""
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        while not ended.done() and not await part.ready():
            if asyncio.get_running_loop().time() > deadline:
                log.warning("not ready in time", part=part.name, seconds=READY_WITHIN)
                await processes.end(part, self.plan.places.lock(part.name))
                await ended
                return
            await asyncio.wait([ended], timeout=_PROBE_EVERY)

    async def _stop(self) -> None:
        async def stop(part: Part) -> None:
            await processes.stop(part, self.plan.places.lock(part.name))
            self._say(part, "stopped")

        await processes.in_waves(stop_order(self.parts), stop)
        self.plan.places.stack_file.unlink(missing_ok=True)

    async def _rotate_logs(self) -> None:
        names = [LOCK, *(part.name for part in self.parts)]
        while True:
            for name in names:
                await asyncio.to_thread(logs.rotate, self.plan.places.log(name))
            await asyncio.sleep(_ROTATE_EVERY)

    def _say(self, part: Part, state: str, *, pid: int | None = None, message: str | None = None) -> None:
        known = self.states[part.name]
        known.state, known.pid, known.message = state, pid, message
        log.info("part", part=part.name, state=state, pid=pid, restarts=known.restarts, message=message)
        self._write()

    def _write(self) -> None:
        state = StackState(self.plan.version, os.getpid(), self._addresses, self.states)
        try:
            state.write(self.plan.places.stack_file)
        except OSError as error:  # a full disk must not end the one that keeps everything else running
            log.warning("stack.json cannot be written", error=str(error))


async def _supervise(only: list[str]) -> int:
    places = Places.prepare(home_folder())
    held = await _take_lock(places)
    if held is None:
        log.info("another supervisor keeps this home", home=str(places.home))
        return 0
    plan = Plan.of(places, ports.choose(places.home, ports.base_from_environment()), os.environ)
    kept = parts(plan)
    log.info("what is told of AWS", variables=sorted(plan.way_to_aws()))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Supervisor(plan, select(kept, only) if only else kept).run(stop)
    return 0


async def _take_lock(places: Places) -> locks.Held | None:
    """The supervisor's lock, or None when another has it. Who only looks does not keep us from it for long."""
    lock = places.lock(LOCK)
    deadline = asyncio.get_running_loop().time() + LOCK_WITHIN
    while (held := locks.take(lock, str(os.getpid()))) is None:
        if locks.is_held(lock) or asyncio.get_running_loop().time() > deadline:
            return None
        await asyncio.sleep(0.02)
    return held


def main() -> int:
    """Supervise the home of the environment. Arguments, if any, are the only parts to keep."""
    os.umask(0o077)  # what parts write into the home is their user's alone
    configure_logs(LOCK)
    try:
        return asyncio.run(_supervise(sys.argv[1:]))
    except StackError as error:
        log.error("the stack cannot be kept", error=str(error))  # noqa: TRY400 - one line, not a traceback
        return 1


if __name__ == "__main__":
    sys.exit(main())
