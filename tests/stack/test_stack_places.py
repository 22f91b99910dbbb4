"""The home: made, refused, purged."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.stack import places as module
from longshore.stack.errors import StackError
from longshore.stack.places import MOST_SOCKET_PATH, Places, fits, private_folder


@pytest.fixture
def deep_home(tmp_path: Path) -> Iterator[Path]:
    """A home too deep for a socket's path."""
    home = tmp_path / ("d" * 60) / ("e" * 60)
    yield home
    Places.of(home).purge()


def test_a_home_keeps_its_id(home: Path) -> None:
    assert Places.prepare(home) == Places.prepare(home) == Places.of(home)


def test_two_homes_have_two_ids(home: Path, tmp_path: Path) -> None:
    assert Places.prepare(home).id != Places.prepare(tmp_path / "other").id


def test_what_is_in_a_home_is_its_users_alone(home: Path) -> None:
    places = Places.prepare(home)
    for folder in (places.run, places.logs, home / "secrets"):
        assert folder.stat().st_mode & 0o077 == 0


def test_the_agents_socket_is_in_the_home_when_that_is_short(home: Path) -> None:
    assert Places.prepare(home).agent_socket() == home / "run" / "agent.sock"


def test_the_agents_socket_of_a_deep_home_is_in_a_short_private_folder(deep_home: Path) -> None:
    places = Places.prepare(deep_home)
    socket = places.agent_socket()
    assert len(os.fsencode(socket)) <= MOST_SOCKET_PATH
    assert places.id in str(socket)
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert places.agent_socket() == socket


def test_a_home_too_deep_for_any_socket_says_so(deep_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places.prepare(deep_home)
    monkeypatch.setattr(module, "_runtime_folders", lambda: [deep_home])
    with pytest.raises(StackError, match=r"too long for a Unix socket .*LONGSHORE_HOME=/tmp/longshore"):
        places.agent_socket()


@pytest.mark.parametrize(("length", "fitting"), [(MOST_SOCKET_PATH, True), (MOST_SOCKET_PATH + 1, False)])
def test_a_sockets_path_is_measured_in_bytes(length: int, *, fitting: bool) -> None:
    assert fits(Path("/" + "x" * (length - 1))) is fitting
    assert fits(Path("/" + "ü" * ((length - 1) // 2) + "x" * ((length - 1) % 2))) is fitting


def test_another_users_home_is_refused(home: Path) -> None:
    theirs = Path("/usr")
    if os.geteuid() == 0:
        os.chown(home, 65534, -1)
        theirs = home
    with pytest.raises(StackError, match=r"belongs to user .*: set LONGSHORE_HOME"):
        Places.prepare(theirs)


def test_a_file_in_place_of_the_home_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StackError, match=r"cannot be made .*: set LONGSHORE_HOME"):
        Places.prepare(file / "home")


def test_a_full_disk_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 2**62)
    with pytest.raises(StackError, match=r"is full .*: free some space"):
        Places.prepare(home)


def test_a_folder_that_others_may_enter_is_not_private(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    assert not private_folder(folder)


def test_a_link_is_not_a_private_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    assert not private_folder(tmp_path / "link")


def test_a_purge_removes_what_is_ours_and_nothing_else(home: Path) -> None:
    places = Places.prepare(home)
    places.temporal_database.write_text("")
    (home / "thesis.txt").write_text("not ours")
    places.purge()
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]


def test_a_purge_leaves_the_secrets_that_people_wrote(home: Path) -> None:
    places = Places.prepare(home)
    (home / "secrets" / "token").write_text("TOKEN=x")
    places.purge()
    assert [str(path.relative_to(home)) for path in sorted(home.rglob("*"))] == ["secrets", "secrets/token"]


def test_a_purge_removes_a_home_with_nothing_else_in_it(deep_home: Path) -> None:
    places = Places.prepare(deep_home)
    outside = places.agent_socket().parent
    assert outside.exists()
    places.purge()
    assert not deep_home.exists()
    assert not outside.exists()
    assert Path(tempfile.gettempdir()).exists()
