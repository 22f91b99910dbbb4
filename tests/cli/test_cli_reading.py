"""describe, events, ledger, logs, traffic, rollout status and history, open: reading beyond `get`."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harbour import Asked, Cli, Harbour, Reply, deployment, operation, started

from longshore.spec.parsing import parse

PATH = "/v1/deployments/digits"
COPY = {
    "id": "digits-1-a",
    "deployment": "digits",
    "model": "digits",
    "version": "1",
    "host": "here",
    "accelerators": [0, 1],
    "address": "127.0.0.1:9000",
    "state": "ready",
    "restarts": 0,
    "reason": None,
    "message": None,
}


CHECK = {
    "at": "2026-01-02T03:05:05Z",
    "check": "errors",
    "outcome": "passed",
    "enforced": True,
    "batch": 1,
    "value": 0.00123,
    "baseline": None,
    "samples": 812,
    "windowStart": "2026-01-02T03:04:35Z",
    "windowEnd": "2026-01-02T03:05:05Z",
    "message": "error rate 0.00123",
}
SPAN: dict[str, Any] = {
    "deployment": "digits",
    "model": "digits",
    "since": "2026-01-02T03:04:05Z",
    "until": None,
    "shares": {"1": 75, "2": 25},
    "operation": "digits/rollout-2",
    "kind": "rollout",
    "revision": 2,
    "actor": "ada",
    "cause": "25% to version 2",
    "checksBefore": [],
    "checks": [
        CHECK,
        {**CHECK, "check": "slow", "outcome": "failed", "enforced": False, "value": 48.25, "baseline": 40.0}
        | {"message": "slower"},
    ],
}


def detail(**more: Any) -> dict[str, Any]:
    revision = {"deployment": "digits", "number": 1, "version": "1", "phase": "Succeeded", "held": False}
    return {
        "deployment": deployment(),
        "labels": {"team": "search"},
        "spec": {"copies": 4, "version": "1"},
        "retired": False,
        "updatedAt": "2026-01-02T03:04:05Z",
        "observedAt": "2026-01-02T03:04:06Z",
        "copies": [COPY],
        "differences": [],
        "revisions": [{**revision, "actor": "ada", "at": "2026-01-02T03:04:05Z", "reason": None}],
        "operation": operation(1, "Succeeded"),
        **more,
    }


def test_describe_tells_all_of_a_deployment(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["GET", f"{PATH}/detail"] = detail()

    ran = cli("describe", "digits")

    assert ran.code == 0
    for line in ("Name:      digits", "Labels:    team=search", "Wanted:    4 copies, version 1", "Revisions"):
        assert line in ran.out
    assert "digits-1-a" in ran.out
    assert "digits/rollout-1 Succeeded" in ran.out
    assert cli("describe", "deployment", "digits") == ran
    assert json.loads(cli("describe", "digits", "-o", "json").out) == {"name": "digits", **detail()}


def test_describe_lists_all_that_somebody_else_changed(cli: Cli, harbour: Harbour) -> None:
    changed = [
        {"deployment": "digits", "version": "1", "what": "CopyCount", "wanted": "4", "found": "6"},
        {"deployment": "digits", "version": "1", "what": "Specification.Container.Image", "wanted": "a", "found": "b"},
    ]
    harbour.answers["GET", f"{PATH}/detail"] = detail(differences=changed)

    lines = [line.split() for line in cli("describe", "digits").out.splitlines()]

    at = lines.index(["Changed", "by", "somebody", "else"])
    assert lines[at + 1 : at + 4] == [
        ["VERSION", "WHAT", "WANTED", "FOUND"],
        ["1", "CopyCount", "4", "6"],
        ["1", "Specification.Container.Image", "a", "b"],
    ]


def test_describe_of_a_deployment_before_its_first_operation(cli: Cli, harbour: Harbour) -> None:
    young = detail(operation=None, copies=[], revisions=[], observedAt=None, labels={}, retired=True)
    harbour.answers["GET", f"{PATH}/detail"] = young

    ran = cli("describe", "digits")

    assert ran.code == 0
    assert "Observed:  never" in ran.out
    assert "Copies" not in ran.out


def test_describe_of_anything_else_is_yaml(cli: Cli, harbour: Harbour) -> None:
    target: dict[str, Any] = {"name": "lab", "spec": {"backend": "local", "hosts": []}, "hosts": [], "observedAt": None}
    harbour.answers["GET", "/v1/targets/lab"] = target

    (document,) = parse(cli("describe", "target", "lab").out)

    assert document.content == target


def test_events_are_lines_objects_or_names(cli: Cli, harbour: Harbour) -> None:
    harbour.happen("BatchStarted", batch=1, message="2 copies of version 2")
    harbour.happen("Scaled", deployment="other")

    assert cli("events").out.splitlines() == [
        "2026-01-02 03:04:05Z digits BatchStarted batch 1: 2 copies of version 2",
        "2026-01-02 03:04:05Z other Scaled",
    ]
    assert cli("events", "other", "-o", "name").out == "deployment/other\n"
    assert json.loads(cli("events", "--after", "1", "-o", "json").out) == {"items": harbour.events[1:]}
    assert [json.loads(line) for line in cli("events", "-o", "jsonl").out.splitlines()] == harbour.events


def test_following_events_writes_each_as_it_comes(harbour: Harbour) -> None:
    harbour.happen("Scaled", message="before")

    with started("events", "digits", "-f", "--after", "1", "-o", "jsonl") as process:
        assert process.stdout is not None
        harbour.happen("BatchStarted", deployment="other")
        harbour.happen("BatchReady")
        assert json.loads(process.stdout.readline())["type"] == "BatchReady"
        harbour.cut_streams()
        harbour.happen("BatchDone")
        assert json.loads(process.stdout.readline())["type"] == "BatchDone"


def test_the_ledger_answers_for_an_instant(cli: Cli, harbour: Harbour) -> None:
    harbour.listed(f"{PATH}/ledger", SPAN)

    ran = cli("ledger", "digits", "--at", "2026-01-02T13:00:00+01:00")

    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines() if line] == [
        ["At:", "2026-01-02", "12:00:00Z"],
        ["Served:", "1", "75%,", "2", "25%"],
        ["Model:", "digits"],
        ["Since:", "2026-01-02", "03:04:05Z"],
        ["Until:", "now"],
        ["Asked", "by:", "ada"],
        ["Operation:", "digits/rollout-2", "(rollout", "to", "revision", "2)"],
        ["Cause:", "25%", "to", "version", "2"],
        ["Checks", "meanwhile"],
        ["MEASURED", "CHECK", "OUTCOME", "VALUE", "BASELINE", "REQUESTS", "MESSAGE"],
        ["2026-01-02", "03:05:05Z", "errors", "passed", "0.00123", "-", "812", "error", "rate", "0.00123"],
        ["2026-01-02", "03:05:05Z", "slow", "failed", "(observed)", "48.25", "40", "812", "slower"],
    ]
    assert harbour.asked[0].query["at"] == ["2026-01-02T13:00:00+01:00"]
    assert json.loads(cli("ledger", "digits", "--at", "2026-01-02T12:00:00Z", "-o", "json").out) == SPAN


def test_the_ledger_lists_spans_in_a_line_each(cli: Cli, harbour: Harbour) -> None:
    nobody = {**SPAN, "shares": {}, "checks": [], "since": "2026-01-03T00:00:00Z", "cause": "nobody serves"}
    harbour.listed(f"{PATH}/ledger", {**SPAN, "until": "2026-01-03T00:00:00Z"}, nobody)

    assert [re.split(r" {3,}", line) for line in cli("ledger", "digits").out.splitlines()] == [
        ["SINCE", "UNTIL", "SHARES", "OPERATION", "BY", "CHECKS", "CAUSE"],
        [
            "2026-01-02 03:04:05Z",
            "2026-01-03 00:00:00Z",
            "1 75%, 2 25%",
            "digits/rollout-2",
            "ada",
            "errors 0.00123, slow 48.25 failed",
            "25% to version 2",
        ],
        ["2026-01-03 00:00:00Z", "-", "nobody", "digits/rollout-2", "ada", "-", "nobody serves"],
    ]


def test_the_ledger_takes_how_long_ago(cli: Cli, harbour: Harbour) -> None:
    harbour.listed(f"{PATH}/ledger", SPAN)
    before = datetime.now(UTC)

    assert cli("ledger", "digits", "--at", "-2h").code == 0

    asked = datetime.fromisoformat(harbour.asked[0].query["at"][0])
    assert before - timedelta(hours=2) <= asked <= datetime.now(UTC) - timedelta(hours=2)


@pytest.mark.parametrize("at", ["noon", "-", "-soon", "2h"])
def test_what_is_no_instant_is_said(cli: Cli, at: str) -> None:
    said = f"{at!r} is not an instant: write 2026-01-31T12:00:00Z, or -2h\n"
    assert cli("ledger", "digits", "--at", at) == (2, "", said)


def test_logs_name_the_copy_unless_it_was_named(cli: Cli, harbour: Harbour) -> None:
    def answer(asked: Asked) -> Reply:
        copies = asked.query.get("copy", ["a", "b"])
        return 200, "".join(json.dumps({"copy": copy, "line": f"{copy} serves"}) + "\n" for copy in copies)

    harbour.answers["GET", f"{PATH}/logs"] = answer

    assert cli("logs", "digits", "--tail", "5").out == "a | a serves\nb | b serves\n"
    assert cli("logs", "digits", "--copy", "b").out == "b serves\n"
    assert cli("logs", "digits", "-o", "jsonl").out.splitlines()[0] == '{"copy": "a", "line": "a serves"}'
    assert harbour.asked[0].query == {"tail": ["5"]}


def test_copies_that_wrote_nothing_are_said_to_have(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["GET", f"{PATH}/logs"] = lambda _: (200, "")
    run = cli("logs", "digits", "--copy", "b")
    assert (run.code, run.out) == (0, "")
    assert run.err.startswith("no copy of digits has lines that could be shown")


def test_traffic_shows_who_serves_and_where_to_ask(cli: Cli, harbour: Harbour) -> None:
    leaving = {**COPY, "version": "0", "state": "draining", "address": "127.0.0.1:9001"}
    harbour.answers["GET", f"{PATH}/traffic"] = {
        "deployment": "digits",
        "traffic": {"1": 100},
        "url": "http://127.0.0.1:8471/v1/models/digits/",
        "endpoints": [COPY, leaving],
        "upstreams": [],
    }

    assert [line.split() for line in cli("traffic", "digits").out.splitlines()] == [
        ["VERSION", "SHARE", "ENDPOINTS"],
        ["1", "100%", "127.0.0.1:9000"],
        ["0", "0%", "127.0.0.1:9001", "(draining)"],
        [],
        ["requests", "go", "to", "http://127.0.0.1:8471/v1/models/digits/"],
    ]


def test_traffic_shows_the_service_that_copies_without_addresses_are_behind(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["GET", f"{PATH}/traffic"] = {
        "deployment": "digits",
        "traffic": {"1": 100},
        "url": None,
        "endpoints": [{**COPY, "address": None}],
        "upstreams": [{"version": "1", "url": "https://a.example/endpoints/fleet", "headers": {"X-A": "digits-1"}}],
    }
    assert cli("traffic", "digits").out.splitlines()[-1].split() == [
        "1",
        "100%",
        "https://a.example/endpoints/fleet",
        "(digits-1)",
    ]


def test_status_draws_the_ladder(cli: Cli, harbour: Harbour) -> None:
    rolling = operation(2, message="batch 2 of 2")
    harbour.answers["GET", f"{PATH}/rollout"] = rolling

    ran = cli("rollout", "status", "digits")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "digits/rollout-2 Progressing: batch 2 of 2",
        "├── batches of version 1 → 2, rolling",
        "│   ├── ✓ 1  +2 -2  to  50%  done",
        "│   └── ● 2  +2 -2  to 100%  baking",
        "├── copies",
        "│   ├── version 1  ■■  2 of 2 ready",
        "│   └── version 2  ■■■□  3 of 4 ready",
        "├── traffic",
        "│   ├── version 1  ██████████ 50%",
        "│   └── version 2  ██████████ 50%",
        "├── checks",
        "│   └── ✓ errors  error-rate 0.00123 ≤ 0.01, 812 samples: passed",
        "└── at most 6 accelerators held so far",
    ]
    assert json.loads(cli("rollout", "status", "digits", "-o", "json").out) == rolling


def test_history_lists_the_operations(cli: Cli, harbour: Harbour) -> None:
    harbour.listed(f"{PATH}/rollouts", operation(1, "Succeeded"), operation(2, "RolledBack"), operation(3))

    ran = cli("rollout", "history", "digits")

    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == [f"digits/rollout-{n}" for n in (1, 2, 3)]


def test_open_prints_where_the_pages_are(
    cli: Cli, harbour: Harbour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("open", "web").out == f"{harbour.url}\n"
    assert cli("open", "temporal").code == 1

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.json").write_text('{"temporalUiUrl": "http://127.0.0.1:8475"}')
    assert cli("open", "temporal").out == "http://127.0.0.1:8475\n"

    monkeypatch.setenv("LONGSHORE_TEMPORAL_UI_URL", "http://temporal.example")
    assert cli("open", "temporal").out == "http://temporal.example\n"
