"""The agent is killed at every point where it matters; its copies never notice."""

import asyncio
import json
import sys
from collections import Counter
from typing import Self

import pytest
from machine import HERE, LOOK, Agent, Machine, deadline, eventually, gone, nothing_left, ready, states

from longshore.backends.port import BackendError, CopiesLevel
from longshore.planning.observed import CopyState


class Undertaker:
    """Starts the dying agent again each time it died, as the stack's supervisor does."""

    def __init__(self, agent: Agent, point: str, passings: int) -> None:
        self._agent = agent
        self._program = (str(HERE / "dying_agent.py"), point, str(passings))
        self.lives = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            if self._agent.dead():
                self._agent.start(*self._program)
                self.lives += 1
            await asyncio.sleep(LOOK)


async def ensure_whatever_happens(machine: Machine, level: CopiesLevel) -> None:
    """Ask until answered, as a retried activity does."""
    async with deadline("the level to be taken", machine.agent.log.read_text):
        while True:
            try:
                await machine.backend.ensure(level)
            except BackendError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(LOOK)
            else:
                return


@pytest.mark.parametrize(
    ("point", "passings"),
    [("before-write", 3), ("after-write", 2), ("after-write", 3), ("after-spawn", 1), ("after-terminate", 1)],
)
async def test_an_agent_killed_again_and_again_starts_each_copy_once_and_orphans_none(
    agent: Agent, point: str, passings: int
) -> None:
    machine = Machine(agent, "workstation")
    async with Undertaker(agent, point, passings) as undertaker:
        await machine.declared()
        await ensure_whatever_happens(machine, machine.level(copies=2))
        seen = await machine.until(ready(2))
        assert machine.starts() == Counter({copy.id: 1 for copy in seen.copies})
        assert len(agent.processes()) == 2
        await ensure_whatever_happens(machine, machine.level(copies=0))
        await machine.until(nothing_left)
    assert undertaker.lives > 1, "the agent never died, so this test has shown nothing"
    assert agent.processes() == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process writes to")
async def test_a_copy_that_hides_its_environment_is_found_again_by_its_log(agent: Agent) -> None:
    machine = Machine(agent, "workstation")
    async with Undertaker(agent, "after-spawn", 1) as undertaker:
        await machine.declared()
        await ensure_whatever_happens(machine, machine.level(flags=("--hide",)))
        seen = await machine.until(ready(1))
        assert undertaker.lives > 1
        assert machine.starts() == Counter({copy.id: 1 for copy in seen.copies})
        assert agent.processes() == [], "no process shows the mark"
        await machine.clear()


async def test_a_rest_cut_short_does_not_cost_a_copy_its_grace_later(agent: Agent) -> None:
    agent.start()
    machine = Machine(agent, "workstation")
    await machine.declared()
    await machine.ensure(flags=("--deaf",))
    (copy,) = (await machine.until(ready(1))).copies
    assert await machine.backend.rest(0.5) == 1, "it ignores SIGTERM"
    record = agent.folder / "deployments" / "workstation" / "digits.json"
    assert json.loads(record.read_text())["copies"][0]["terminated_at"] is not None
    agent.kill()

    agent.start()
    assert ready(1)(await machine.until(lambda _: True))
    assert json.loads(record.read_text())["copies"][0]["terminated_at"] is None
    machine.process_of(copy).kill()
    await machine.clear()


async def test_a_full_disk_starts_nothing_and_loses_nothing(agent: Agent) -> None:
    full = agent.home / "full"
    program = f"""
import os
from longshore.backends.local import agent
really = os.fsync
def fsync(descriptor):
    if os.path.exists({str(full)!r}):
        raise OSError(28, "No space left on device")
    really(descriptor)
os.fsync = fsync
agent.main()
"""
    agent.start("-c", program)
    machine = Machine(agent, "workstation")
    await machine.declared()
    await machine.ensure(copies=1)
    (copy,) = (await machine.until(ready(1))).copies
    full.touch()
    with pytest.raises(BackendError, match="No space left") as refusal:
        await machine.ensure(copies=2)
    assert (refusal.value.reason, refusal.value.retryable) == ("StateNotWritten", True)
    process = machine.process_of(copy)
    process.kill()
    await eventually(lambda: "trouble" in agent.log.read_text(), "the agent to notice", agent.log.read_text)
    assert machine.starts() == {copy.id: 1}

    full.unlink()
    after = await machine.until(lambda seen: ready(1)(seen) and seen.copies[0].restarts == 1)
    assert after.copies[0].id == copy.id
    await machine.clear()


async def test_copies_serve_on_while_the_agent_is_dead_and_are_ready_in_the_first_answer_of_the_next(
    agent: Agent,
) -> None:
    machine = Machine(agent, "workstation")
    agent.start()
    await machine.declared()
    await machine.ensure(copies=2)
    before = await machine.until(ready(2))
    agent.kill()
    with pytest.raises(BackendError, match="longshore doctor") as refusal:
        await machine.backend.observe()
    assert (refusal.value.reason, refusal.value.retryable) == ("AgentUnavailable", True)
    assert (await machine.backend.send(before.copies[0], "GET", "/", None, 5)).status == 200

    agent.start()
    after = await machine.until(lambda _: True)
    assert after.copies == before.copies, "not one of them was unready for a moment, or routes would have lost it"
    assert after.sequence > before.sequence
    await machine.clear()


async def test_a_copy_that_died_while_the_agent_was_dead_is_started_again_where_it_was(agent: Agent) -> None:
    machine = Machine(agent, "workstation")
    agent.start()
    await machine.declared()
    await machine.ensure(copies=2)
    before = await machine.until(ready(2))
    agent.kill()
    machine.process_of(before.copies[0]).kill()

    agent.start()
    after = await machine.until(lambda seen: ready(2)(seen) and sum(copy.restarts for copy in seen.copies) == 1)
    assert [(copy.id, copy.accelerators, copy.address) for copy in after.copies] == [
        (copy.id, copy.accelerators, copy.address) for copy in before.copies
    ]
    await machine.clear()


async def test_a_recorded_pid_that_is_someone_elses_by_now_is_left_alone(agent: Agent) -> None:
    machine = Machine(agent, "workstation")
    agent.start()
    await machine.declared()
    await machine.ensure()
    (copy,) = (await machine.until(ready(1))).copies
    agent.kill()
    process = machine.process_of(copy)
    process.kill()
    await eventually(lambda: gone(process), "the copy to be gone")
    stranger = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    record = agent.folder / "deployments" / "workstation" / "digits.json"
    state = json.loads(record.read_text())
    state["copies"][0] |= {"pid": stranger.pid, "born": state["copies"][0]["born"] - 3600}
    record.write_text(json.dumps(state))

    agent.start()
    await machine.until(lambda seen: ready(1)(seen) and seen.copies[0].restarts == 1)
    await machine.clear()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_a_running_copy_that_no_record_knows_is_ended(agent: Agent) -> None:
    machine = Machine(agent, "workstation")
    agent.start()
    await machine.declared()
    await machine.ensure()
    await machine.until(ready(1))
    agent.kill()
    (agent.folder / "deployments" / "workstation" / "digits.json").unlink()

    agent.start()
    assert nothing_left(await machine.until(lambda _: True))
    await eventually(lambda: not agent.processes(), "the stray to be ended")


async def test_a_second_agent_on_the_same_home_gives_up_with_one_line(agent: Agent) -> None:
    agent.start()
    await Machine(agent, "workstation").declared()
    first, agent.process = agent.process, None
    try:
        agent.start()
        await eventually(agent.dead, "the second to give up")
    finally:
        agent.process = first
    last_line = agent.log.read_text().splitlines()[-1]
    assert last_line == f"longshore agent: another agent runs on {agent.folder}"


async def test_a_rest_ends_every_copy_and_the_next_agent_starts_them_again(agent: Agent) -> None:
    machine = Machine(agent, "workstation")
    agent.start()
    await machine.declared()
    await machine.ensure(copies=2)
    before = await machine.until(ready(2))
    assert await machine.backend.rest() == 0
    assert agent.processes() == []
    assert states(await machine.backend.observe()) == {CopyState.UNREADY: 2}

    agent.kill()
    agent.start()
    after = await machine.until(ready(2))
    assert {copy.id for copy in after.copies} == {copy.id for copy in before.copies}
    assert [copy.restarts for copy in after.copies] == [0, 0], "a rest is no fault of theirs"
    await machine.clear()
