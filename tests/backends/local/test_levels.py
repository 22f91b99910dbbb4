"""Levels against a real agent and real processes."""

import pytest
from machine import Agent, Machine, gone, nothing_left, ready, states

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import CopyState, Observation
from longshore.spec.target import Host


def ids(observation: Observation, state: CopyState | None = None) -> set[str]:
    return {copy.id for copy in observation.copies if state in {None, copy.state}}


async def test_a_level_starts_copies_that_become_ready_on_accelerators_and_ports_of_their_own(machine: Machine) -> None:
    answered = await machine.ensure(copies=3)
    assert states(answered) == {CopyState.STARTING: 3}

    seen = await machine.until(ready(3))
    assert sorted(copy.accelerators for copy in seen.copies) == [(0,), (1,), (2,)]
    assert len({copy.address for copy in seen.copies}) == 3
    assert all(copy.ready_at and copy.started_at and copy.reason is None for copy in seen.copies)
    assert [(host.name, host.accelerators, host.accelerator_memory_gib) for host in seen.hosts] == [("a", 4, 40)]


async def test_the_same_level_again_changes_nothing(machine: Machine) -> None:
    level = machine.level(copies=2)
    await machine.backend.ensure(level)
    before = await machine.until(ready(2))
    after = await machine.backend.ensure(level)
    assert after.copies == before.copies
    assert set(machine.starts().values()) == {1}


async def test_surplus_copies_drain_alive_and_end_when_the_level_says_so(machine: Machine) -> None:
    await machine.ensure(copies=2)
    both = await machine.until(ready(2))
    oldest = min(both.copies, key=lambda copy: copy.started_at or both.at)

    drained = await machine.ensure(copies=1, surplus="drain")
    assert ids(drained, CopyState.READY) == {oldest.id}, "the newest is surplus"
    (draining,) = [copy for copy in drained.copies if copy.state is CopyState.DRAINING]
    assert (await machine.backend.send(draining, "GET", "/", None, 5)).status == 200

    await machine.ensure(copies=1, surplus="end")
    left = await machine.until(ready(1))
    assert ids(left) == {oldest.id}


async def test_a_draining_copy_is_taken_back_warm_when_the_level_rises_again(machine: Machine) -> None:
    await machine.ensure(copies=2)
    before = await machine.until(ready(2))
    await machine.ensure(copies=0, surplus="drain")
    back = await machine.ensure(copies=2, surplus="drain")
    assert states(back) == {CopyState.READY: 2}, "at once: they never stopped"
    assert ids(back) == ids(before)
    assert set(machine.starts().values()) == {1}


async def test_a_version_ended_to_none_leaves_no_trace_but_its_fence(machine: Machine) -> None:
    await machine.ensure(copies=2)
    await machine.until(ready(2))
    last = machine.level(copies=0)
    await machine.backend.ensure(last)
    await machine.until(nothing_left)
    assert await machine.backend.ensure(last), "the same step again is a repeat"
    with pytest.raises(FenceRefusedError):
        await machine.backend.ensure(last.model_copy(update={"copies": 2, "fence": Fence(operation=1, step=0)}))
    assert nothing_left(await machine.backend.observe())


async def test_a_late_retry_of_an_older_step_is_refused_and_changes_nothing(machine: Machine) -> None:
    older, newer = machine.level(copies=3), machine.level(copies=1)
    await machine.backend.ensure(newer)
    with pytest.raises(FenceRefusedError, match="nothing was changed"):
        await machine.backend.ensure(older)
    assert len((await machine.until(ready(1))).copies) == 1


async def test_an_ending_copy_holds_its_accelerators_until_its_process_is_gone(agent: Agent) -> None:
    agent.start("-c", "from longshore.backends.local import agent, limits; limits.END_GRACE = 2; agent.main()")
    machine = Machine(agent, "workstation")
    await machine.declared((Host(name="a", accelerators=1),))
    needs = {"resources": {"accelerators": 1}}
    await machine.ensure("1", 1, spec=needs, flags=("--deaf",))
    (old,) = (await machine.until(ready(1))).copies
    process = machine.process_of(old)

    await machine.ensure("1", 0)
    answered = await machine.ensure("2", 1, spec=needs)
    assert states(answered) == {CopyState.ENDING: 1}, "no room yet"

    seen = await machine.until(lambda seen: "2" in {copy.version for copy in seen.copies})
    assert gone(process), "SIGTERM was ignored: SIGKILL after the grace"
    assert [copy.accelerators for copy in seen.copies] == [(0,)]
    await machine.clear()


async def test_ending_a_copy_ends_the_processes_it_started(machine: Machine) -> None:
    await machine.ensure(flags=("--child",))
    (copy,) = (await machine.until(ready(1))).copies
    (child,) = machine.process_of(copy).children()
    await machine.ensure(copies=0)
    await machine.until(nothing_left)
    assert gone(child)


async def test_the_callers_placement_is_honoured(machine: Machine) -> None:
    await machine.declared((Host(name="a", accelerators=2), Host(name="b", accelerators=2)))
    needs = {"resources": {"accelerators": 1}}
    await machine.ensure(copies=3, placement={"a": 1, "b": 2}, spec=needs)
    seen = await machine.until(ready(3))
    assert sorted(copy.host for copy in seen.copies) == ["a", "b", "b"]
    await machine.ensure(copies=2, placement={"a": 1, "b": 1}, spec=needs)
    seen = await machine.until(ready(2))
    assert sorted(copy.host for copy in seen.copies) == ["a", "b"]


async def test_copies_beyond_the_room_start_when_room_appears(machine: Machine) -> None:
    await machine.ensure("1", 4)
    await machine.until(ready(4))
    await machine.ensure("2", 1)
    assert states(await machine.backend.observe(), "2") == {}
    await machine.ensure("1", 3)
    await machine.until(lambda seen: ready(3, "1")(seen) and ready(1, "2")(seen))


async def test_an_observation_is_of_one_deployment_or_of_the_whole_target_and_never_of_another(
    machine: Machine, shared_agent: Agent
) -> None:
    elsewhere = Machine(shared_agent, f"{machine.target}-too")
    await elsewhere.declared()
    await machine.ensure(deployment="digits")
    await machine.ensure(deployment="letters")
    await elsewhere.ensure(deployment="digits")

    whole, part = await machine.backend.observe(), await machine.backend.observe("digits")
    assert {copy.deployment for copy in whole.copies} == {"digits", "letters"}
    assert {copy.deployment for copy in part.copies} == {"digits"}
    assert (whole.deployment, part.deployment, part.target) == (None, "digits", machine.target)
    assert part.sequence > whole.sequence
    await elsewhere.clear()


async def test_a_fixed_port_is_given_to_one_copy_at_a_time(machine: Machine) -> None:
    await machine.ensure(copies=1)
    (copy,) = (await machine.until(ready(1))).copies
    port = int(str(copy.address).rpartition(":")[2])
    await machine.ensure("2", 1, server={"port": port, "command": machine.level().spec.server.command})
    assert states(await machine.backend.observe(), "2") == {}
    await machine.ensure("1", 0)
    seen = await machine.until(ready(1, "2"))
    assert seen.copies[-1].address == copy.address
