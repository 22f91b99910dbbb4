"""Copies that exit, fail or fall silent."""

from machine import Machine, ready, states

from longshore.backends.local.limits import EXITS_TO_FAILED
from longshore.planning.observed import CopyState


async def test_a_copy_that_exits_three_times_before_it_is_ready_has_failed_and_says_its_last_words(
    machine: Machine,
) -> None:
    await machine.ensure(flags=("--say", "no weights in model.bin", "--exit"))
    seen = await machine.until(lambda seen: states(seen) == {CopyState.FAILED: 1})
    (copy,) = seen.copies
    assert copy.reason == "ExitedAtStart"
    assert copy.message == "exited with code 3: no weights in model.bin"
    assert machine.starts() == {copy.id: EXITS_TO_FAILED}
    assert copy.accelerators == (0,), "it holds them until it is ended"
    assert await machine.backend.logs(copy.id, 2) == ["no weights in model.bin"] * 2


async def test_a_failed_copy_is_not_replaced_and_is_the_first_to_go(machine: Machine) -> None:
    level = machine.level(copies=1)
    await machine.backend.ensure(level)
    (good,) = (await machine.until(ready(1))).copies
    machine.artifact.write_bytes(b"other weights")
    await machine.backend.ensure(level.model_copy(update={"copies": 2}))
    seen = await machine.until(lambda seen: CopyState.FAILED in states(seen))
    assert len(seen.copies) == 2
    failed = next(copy for copy in seen.copies if copy.state is CopyState.FAILED)
    assert failed.reason == "DigestMismatch", "the artifact is read again before every start"
    assert "was pinned" in str(failed.message)
    assert machine.starts() == {good.id: 1}

    answered = await machine.backend.ensure(level.model_copy(update={"surplus": "drain"}))
    assert states(answered)[CopyState.READY] == 1
    left = await machine.until(ready(1))
    assert [copy.id for copy in left.copies] == [good.id]


async def test_a_copy_that_exits_after_being_ready_comes_back_on_the_same_port_and_accelerators(
    machine: Machine,
) -> None:
    await machine.ensure(copies=2)
    before = await machine.until(ready(2))
    lost = before.copies[1]
    machine.process_of(lost).kill()
    seen = await machine.until(lambda seen: CopyState.UNREADY in states(seen))
    (unready,) = [copy for copy in seen.copies if copy.state is CopyState.UNREADY]
    assert (unready.id, unready.reason) == (lost.id, "Exited")
    assert unready.message == "was ended by SIGKILL: it wrote nothing"

    after = await machine.until(ready(2))
    again = after.copies[1]
    assert (again.id, again.address, again.accelerators) == (lost.id, lost.address, lost.accelerators)
    assert (again.restarts, again.reason, again.message) == (1, None, None)
    assert again.ready_at > lost.ready_at, "another time of serving began, which can be lost and told of again"


async def test_a_copy_whose_probes_fail_is_unready_until_they_succeed(machine: Machine) -> None:
    await machine.ensure()
    await machine.until(ready(1))
    (machine.control / "unready").touch()
    seen = await machine.until(lambda seen: states(seen) == {CopyState.UNREADY: 1})
    assert seen.copies[0].reason == "ProbeFailed"
    assert seen.copies[0].message == "GET /v2/health/ready answered 503"
    (machine.control / "unready").unlink()
    seen = await machine.until(ready(1))
    assert seen.copies[0].restarts == 0


async def test_a_draining_copy_that_exits_is_gone(machine: Machine) -> None:
    await machine.ensure(copies=2)
    await machine.until(ready(2))
    seen = await machine.ensure(copies=1, surplus="drain")
    (draining,) = [copy for copy in seen.copies if copy.state is CopyState.DRAINING]
    machine.process_of(draining).kill()
    left = await machine.until(ready(1))
    assert draining.id not in {copy.id for copy in left.copies}


async def test_the_log_of_a_copy_that_is_gone_can_still_be_read(machine: Machine) -> None:
    seen = await machine.ensure(flags=("--say", "hello"))
    await machine.until(ready(1))
    await machine.clear()
    assert await machine.backend.logs(seen.copies[0].id, 10) == ["hello"]
