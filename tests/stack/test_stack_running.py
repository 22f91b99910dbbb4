"""A stack that runs: what is killed comes back, what is up is left alone, nothing is doubled."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from stack_processes import eventually, processes_of

from longshore.settings import Settings
from longshore.stack import locks
from longshore.stack.down import down
from longshore.stack.errors import StackError
from longshore.stack.places import Places
from longshore.stack.ports import LOOPBACK, Ports, free, free_base, keep
from longshore.stack.state import StackState, read
from longshore.stack.up import up

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

INFRASTRUCTURE = ("postgres", "temporal", "envoy")
WITHIN = 60.0


def state_of(home: Path) -> StackState:
    state = read(Places.of(home).stack_file)
    assert state is not None
    return state


def pids_of(home: Path) -> dict[str, int | None]:
    return {name: part.pid for name, part in state_of(home).parts.items()}


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def kill_supervisor(home: Path) -> None:
    kill(state_of(home).supervisor)
    eventually(lambda: not locks.is_held(Places.of(home).lock("supervisor")))


def count_of(home: Path, word: str) -> int:
    return sum(word in line for line in processes_of(home))


def test_up_twice_is_one_stack(home: Path, settings: Settings) -> None:
    first = up(settings, only=INFRASTRUCTURE)
    before = pids_of(home)
    said: list[str] = []
    second = up(settings, only=INFRASTRUCTURE, say=said.append)
    assert first.started
    assert not second.started
    assert said == [], "nothing happened"
    assert (second.api_url, second.gateway_url) == (first.api_url, first.gateway_url)
    assert pids_of(home) == before


def test_two_ups_at_once_are_one_stack(home: Path, settings: Settings) -> None:
    keep(home, Ports(free_base()))
    script = (
        "import sys; from longshore.settings import Settings; from longshore.stack.up import up; "
        "up(Settings.from_environment(), only=('postgres', 'temporal'))"
    )
    racing = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [one.wait(WITHIN) for one in racing] == [0, 0, 0]
    eventually(lambda: count_of(home, "longshore.stack.supervisor") == 1)
    assert count_of(home, "start-dev") == 1


@pytest.mark.parametrize("victim", INFRASTRUCTURE)
def test_a_killed_part_is_started_again_and_the_others_are_left_alone(
    home: Path, settings: Settings, victim: str
) -> None:
    up(settings, only=INFRASTRUCTURE)
    before = pids_of(home)
    kill(before[victim])
    eventually(lambda: state_of(home).parts[victim].restarts == 1 and state_of(home).ready)
    after = pids_of(home)
    assert after[victim] != before[victim]
    assert {name: pid for name, pid in after.items() if name != victim} == {
        name: pid for name, pid in before.items() if name != victim
    }


def test_parts_outlive_a_killed_supervisor_and_the_next_one_takes_them_over(home: Path, settings: Settings) -> None:
    up(settings, only=INFRASTRUCTURE)
    before, processes = pids_of(home), len(processes_of(home))
    kill_supervisor(home)
    assert up(settings, only=INFRASTRUCTURE).started
    assert pids_of(home) == before
    eventually(lambda: len(processes_of(home)) == processes)
    kill(before["temporal"])
    eventually(lambda: state_of(home).parts["temporal"].restarts == 1 and state_of(home).ready)
    assert count_of(home, "start-dev") == 1


def test_what_died_with_the_supervisor_is_started_and_the_rest_taken_over(home: Path, settings: Settings) -> None:
    up(settings, only=INFRASTRUCTURE)
    before = pids_of(home)
    kill_supervisor(home)
    kill(before["postgres"])
    up(settings, only=INFRASTRUCTURE)
    after = pids_of(home)
    assert after["postgres"] != before["postgres"]
    assert (after["temporal"], after["envoy"]) == (before["temporal"], before["envoy"])


def test_a_part_that_would_be_started_otherwise_now_is_replaced(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(settings, only=("temporal",))
    before = pids_of(home)
    kill_supervisor(home)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "another")
    up(settings, only=("temporal",))
    assert pids_of(home) != before
    assert count_of(home, "start-dev") == 1


def test_down_after_a_killed_supervisor_stops_what_it_left(home: Path, settings: Settings) -> None:
    up(settings, only=INFRASTRUCTURE)
    kill_supervisor(home)
    assert down(settings)
    eventually(lambda: processes_of(home) == [])
    assert not down(settings)


def test_down_leaves_the_data_and_purge_removes_it(home: Path, settings: Settings) -> None:
    up(settings, only=("postgres",))
    url = state_of(home).addresses["databaseUrl"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert down(settings)
    assert processes_of(home) == []
    up(settings, only=("postgres",))
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    down(settings, purge=True)
    assert not home.exists()


def test_a_port_in_use_is_named_and_nothing_is_started(home: Path, settings: Settings) -> None:
    ports = Ports(free_base())
    keep(home, ports)
    with (
        socket.create_server((LOOPBACK, ports.gateway)),
        pytest.raises(StackError, match=rf"^port {ports.gateway} \(gateway\) is in use by .*LONGSHORE_PORT_BASE="),
    ):
        up(settings, only=INFRASTRUCTURE)
    assert processes_of(home) == []
    assert free(ports.temporal)


def test_a_part_that_cannot_start_is_named_with_its_reason_and_its_log(home: Path, settings: Settings) -> None:
    Places.prepare(home).temporal_database.mkdir()
    with pytest.raises(StackError, match=r"^temporal does not start .*: read .*temporal\.log") as caught:
        up(settings, only=("temporal",))
    assert "\n" not in str(caught.value)


def test_an_up_that_asks_for_another_stack_than_the_one_that_is_up_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(settings, only=("temporal",))
    monkeypatch.setenv("LONGSHORE_PORT_BASE", "9990")
    with pytest.raises(StackError, match=r"up with another portBase .*longshore down first"):
        up(settings, only=("temporal",))


def test_a_home_in_a_closed_folder_has_a_postgres_all_the_same(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("LONGSHORE_HOME", str(closed / "home"))
    settings = Settings.from_environment()
    try:
        up(settings, only=("postgres",))
        with psycopg.connect(state_of(settings.home).addresses["databaseUrl"]) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert closed.stat().st_mode & 0o077 == 0
    finally:
        places = Places.of(settings.home)
        down(settings, purge=True)
    assert places.outside() == []
    assert processes_of(settings.home) == []


def test_a_stack_of_another_version_is_replaced(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(settings, only=("temporal",))
    before = pids_of(home)
    monkeypatch.setattr("longshore.__version__", "999.0")
    said: list[str] = []
    assert up(settings, only=("temporal",), say=said.append).started
    assert any(line.startswith("replacing the stack of version ") for line in said)
    assert pids_of(home) != before
    assert count_of(home, "start-dev") == 1
