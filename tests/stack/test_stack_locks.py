"""Locks that live as long as the process that holds them."""

import subprocess
import sys
from pathlib import Path

from longshore.stack import locks

WAITS_FOR_ITS_INPUT = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    held = locks.take(tmp_path / "lock", "first")
    assert held is not None
    assert locks.take(tmp_path / "lock", "second") is None
    assert locks.is_held(tmp_path / "lock")
    assert locks.note(tmp_path / "lock") == "first"
    held.release()
    assert not locks.is_held(tmp_path / "lock")


def test_a_shorter_note_replaces_a_longer_one(tmp_path: Path) -> None:
    for note in ("a long note", "short"):
        held = locks.take(tmp_path / "lock", note)
        assert held is not None
        held.release()
    assert locks.note(tmp_path / "lock") == "short"


def test_a_child_holds_the_lock_it_was_given_until_it_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    held = locks.take(lock)
    assert held is not None
    with subprocess.Popen(
        WAITS_FOR_ITS_INPUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(held.descriptor,)
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        held.release()
        assert locks.is_held(lock)
        assert [process.pid for process in locks.holders(lock)] == [child.pid]
        child.kill()
    assert not locks.is_held(lock)
    assert locks.holders(lock) == []


def test_a_child_that_was_not_given_the_lock_does_not_hold_it(tmp_path: Path) -> None:
    held = locks.take(tmp_path / "lock")
    assert held is not None
    with subprocess.Popen(WAITS_FOR_ITS_INPUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        held.release()
        assert not locks.is_held(tmp_path / "lock")
        child.kill()


def test_a_lock_that_never_was_is_not_held(tmp_path: Path) -> None:
    assert not locks.is_held(tmp_path / "lock")
    assert locks.note(tmp_path / "lock") == ""
