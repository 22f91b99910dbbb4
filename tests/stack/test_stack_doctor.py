"""The doctor: a mark, what was found, and a cure beside everything that is not well."""

import asyncio
import socket
from pathlib import Path

import pytest

from longshore.settings import Settings
from longshore.stack import checking, machine_checks
from longshore.stack.checking import Check, Report, ill, look_at_all, well
from longshore.stack.doctor import doctor
from longshore.stack.errors import StackError
from longshore.stack.live_checks import agent_checks, api_checks, part_checks, postgres_checks, temporal_checks
from longshore.stack.machine_checks import home_checks, key_check, port_checks, program_checks
from longshore.stack.places import Places
from longshore.stack.ports import LOOPBACK, Ports, free_base, keep
from longshore.stack.state import PartState, StackState


def test_a_machine_without_a_stack_lacks_nothing_but_the_stack(home: Path) -> None:
    report = doctor(Settings.from_environment())
    assert [check.name for check in report.checks if not check.ok] == ["stack"]
    assert report.lines()[-1] == f"✗ stack: the stack of {home} is not up → longshore up"
    assert not report.ok
    assert list(home.iterdir()) == [], "looking leaves nothing behind"


def test_the_report_as_json_says_what_the_lines_say() -> None:
    report = Report((well("python", "3.11"), ill("api", "away", "longshore up")))
    assert report.as_json() == {
        "ok": False,
        "checks": [
            {"name": "python", "ok": True, "detail": "3.11", "cure": None},
            {"name": "api", "ok": False, "detail": "away", "cure": "longshore up"},
        ],
    }
    assert Report(report.checks[:1]).ok


def test_a_port_in_use_is_named_with_its_holder(home: Path) -> None:
    ports = Ports(free_base())
    keep(home, ports)
    assert port_checks(Places.prepare(home), None)[0].ok
    with socket.create_server((LOOPBACK, ports.temporal)):
        (check,) = port_checks(Places.of(home), None)
    assert not check.ok
    assert check.detail.startswith(f"port {ports.temporal} (Longshore) is in use by")
    assert "LONGSHORE_PORT_BASE=" in (check.cure or "")


def test_the_ports_of_the_stack_that_is_up_are_ours(home: Path) -> None:
    (check,) = port_checks(Places.prepare(home), StackState("1", 1, {"portBase": 9000}, {}))
    assert (check.ok, check.detail) == (True, "9000 to 9007, ours")


@pytest.mark.parametrize(("mode", "ok"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False)])
def test_a_key_that_others_may_read_is_not_well(home: Path, mode: int, *, ok: bool) -> None:
    settings = Settings.from_environment()
    settings.admin_key_file.write_text("lsk_x_y")
    settings.admin_key_file.chmod(mode)
    check = key_check(settings)
    assert check.ok is ok
    assert ok or check.cure == f"chmod 600 {settings.admin_key_file}"


def test_a_missing_key_is_made_by_up(home: Path) -> None:
    assert "then longshore up" in (key_check(Settings.from_environment()).cure or "")


def test_an_address_stands_in_for_a_program() -> None:
    checks = program_checks({"TEMPORAL_ADDRESS": "t:7233", "LONGSHORE_DATABASE_URL": "postgresql://db"})
    assert [(check.name, check.ok) for check in checks] == [
        ("temporal program", True),
        ("postgres program", True),
        ("envoy program", True),
    ]
    assert checks[0].detail == "not needed, TEMPORAL_ADDRESS is set"


def test_a_home_that_is_not_there_yet_is_judged_by_where_it_will_be(home: Path) -> None:
    assert all(check.ok for check in home_checks(home / "a" / "b"))


def test_little_room_is_not_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_COMFORTABLE_FREE_BYTES", 2**62)
    assert [check.name for check in home_checks(home) if not check.ok] == ["disk"]


def test_a_part_that_is_not_well_is_told_with_its_log() -> None:
    state = StackState("1", 1, {}, {"api": PartState("restarting", None, 3, "ended"), "agent": PartState("ready", 1)})
    (check,) = part_checks(state)
    assert (check.name, check.ok, check.detail) == ("api", False, "restarting: ended")
    assert "logs/api.log" in (check.cure or "")


async def test_looks_that_raise_or_hang_are_checks_that_are_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "WITHIN", 0.05)

    async def raises() -> list[Check]:
        raise ValueError("broken\nin two lines")

    async def hangs() -> list[Check]:
        await asyncio.Event().wait()
        return []

    async def refuses() -> list[Check]:
        raise StackError("no Envoy", "install it")

    async def finds() -> list[Check]:
        return [well("last", "found")]

    found = await look_at_all([("a", raises), ("b", hangs), ("c", refuses), ("d", finds)])
    assert [(check.name, check.ok) for check in found] == [("a", False), ("b", False), ("c", False), ("last", True)]
    assert [check.detail for check in found[:3]] == ["broken", "no answer in 0 s", "no Envoy"]
    assert found[2].cure == "install it"


async def test_what_is_not_there_is_told_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = free_base()
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"{LOOPBACK}:{base}")
    settings = Settings.from_environment()
    found = await look_at_all(
        [
            ("postgres", lambda: postgres_checks(f"postgresql://postgres@/x?host={home}")),
            ("temporal", lambda: temporal_checks(settings, "longshore-1")),
            ("api", lambda: api_checks(f"http://{LOOPBACK}:{base}")),
            ("agent", lambda: agent_checks(settings)),
        ]
    )
    assert [(check.name, check.ok) for check in found] == [
        ("postgres", False),
        ("temporal", False),
        ("api", False),
        ("agent", False),
    ]
    assert all(check.cure and "\n" not in check.line() for check in found)


async def test_a_database_without_our_tables_is_cured_by_up(empty_postgres_url: str) -> None:
    (check,) = await postgres_checks(empty_postgres_url)
    assert not check.ok
    assert check.detail.startswith("migration none, this version wants ")
    assert check.cure == "longshore down, then longshore up"


async def test_a_migrated_database_is_well(postgres_url: str) -> None:
    (check,) = await postgres_checks(postgres_url)
    assert check.ok
