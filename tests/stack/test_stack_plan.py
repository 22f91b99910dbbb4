"""What a stack consists of, before anything starts."""

import json
import signal
from pathlib import Path

import pytest

from longshore.settings import Settings
from longshore.stack.binaries import Wheel
from longshore.stack.errors import StackError
from longshore.stack.parts import Part, parts, select, stop_order
from longshore.stack.places import Places
from longshore.stack.plan import Plan, passed_on
from longshore.stack.ports import Ports
from longshore.stack.state import PartState, StackState, read

EXTERNAL = {"LONGSHORE_DATABASE_URL": "postgresql://db/longshore", "TEMPORAL_ADDRESS": "temporal:7233"}


def plan_of(home: Path, environment: dict[str, str] | None = None) -> Plan:
    return Plan.of(Places.prepare(home), Ports(9000), environment or {})


def test_the_whole_stack_has_its_parts_in_an_order_that_can_start(home: Path) -> None:
    started: set[str] = set()
    for part in parts(plan_of(home)):
        assert set(part.after) <= started, part.name
        started.add(part.name)
    assert started == {"postgres", "temporal", "setup", "envoy", "agent", "api", "worker", "release"}


@pytest.mark.parametrize(
    ("name", "left_out"), [("LONGSHORE_DATABASE_URL", "postgres"), ("TEMPORAL_ADDRESS", "temporal")]
)
def test_an_address_stands_in_for_a_part(home: Path, name: str, left_out: str) -> None:
    found = parts(plan_of(home, {name: EXTERNAL[name]}))
    assert left_out not in {part.name for part in found}
    assert all(left_out not in part.after for part in found)
    told = next(part for part in found if part.name == "worker").environment
    assert told[name] == EXTERNAL[name]


def test_every_listening_part_binds_loopback_alone(home: Path) -> None:
    found = {part.name: " ".join(part.command) for part in parts(plan_of(home))}
    assert "listen_addresses= " in found["postgres"]
    assert "--ip 127.0.0.1" in found["temporal"]
    assert "--ui-ip 127.0.0.1" in found["temporal"]
    assert plan_of(home).environment()["LONGSHORE_API_LISTEN"] == "127.0.0.1:9000"


def test_what_the_stack_says_of_itself_is_what_its_parts_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(home)
    StackState("1", 1, plan.addresses(), {}).write(plan.places.stack_file)
    from_file = Settings.from_environment()
    for name, value in plan.environment().items():
        monkeypatch.setenv(name, value)
    plan.places.stack_file.unlink()
    from_environment = Settings.from_environment()
    assert from_environment.build_id == plan.build_id
    monkeypatch.delenv("LONGSHORE_BUILD_ID")
    assert from_file == Settings.from_environment()


def test_parts_do_not_inherit_the_secrets_of_the_shell() -> None:
    kept = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "LC_ALL": "C", "LONGSHORE_PRICES": "/srv/prices.yaml"}
    assert passed_on({**kept, "GITHUB_TOKEN": "t", "LONGSHORE_API_KEY": "k"}) == kept


AWS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "the-secret", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def test_only_parts_that_call_aws_are_told_of_it(home: Path) -> None:
    told = {part.name: part.environment for part in parts(plan_of(home, AWS | {"LONGSHORE_API_KEY": "k"}))}
    assert {name for name, one in told.items() if AWS.items() <= one.items()} == {"api", "worker", "envoy"}
    assert {name for name, one in told.items() if one.keys() & AWS.keys()} == {"api", "worker", "envoy"}


def test_the_emulator_and_aws_are_never_mixed(home: Path) -> None:
    own = {"AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "id"}
    told = plan_of(home, own | {"LONGSHORE_EMULATE": "sagemaker"}).way_to_aws()
    assert told["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert told["AWS_ACCESS_KEY_ID"] != "id"
    assert not told.keys() & {"AWS_SESSION_TOKEN", "AWS_PROFILE"}


def test_the_emulator_is_a_part_only_where_it_is_asked_for(home: Path) -> None:
    environment = {"LONGSHORE_EMULATE": "sagemaker", "LONGSHORE_EMULATOR_SPEED": "5"}
    emulator = next(part for part in parts(plan_of(home, environment)) if part.name == "emulator")
    assert {port for port, _ in emulator.ports} == {9006, 9007}
    assert emulator.command[-2:] == ("--speed", "5")


def test_an_emulator_that_is_not_installed_is_told_with_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore.stack.parts.find_spec", lambda _: None)
    with pytest.raises(StackError, match=r"install longshore\[emulator\]"):
        parts(plan_of(home, {"LONGSHORE_EMULATE": "sagemaker"}))


def test_secrets_are_in_nothing_that_a_stack_says_of_itself(home: Path) -> None:
    plan = plan_of(home, AWS)
    (worker,) = select(parts(plan), ["worker"])
    for said in (repr(plan), repr(worker), str(plan.addresses()), worker.fingerprint):
        assert "the-secret" not in said


def test_a_part_started_otherwise_has_another_fingerprint() -> None:
    part = Part("api", ("python", "-m", "api"), {"A": "1"})
    assert part.fingerprint == Part("api", ("python", "-m", "api"), {"A": "1"}, grace=1).fingerprint
    assert part.fingerprint != Part("api", ("python", "-m", "api"), {"A": "2"}).fingerprint
    assert part.fingerprint != Part("api", ("python", "-m", "worker"), {"A": "1"}).fingerprint


def test_parts_are_stopped_after_all_that_need_them() -> None:
    found = (Part("a", ()), Part("b", (), after=("a",)), Part("c", (), after=("a", "b")), Part("d", ()))
    assert [{part.name for part in wave} for wave in stop_order(found)] == [{"c", "d"}, {"b"}, {"a"}]


def test_the_stores_are_stopped_last(home: Path) -> None:
    waves = [{part.name for part in wave} for wave in stop_order(parts(plan_of(home)))]
    assert waves[-1] == {"postgres"}
    assert "worker" in waves[0]
    assert "agent" not in waves[0], "the worker would see copies vanish"


def test_postgres_is_asked_for_a_fast_shutdown(home: Path) -> None:
    assert parts(plan_of(home))[0].stop_signal is signal.SIGINT


def test_parts_can_be_selected_by_name(home: Path) -> None:
    found = parts(plan_of(home))
    assert [part.name for part in select(found, ["envoy", "postgres"])] == ["postgres", "envoy"]
    with pytest.raises(StackError, match=r"no part cat: its parts are postgres, temporal"):
        select(found, ["cat"])


@pytest.mark.parametrize("path", ["", "pytest/no-such-program"])
def test_a_missing_program_is_told_with_what_to_install(path: str) -> None:
    distribution = "pytest" if path else "longshore-no-such-wheel"
    with pytest.raises(StackError, match=rf"cat is not installed here .*pip install {distribution}.*set CAT_URL"):
        Wheel("cat", distribution, path, "set CAT_URL").locate()


def test_the_state_survives_its_file(tmp_path: Path) -> None:
    state = StackState("1.0", 42, {"apiUrl": "http://x"}, {"api": PartState("ready", 7), "setup": PartState("done")})
    state.write(tmp_path / "stack.json")
    assert read(tmp_path / "stack.json") == state
    assert state.ready
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", json.dumps({"version": "1", "supervisor": 1, "parts": {"a": {"x": 1}}})]
)
def test_a_broken_state_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_text(content)
    assert read(tmp_path / "stack.json") is None


@pytest.mark.parametrize("ailing", ["waiting", "starting", "restarting", "failed", "stopped"])
def test_a_stack_is_ready_only_when_every_part_is_well(ailing: str) -> None:
    assert not StackState("1", 1, {}, {"api": PartState("ready"), "worker": PartState(ailing)}).ready
    assert not StackState("1", 1, {}, {}).ready
