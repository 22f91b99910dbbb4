"""How copies are started: what they get to see, what nobody gets to see, and what is never executed."""

import json
import os
import stat
from typing import Any

import pytest
from machine import DATABASE_KEY, Machine, ready, states

from longshore.backends.local import memory
from longshore.backends.port import BackendError
from longshore.planning.observed import Copy, CopyState

LEAKABLE = "tok-9f8e7d6c5b4a"


def write_secret(machine: Machine, mode: int = 0o600) -> None:
    path = machine.agent.home / "secrets" / machine.target
    path.write_text(f"# the hub's\nTOKEN={LEAKABLE}\n\n")
    path.chmod(mode)


async def looked_at(machine: Machine, copy: Copy) -> dict[str, Any]:
    """What a copy says of its own arguments and environment."""
    answer = await machine.backend.send(copy, "GET", "/", None, 10)
    return dict(answer.json_body())


async def started(machine: Machine, **changes: Any) -> tuple[Copy, dict[str, Any]]:
    await machine.ensure(**changes)
    (copy,) = (await machine.until(ready(1))).copies
    return copy, await looked_at(machine, copy)


async def test_a_copy_is_told_its_port_model_and_accelerators_and_nothing_of_the_agents(machine: Machine) -> None:
    flags = ("$(PORT)", "$(MODEL_PATH)", "$(MODEL_NAME)", "$(MODEL_VERSION)", "$(HOME)", "$(UNKNOWN)")
    copy, saw = await started(machine, flags=flags)
    port = str(copy.address).rpartition(":")[2]
    assert saw["argv"] == [port, str(machine.artifact), "digits", "1", "$(HOME)", "$(UNKNOWN)"]
    environment = saw["env"]
    assert environment["PORT"] == port
    assert environment["HOST"] == "127.0.0.1"
    assert environment["MODEL_PATH"] == str(machine.artifact)
    assert (environment["MODEL_NAME"], environment["MODEL_VERSION"]) == ("digits", "1")
    assert environment["LONGSHORE_COPY_ID"] == copy.id
    assert environment["CUDA_VISIBLE_DEVICES"] == "0", "an index, for a declared accelerator"
    assert DATABASE_KEY not in json.dumps(saw), "the agent's own environment stays the agent's"


async def test_a_copy_without_accelerators_sees_no_gpu(machine: Machine) -> None:
    _, saw = await started(machine, spec={"resources": {"accelerators": 0}})
    assert saw["env"]["CUDA_VISIBLE_DEVICES"] == ""


async def test_a_manifest_cannot_take_another_port_or_another_copys_accelerators(machine: Machine) -> None:
    wish = {"CONTROL": str(machine.control), "CUDA_VISIBLE_DEVICES": "3", "HOST": "0.0.0.0", "PORT": "1", "MINE": "yes"}
    copy, saw = await started(machine, server={"env": wish})
    assert saw["env"]["CUDA_VISIBLE_DEVICES"] == "0"
    assert saw["env"]["HOST"] == "127.0.0.1"
    assert saw["env"]["PORT"] == str(copy.address).rpartition(":")[2]
    assert saw["env"]["MINE"] == "yes"


async def test_no_part_of_a_command_is_ever_read_by_a_shell(machine: Machine) -> None:
    trap = machine.control / "trapped"
    flags = (f"; touch {trap}", f"$(touch {trap})", f"`touch {trap}`", f"| touch {trap}", "$(PORT); true", "*")
    copy, saw = await started(machine, flags=flags)
    port = str(copy.address).rpartition(":")[2]
    assert saw["argv"] == [*flags[:4], f"{port}; true", "*"]
    assert not trap.exists()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no CPU affinity")
async def test_a_copy_is_held_to_as_many_cpus_as_it_asked_for(machine: Machine) -> None:
    copy, _ = await started(machine, spec={"resources": {"cpus": 1}})
    available = os.sched_getaffinity(0)
    held_to = machine.process_of(copy).cpu_affinity()
    assert len(held_to) == 1 or len(available) == 1
    assert set(held_to) <= available


async def test_a_secret_reaches_the_copy_and_neither_state_nor_logs_nor_answers(machine: Machine) -> None:
    write_secret(machine)
    copy, saw = await started(machine, server={"secretRef": machine.target})
    assert saw["env"]["TOKEN"] == LEAKABLE
    await machine.ensure("2", 1, flags=("--leak", "--exit"), server={"secretRef": machine.target})
    seen = await machine.until(lambda seen: states(seen, "2") == {CopyState.FAILED: 1})
    leaky = next(copy for copy in seen.copies if copy.version == "2")
    assert leaky.message == "exited with code 3: my token is •••"
    assert LEAKABLE not in seen.model_dump_json()
    for one in (copy, leaky):
        assert LEAKABLE not in "".join(await machine.backend.logs(one.id, 10))

    await machine.clear()
    assert await machine.backend.logs(leaky.id, 1) == ["my token is •••"]
    for path in machine.agent.folder.rglob("*"):
        if path.is_file():
            assert LEAKABLE.encode() not in path.read_bytes(), path
    assert LEAKABLE not in machine.agent.log.read_text()


async def test_a_secret_that_others_may_read_is_not_used(machine: Machine) -> None:
    write_secret(machine, mode=0o644)
    await machine.ensure(server={"secretRef": machine.target})
    seen = await machine.until(lambda seen: states(seen) == {CopyState.FAILED: 1})
    assert seen.copies[0].reason == "SecretUnusable"
    assert "chmod 600" in str(seen.copies[0].message)
    assert machine.starts() == {}


async def test_what_the_agent_writes_is_for_its_user_alone(machine: Machine) -> None:
    await started(machine)
    assert stat.S_IMODE(machine.agent.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.agent.folder.stat().st_mode) == 0o700
    for path in machine.agent.folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"spec": {"artifact": {"uri": "file:///nowhere/model.bin", "digest": "sha256:" + "0" * 64}}},
            "ArtifactMissing",
        ),
        ({"spec": {"artifact": {"uri": "s3://bucket/model.bin", "digest": "sha256:" + "0" * 64}}}, "ArtifactMissing"),
        ({"server": {"command": ["no-such-program"]}}, "CommandMissing"),
        ({"server": {"secretRef": "no-such-secret"}}, "SecretUnusable"),
    ],
)
async def test_verify_names_what_is_missing(machine: Machine, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BackendError, match="digits 7") as refusal:
        await machine.backend.verify("digits", "7", machine.level(**change).spec)
    assert (refusal.value.reason, refusal.value.retryable) == (reason, False)


async def test_verify_accepts_what_is_there_and_refuses_it_once_it_changed(machine: Machine) -> None:
    spec = machine.level(server={"command": ["longshore-serve"]}).spec
    await machine.backend.verify("digits", "1", spec)
    machine.artifact.write_bytes(b"tampere")
    with pytest.raises(BackendError) as refusal:
        await machine.backend.verify("digits", "1", spec)
    assert refusal.value.reason == "DigestMismatch"


async def test_the_agent_says_what_it_enforces(machine: Machine) -> None:
    facts = await machine.backend.facts()
    assert facts.machine
    assert "CUDA_VISIBLE_DEVICES" in facts.accelerators_enforced
    assert facts.memory_enforced.startswith("by the agent" if memory.LIMITED else "no")


async def test_a_copy_nobody_has_heard_of_has_no_log(machine: Machine) -> None:
    for copy_id in ("digits-1-00000000", "..", "../../etc/passwd"):
        with pytest.raises(BackendError) as refusal:
            await machine.backend.logs(copy_id, 10)
        assert not refusal.value.retryable
