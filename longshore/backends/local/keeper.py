"""Keeps the processes as the records want them: starts, watches, probes, ends."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import structlog

from longshore.backends.local import limits, memory
from longshore.backends.local.fleet import Fleet
from longshore.backends.local.invocation import Invocation
from longshore.backends.local.logs import copy_folder, last_words, open_log, prune, rotate, shrink
from longshore.backends.local.probing import loopback_client, why_not_ready
from longshore.backends.local.processes import Found, Processes
from longshore.backends.local.record import CopyRecord, after_exit, after_ready, after_rest, after_spawn, after_unready
from longshore.backends.local.starting import Starter, StartFailedError
from longshore.backends.port import CopiesLevel

logger = structlog.get_logger(__name__)

Work = Coroutine[Any, Any, None]


class Key(NamedTuple):
    """Names one copy."""

    target: str
    deployment: str
    copy_id: str


class Keeper:
    """One loop over all copies, and per copy a task that probes it and at times one that starts it.

    All run in one event loop, and none awaits between reading a record and writing it.
    """

    def __init__(self, fleet: Fleet, starter: Starter) -> None:
        self._fleet = fleet
        self._durable = fleet.durable
        self._starter = starter
        self._processes = Processes(fleet.folder)
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        self._resting = False
        self._at_rest = asyncio.Event()
        self._sizes_due = 0.0
        self._outgrown: dict[str, str] = {}
        """Copy → what to say of it once it is gone."""

    def recover(self) -> None:
        """Take back every running copy after a restart of the agent, and end what belongs to no copy.

        The agent may have died between starting a process and recording it, so the system is asked what runs, and the
        records follow.
        """
        found = self._processes.find()
        adopted = set()
        for state in self._durable.states():
            for copy in state.copies:
                taken_back = self._adopt(copy, found)
                if taken_back is not None:
                    self._save(Key(state.target, state.deployment, copy.id), taken_back)
                    adopted.add(copy.id)
        strays = {process.copy_id for process in found} - adopted
        for copy_id in strays:
            self._processes.kill_leftovers(copy_id)
        logger.info("recovered", adopted=len(adopted), strays=len(strays))

    async def run(self) -> None:
        """Keep the copies until cancelled; they outlive it."""
        async with loopback_client(limits.PROBE_TIMEOUT) as client:
            try:
                while True:
                    self._look(client)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._fleet.changed.wait(), limits.TICK)
                    self._fleet.changed.clear()
            finally:
                for task in (*self._starts.values(), *self._probes.values()):
                    task.cancel()

    async def rest(self, seconds: float) -> int:
        """End every copy without touching the levels, so that the next agent starts them again.

        Returns:
            How many still run after `seconds`.
        """
        self._resting = True
        self._fleet.changed.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._at_rest.wait(), seconds)
        return self._running()

    def _adopt(self, copy: CopyRecord, found: list[Found]) -> CopyRecord | None:
        """The copy with the process that it still has; None if it has none."""
        process = _leader_of(copy, found)
        if process is not None and self._processes.adopt(process.pid, process.born):
            if process.pid != copy.pid:
                copy = after_spawn(copy, process.pid, process.born, _now())
        elif copy.pid is None or not self._processes.adopt(copy.pid, copy.born or 0.0):
            return None
        # SIGTERM of a rest that was cut short is forgotten: when the copy shall end, it is asked anew.
        return copy if copy.ending else copy.model_copy(update={"terminated_at": None})

    def _look(self, client: httpx.AsyncClient) -> None:
        """One look at every copy."""
        for state in self._durable.states():
            try:
                for copy in state.copies:
                    self._look_at(Key(state.target, state.deployment, copy.id), copy, client)
                self._fleet.settle(state.target, state.deployment)
            except Exception as error:  # noqa: BLE001 - a full disk or a bug here must not stop the other deployments
                self._tell(state.deployment, error)
            else:
                self._troubles.pop(state.deployment, None)
        if self._resting and not self._running():
            self._at_rest.set()
        if time.monotonic() >= self._sizes_due:
            self._sizes_due = time.monotonic() + limits.SIZE_LOOK
            self._bound_logs()
            self._bound_memory()

    def _look_at(self, key: Key, copy: CopyRecord, client: httpx.AsyncClient) -> None:
        if copy.pid is not None and not self._processes.alive(copy.pid):
            if not self._processes.kill_leftovers(copy.id):
                self._note_exit(key, copy, copy.pid)
        elif copy.pid is not None:
            if copy.ending or self._resting:
                self._end(key, copy, copy.pid)
            else:
                self._run_once(self._probes, copy.id, lambda: self._probe(key, client))
        elif copy.ending or copy.draining:
            self._remove(key, copy)
        elif not copy.failed and not self._resting and (copy.not_before is None or copy.not_before <= _now()):
            self._run_once(self._starts, copy.id, lambda: self._start(key, copy))

    async def _start(self, key: Key, copy: CopyRecord) -> None:
        try:
            invocation = await self._starter.prepare(copy, self._level(key, copy))
            now_wanted = self._copy(key)
            if now_wanted is None or now_wanted.ending or self._resting:
                return
            # Written before the process, though only its instant is news: a full disk shows here and starts nothing.
            self._save(key, now_wanted.model_copy(update={"started_at": _now()}))
            self._spawn(key, invocation)
        except StartFailedError as error:
            self._exit(key, error.reason, error.message)

    def _spawn(self, key: Key, invocation: Invocation) -> None:
        copy = self._copy(key)
        if copy is None:
            return
        with open_log(self._fleet.folder, copy.id) as log:
            folder = copy_folder(self._fleet.folder, copy.id)
            try:
                pid, born = self._processes.spawn(invocation, folder, log, copy.cpus)
            except (OSError, ValueError) as error:
                # ValueError: a NUL in an argument. Neither error's text holds the environment.
                message = f"{invocation.program} could not be started: {error}"
                raise StartFailedError("NotExecutable", message) from None
        try:
            self._save(key, after_spawn(copy, pid, born, _now()))
        except OSError:
            # A process that no record knows would be started once more: better none than two.
            self._processes.kill(pid, copy.id)
            raise
        logger.info("copy started", copy=copy.id, pid=pid, port=copy.port, accelerators=copy.slot.accelerators)

    async def _probe(self, key: Key, client: httpx.AsyncClient) -> None:
        """Ask one copy whether it is ready, for as long as its process runs."""
        copy = self._copy(key)
        misses = 0
        while copy is not None and copy.pid is not None and not copy.ending:
            pid = copy.pid
            failure = await why_not_ready(client, copy.port, self._level(key, copy).spec.server.ready)
            copy = self._copy(key)
            if copy is None or copy.pid != pid:
                return
            misses = 0 if failure is None else misses + 1
            self._note_probe(key, copy, failure, misses)
            copy = self._copy(key)
            await asyncio.sleep(limits.PROBE_SERVING if copy is not None and copy.ready else limits.PROBE_STARTING)
            copy = self._copy(key)

    def _note_probe(self, key: Key, copy: CopyRecord, failure: str | None, misses: int) -> None:
        if failure is None and not copy.ready:
            self._save(key, after_ready(copy, _now()))
            logger.info("copy ready", copy=copy.id)
        elif failure is not None and copy.ready and misses >= limits.PROBES_TO_UNREADY:
            self._save(key, after_unready(copy, failure))
            logger.warning("copy unready", copy=copy.id, cause=failure)

    def _note_exit(self, key: Key, copy: CopyRecord, pid: int) -> None:
        how = self._processes.farewell(pid)
        if self._resting and not copy.ending and not copy.draining:
            self._save(key, after_rest(copy))
            return
        if outgrown := self._outgrown.pop(copy.id, None):
            self._exit(key, "MemoryExceeded", outgrown)
            return
        words = last_words(self._fleet.folder, copy.id)
        said = self._starter.masked(self._level(key, copy), [words])[0] if words else "it wrote nothing"
        self._exit(key, "ExitedAtStart" if copy.ready_at is None else "Exited", f"{how}: {said}")

    def _exit(self, key: Key, reason: str, message: str) -> None:
        copy = self._copy(key)
        if copy is None:
            return
        after = after_exit(copy, reason, message, _now())
        if after is None:
            self._remove(key, copy)
            return
        self._save(key, after)
        logger.warning("copy exited", copy=copy.id, reason=reason, exits=after.exits, failed=after.failed)

    def _end(self, key: Key, copy: CopyRecord, pid: int) -> None:
        if copy.terminated_at is None:
            self._processes.terminate(pid)
            self._save(key, copy.model_copy(update={"terminated_at": _now()}))
        elif _now() - copy.terminated_at >= timedelta(seconds=limits.END_GRACE):
            self._processes.kill(pid, copy.id)
            logger.warning("copy killed: it did not end by itself", copy=copy.id, seconds=limits.END_GRACE)

    def _remove(self, key: Key, copy: CopyRecord) -> None:
        """Forget a copy that has no process. Its log is masked first, for with its level goes the secret's name."""
        level = self._level(key, copy)
        try:
            shrink(self._fleet.folder, copy.id, lambda lines: self._starter.masked(level, lines))
        except OSError as error:
            self._tell(copy.id, error)
        self._durable.save(self._durable.state(key.target, key.deployment).without_copy(copy.id))
        for tasks in (self._starts, self._probes):
            task = tasks.pop(copy.id, None)
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._troubles.pop(copy.id, None)
        prune(self._fleet.folder, {copy.id for state in self._durable.states() for copy in state.copies})
        self._fleet.changed.set()
        logger.info("copy gone", copy=copy.id)

    def _bound_logs(self) -> None:
        for state in self._durable.states():
            for copy in state.copies:
                try:
                    rotate(self._fleet.folder, copy.id)
                except OSError as error:
                    self._tell(copy.id, error)

    def _bound_memory(self) -> None:
        """End a copy that holds more memory than its version asked for, as the kernel would one in a cgroup."""
        for state in self._durable.states() if memory.LIMITED else ():
            for copy in state.copies:
                allowed = state.levels[copy.version].spec.resources.memory_gib
                if allowed is None or copy.pid is None or copy.ending:
                    continue
                held = memory.held_gib(copy.pid)
                if held > allowed:
                    self._outgrown[copy.id] = f"held {held:.2f} GiB of memory, and memoryGiB allows {allowed:g}"
                    self._processes.kill(copy.pid, copy.id)
                    logger.warning("copy killed: it outgrew its memory", copy=copy.id, held_gib=round(held, 2))

    def _run_once(self, tasks: dict[str, asyncio.Task[None]], name: str, work: Callable[[], Work]) -> None:
        """Run work as a task unless it runs already. If it ends by an error, the next look begins it anew."""

        async def telling() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - as in the look
                self._tell(name, error)

        task = tasks.get(name)
        if task is None or task.done():
            tasks[name] = asyncio.create_task(telling())

    def _tell(self, whose: str, error: Exception) -> None:
        """Log a trouble once, not at every look."""
        if self._troubles.get(whose) != str(error):
            self._troubles[whose] = str(error)
            logger.error("trouble", whose=whose, exc_info=error)

    def _level(self, key: Key, copy: CopyRecord) -> CopiesLevel:
        """A version's level is kept for as long as it has copies."""
        return self._durable.state(key.target, key.deployment).levels[copy.version]

    def _copy(self, key: Key) -> CopyRecord | None:
        copies = self._durable.state(key.target, key.deployment).copies
        return next((copy for copy in copies if copy.id == key.copy_id), None)

    def _save(self, key: Key, copy: CopyRecord) -> None:
        self._durable.save(self._durable.state(key.target, key.deployment).with_copy(copy))

    def _running(self) -> int:
        return sum(copy.pid is not None for state in self._durable.states() for copy in state.copies)


def _leader_of(copy: CopyRecord, found: list[Found]) -> Found | None:
    """The process that the agent started for a copy: the recorded one, else the first leader of a session."""
    leaders = [process for process in found if process.copy_id == copy.id and process.leader]
    leaders.sort(key=lambda process: (process.pid != copy.pid, process.born))
    return leaders[0] if leaders else None


def _now() -> datetime:
    return datetime.now(UTC)
