"""`--wait` and the control verbs: how an operation ends is how the command exits."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harbour import Asked, Cli, Harbour, Refusal, Reply, deployment, operation, started

from longshore.cli import waiting
from longshore.cli.waiting import Goal, judge

ROLLOUT = "digits/rollout-2"
PATH = "/v1/deployments/digits"

VERDICTS = {
    "nothing to do is reached": (Goal("digits", None), None, None, 0),
    "nothing to do, and the version serves": (Goal("digits", None, "2"), None, "2", 0),
    "nothing was done, and another version serves": (Goal("digits", None, "2"), None, "1", 3),
    "nothing was done, and nothing serves": (Goal("digits", None, "2"), None, None, 3),
    "an operation that is not in the store yet": (Goal("digits", ROLLOUT), None, None, None),
    "under way": (Goal("digits", ROLLOUT), operation(2, "Progressing"), None, None),
    "waiting to begin": (Goal("digits", ROLLOUT), operation(2, "Pending"), None, None),
    "rolling back": (Goal("digits", ROLLOUT), operation(2, "RollingBack"), None, None),
    "succeeded": (Goal("digits", ROLLOUT), operation(2, "Succeeded"), None, 0),
    "rolled back": (Goal("digits", ROLLOUT, "2"), operation(2, "RolledBack"), "1", 3),
    "aborted": (Goal("digits", ROLLOUT), operation(2, "Aborted"), None, 3),
    "superseded": (Goal("digits", ROLLOUT), operation(2, "Superseded"), None, 3),
    "failed": (Goal("digits", ROLLOUT), operation(2, "Failed"), None, 4),
    "paused": (Goal("digits", ROLLOUT), operation(2, "Paused"), None, 4),
    "paused, as asked for": (Goal("digits", ROLLOUT, reached=frozenset({"Paused"})), operation(2, "Paused"), None, 0),
    "aborted, as asked for": (
        Goal("digits", ROLLOUT, reached=frozenset({"Aborted"})),
        operation(2, "Aborted"),
        None,
        0,
    ),
    "aborted by applying what is stable": (Goal("digits", ROLLOUT, "1"), operation(2, "Aborted"), "1", 0),
    "blocked for room": (
        Goal("digits", ROLLOUT),
        operation(2, "Pending", reason="InsufficientAccelerators"),
        None,
        4,
    ),
    "blocked for room between batches": (
        Goal("digits", ROLLOUT),
        operation(2, "Progressing", reason="InsufficientAccelerators"),
        None,
        4,
    ),
    "in trouble that may pass": (Goal("digits", ROLLOUT), operation(2, "Progressing", reason="NoGateway"), None, None),
}


@pytest.mark.parametrize(("goal", "found", "stable", "code"), VERDICTS.values(), ids=VERDICTS)
def test_a_goal_is_judged(goal: Goal, found: dict[str, Any] | None, stable: str | None, code: int | None) -> None:
    verdict = judge(goal, found, stable)

    assert (verdict and verdict.code) == code


def accept(harbour: Harbour, verb: str = "resume", operation_id: str | None = ROLLOUT) -> None:
    """Accept a control verb."""
    answer = {
        "changed": operation_id is not None,
        "message": f"{verb} accepted",
        "revision": 2,
        "operation": operation_id,
    }
    harbour.answers["POST", f"{PATH}/{verb}"] = lambda _: (202, answer)


def phases(harbour: Harbour, *operations: dict[str, Any]) -> None:
    """Answer the operation anew each time it is asked for; an event goes with every step. The last one stays."""
    left = list(operations)

    def answer(_: Asked) -> Reply:
        found = left.pop(0) if len(left) > 1 else left[0]
        if len(left) > 1 or found is not left[0]:
            harbour.happen("BatchReady", message=f"now {found['phase']}", operation=found["id"])
        return 200, found

    harbour.answers["GET", f"{PATH}/rollout"] = answer
    harbour.listed(f"{PATH}/rollouts", *operations)


ENDS = {"Succeeded": 0, "RolledBack": 3, "Aborted": 3, "Superseded": 3, "Failed": 4}


@pytest.mark.parametrize(("phase", "code"), ENDS.items())
def test_waiting_follows_to_the_end_and_exits_as_it_ends(cli: Cli, harbour: Harbour, phase: str, code: int) -> None:
    accept(harbour)
    phases(harbour, operation(2), operation(2, phase, reason="Because", message="of this"))

    ran = cli("rollout", "resume", "digits", "--wait", "-o", "name")

    assert (ran.code, ran.out) == (code, "deployment/digits\n")
    first, *_, last = ran.err.splitlines()
    assert first == "2026-01-02 03:04:05Z digits BatchReady: now Progressing"
    assert last == f"digits/rollout-2 {phase} (Because): of this"


def test_without_wait_the_server_goes_on_alone(cli: Cli, harbour: Harbour) -> None:
    accept(harbour)

    ran = cli("rollout", "resume", "digits", "--reason", "all is well", "-o", "json")

    assert (ran.code, ran.err) == (0, "")
    assert '"operation": "digits/rollout-2"' in ran.out
    assert [asked.method for asked in harbour.asked] == ["POST"]
    assert harbour.asked[0].body == {"reason": "all is well"}


def test_a_pause_that_lasts_needs_a_person(cli: Cli, harbour: Harbour) -> None:
    accept(harbour, "promote")
    phases(harbour, operation(2, "Paused", reason="CheckError", message="errors cannot be measured"))

    ran = cli("rollout", "promote", "digits", "--full", "--wait")

    assert ran.code == 4
    assert ran.err.splitlines() == ["digits/rollout-2 Paused (CheckError): errors cannot be measured"]
    assert harbour.of("POST", f"{PATH}/promote")[0].body == {"full": True}


def test_a_pause_that_was_just_left_is_not_believed(cli: Cli, harbour: Harbour) -> None:
    accept(harbour)
    phases(harbour, operation(2, "Paused"), operation(2, "Progressing"), operation(2, "Succeeded"))

    assert cli("rollout", "resume", "digits", "--wait").code == 0


def test_pausing_waits_for_the_pause_and_aborting_for_the_abort(cli: Cli, harbour: Harbour) -> None:
    for verb, phase in (("pause", "Paused"), ("abort", "Aborted")):
        accept(harbour, verb)
        phases(harbour, operation(2), operation(2, phase))

        assert cli("rollout", verb, "digits", "--wait").code == 0


def test_an_operation_is_found_again_after_a_newer_one_began(cli: Cli, harbour: Harbour) -> None:
    accept(harbour)
    harbour.answers["GET", f"{PATH}/rollout"] = operation(3)
    harbour.listed(f"{PATH}/rollouts", operation(1, "Succeeded"), operation(2, "Superseded"), operation(3))

    ran = cli("rollout", "resume", "digits", "--wait")

    assert (ran.code, ran.err) == (3, "digits/rollout-2 Superseded\n")


def test_nothing_to_do_is_not_waited_for(cli: Cli, harbour: Harbour) -> None:
    accept(harbour, "scale", None)

    ran = cli("scale", "digits", "--copies", "4", "--wait")

    assert (ran.code, ran.err) == (0, "digits is as asked for\n")
    assert harbour.of("POST", f"{PATH}/scale")[0].body == {"copies": 4}


def test_the_client_stops_waiting_when_told_to(cli: Cli, harbour: Harbour) -> None:
    accept(harbour)
    phases(harbour, operation(2))

    ran = cli("rollout", "resume", "digits", "--wait", "--timeout", "200ms")

    assert ran.code == 5
    assert ran.err.splitlines()[-1] == "stopped waiting; the server goes on: longshore rollout watch digits"


def test_waiting_survives_a_server_that_restarts(cli: Cli, harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.1)
    accept(harbour)
    answers: list[Callable[[], Reply]] = [
        lambda: (200, operation(2)),
        lambda: (503, {"reason": "StoreUnavailable", "detail": "the store restarts"}),
        lambda: (503, {"reason": "StoreUnavailable", "detail": "the store restarts"}),
        lambda: (200, operation(2, "Succeeded")),
    ]

    def answer(_: Asked) -> Reply:
        harbour.cut_streams()
        return answers.pop(0)()

    harbour.answers["GET", f"{PATH}/rollout"] = answer

    assert cli("rollout", "resume", "digits", "--wait").code == 0


def test_a_refusal_is_the_servers_one_line(cli: Cli, harbour: Harbour) -> None:
    def refuse(_: Asked) -> Reply:
        raise Refusal(409, "NothingUnderWay", "digits: nothing is under way to pause: idle")

    harbour.answers["POST", f"{PATH}/pause"] = refuse

    assert cli("rollout", "pause", "digits", "--wait") == (1, "", "digits: nothing is under way to pause: idle\n")


@pytest.mark.parametrize("command", [("rollout", "resume", "digits", "--wait"), ("rollout", "watch", "digits")])
def test_nobody_is_waited_for_who_was_never_there(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LONGSHORE_API_URL", "http://127.0.0.1:1")

    ran = cli(*command)

    assert ran == (
        1,
        "",
        "no Longshore answers at http://127.0.0.1:1 (connection refused): start it with `longshore up`\n",
    )


MANIFESTS = """\
kind: Deployment
metadata: {name: digits}
spec: {target: t, model: digits, version: "2"}
---
kind: Deployment
metadata: {name: other}
spec: {target: t, model: digits, version: "2"}
"""


def applied(name: str, operation_id: str | None, result: str = "changed") -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "name": name,
        "result": result,
        "message": "revision 2",
        "revision": 2,
        "operation": operation_id,
    }


def test_apply_waits_for_every_deployment_and_exits_as_the_worst(cli: Cli, harbour: Harbour, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFESTS)
    items = [applied("digits", ROLLOUT), applied("other", "other/rollout-5")]
    harbour.answers["POST", "/v1/apply"] = {"items": items, "dryRun": False}
    phases(harbour, operation(2), operation(2, "Succeeded"))
    harbour.answers["GET", "/v1/deployments/other/rollout"] = operation(5, "RolledBack", id="other/rollout-5")
    harbour.answers["GET", "/v1/deployments/digits"] = deployment("digits", version="2")
    harbour.answers["GET", "/v1/deployments/other"] = deployment("other", version="1")

    ran = cli("apply", "-f", str(manifest), "--wait")

    assert ran.code == 3
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["deployment/digits", "changed"],
        ["deployment/other", "changed"],
    ]
    assert {"digits/rollout-2 Succeeded", "other/rollout-5 RolledBack"} <= set(ran.err.splitlines())


def test_a_revision_that_waits_is_followed_into_its_operation(cli: Cli, harbour: Harbour, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFESTS.split("---", maxsplit=1)[0])
    harbour.answers["POST", "/v1/apply"] = {"items": [applied("digits", None)], "dryRun": False}
    looked: list[Asked] = []

    def rollouts(asked: Asked) -> Reply:
        looked.append(asked)
        begun = [{**operation(2, "Paused"), "toRevision": 2}] if len(looked) > 1 else []
        return 200, {"items": [{**operation(1, "Superseded"), "toRevision": 1}, *begun], "next": None}

    phases(harbour, operation(2, "Paused"))
    harbour.answers["GET", f"{PATH}/rollouts"] = rollouts
    harbour.listed(f"{PATH}/revisions", {"number": 1, "phase": "Superseded"}, {"number": 2, "phase": "Pending"})
    harbour.answers["GET", PATH] = deployment("digits", version="1")

    ran = cli("apply", "-f", str(manifest), "--wait")

    assert (ran.code, ran.err) == (4, "digits/rollout-2 Paused\n")
    assert len(looked) > 1


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Superseded", 3), ("Aborted", 3), ("Failed", 4)])
def test_a_revision_without_an_operation_exits_as_it_ended(
    cli: Cli, harbour: Harbour, tmp_path: Path, phase: str, code: int
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFESTS.split("---", maxsplit=1)[0])
    harbour.answers["POST", "/v1/apply"] = {"items": [applied("digits", None)], "dryRun": False}
    harbour.listed(f"{PATH}/revisions", {"number": 2, "phase": phase})

    ran = cli("apply", "-f", str(manifest), "--wait")

    assert (ran.code, ran.err) == (code, f"digits: revision 2 {phase}\n")


def test_applying_what_is_held_is_not_reached(cli: Cli, harbour: Harbour, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFESTS.split("---", maxsplit=1)[0])
    harbour.answers["POST", "/v1/apply"] = {"items": [applied("digits", None, "unchanged")], "dryRun": False}
    harbour.answers["GET", "/v1/deployments/digits"] = deployment("digits", version="1")

    ran = cli("apply", "-f", str(manifest), "--wait")

    assert (ran.code, ran.err) == (3, "digits serves version 1, not 2\n")


def test_delete_retires_and_waits_for_it(cli: Cli, harbour: Harbour) -> None:
    retire = operation(3, "Succeeded", id="digits/retire-3", kind="retire")
    accepted = {"changed": True, "message": "retiring", "revision": None, "operation": "digits/retire-3"}
    harbour.answers["DELETE", "/v1/deployments/digits"] = lambda _: (202, accepted)
    harbour.answers["GET", f"{PATH}/rollout"] = retire

    for names in (("digits",), ("deployment", "digits"), ("deployment/digits",)):
        assert cli("delete", *names, "--wait").code == 0
    assert len(harbour.of("DELETE", "/v1/deployments/digits")) == 3


def test_a_target_is_forgotten_and_a_version_is_not(cli: Cli, harbour: Harbour) -> None:
    gone = {"changed": True, "message": "target lab is deleted", "revision": None, "operation": None}
    harbour.answers["DELETE", "/v1/targets/lab"] = gone

    assert cli("delete", "target", "lab", "--wait").code == 0
    assert cli("delete", "version", "digits/2") == (
        2,
        "",
        "a version is part of the record and is not deleted: delete deployments, targets and freezes\n",
    )


def test_ctrl_c_says_that_the_server_goes_on(harbour: Harbour) -> None:
    accept(harbour)
    phases(harbour, operation(2))

    with started("rollout", "resume", "digits", "--wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("NAME")
        assert process.stdout.readline().endswith("resume accepted\n")
        wait_until(harbour, lambda: len(harbour.of("GET", f"{PATH}/rollout")) > 0)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 5
    assert err == "stopped waiting; the server goes on: longshore rollout watch digits\n"


def wait_until(harbour: Harbour, condition: Callable[[], bool]) -> None:
    """Wait for something the server sees."""
    ticking = threading.Event()
    for _ in range(600):
        if condition():
            return
        ticking.wait(0.05)
    raise AssertionError(f"it did not happen; asked were {[(asked.method, asked.path) for asked in harbour.asked]}")


def test_watching_elsewhere_than_on_a_terminal_prints_a_line_for_each_event(cli: Cli, harbour: Harbour) -> None:
    phases(harbour, operation(2), operation(2), operation(2, "RolledBack", reason="CheckFailed", message="errors"))

    ran = cli("rollout", "watch", "digits")

    assert (ran.code, ran.err) == (3, "")
    first, *events, last = ran.out.splitlines()
    assert first == "digits/rollout-2 Progressing"
    assert events == ["2026-01-02 03:04:05Z digits BatchReady: now Progressing"] * 2
    assert last == "digits/rollout-2 RolledBack (CheckFailed): errors"


def test_watching_what_is_over_says_how_it_ended(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["GET", f"{PATH}/rollout"] = operation(2, "Failed", reason="NothingToReturnTo", message="look")

    assert cli("rollout", "watch", "digits") == (4, "digits/rollout-2 Failed (NothingToReturnTo): look\n", "")


def test_a_terminal_sees_the_ladder_live_and_through_pauses(harbour: Harbour) -> None:
    import pty

    phases(harbour, operation(2), operation(2, "Paused", reason="PausedByUser"), operation(2, "Succeeded"))
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    environment.pop("NO_COLOR", None)

    with started("rollout", "watch", "digits", stdout=follower, env=environment) as process:
        os.close(follower)
        shown = _read_all(leader)
        assert process.wait(timeout=60) == 0
    os.close(leader)

    text = shown.decode()
    assert "digits/rollout-2 Paused (PausedByUser)" in text
    assert text.rindex("rollout-2 Succeeded") > text.rindex("rollout-2 Paused")
    assert "✓ 1  +2 -2  to  50%  done" in text
    assert "errors  error-rate 0.00123 ≤ 0.01, 812 samples: passed" in text


def _read_all(leader: int) -> bytes:
    """What was written to a terminal until its other end was closed."""
    shown = b""
    while True:
        try:
            received = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            return shown
        if not received:
            return shown
        shown += received
