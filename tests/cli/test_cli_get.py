"""`longshore get`, by both of its ways in, and how data looks."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from harbour import Cli, Harbour, Refusal, deployment, operation, started

from longshore.cli.app import run_typer
from longshore.cli.exits import guarded
from longshore.cli.getting import parse
from longshore.cli.kinds import KINDS
from longshore.cli.main import run
from longshore.spec.parsing import parse as parse_yaml

ROLLING = deployment(
    "search",
    copies={"1": 3, "2": 2},
    ready={"1": 3, "2": 1},
    traffic={"1": 75, "2": 25},
    phase="Progressing",
    health="Degraded",
    reason="CopiesNotReady",
    message="4 of 5 copies are ready; longshore rollout watch search",
)


@pytest.fixture(autouse=True)
def fleet(harbour: Harbour) -> None:
    harbour.answers["GET", "/v1/deployments/digits"] = deployment()
    harbour.listed("/v1/deployments", deployment(), ROLLING, deployment("idle", version=None, revision=None, copies={}))
    target = {"name": "workstation", "spec": {"backend": "local", "hosts": []}, "observedAt": "2026-01-02T03:04:05Z"}
    host = {"name": "here", "accelerators": 8, "acceleratorMemoryGiB": 40.0, "up": True, "held": 5}
    harbour.listed(
        "/v1/targets", {**target, "hosts": [host]}, {**target, "name": "new", "hosts": [], "observedAt": None}
    )
    harbour.listed("/v1/models", {"name": "digits", "versions": ["1", "2"]})
    versions = [
        {
            "model": "digits",
            "version": version,
            "spec": {"resources": {"accelerators": 1}, "artifact": {"uri": f"file:///{version}"}},
        }
        for version in "12"
    ]
    harbour.listed("/v1/models/digits/versions", *versions)
    harbour.answers["GET", "/v1/models/digits/versions/2"] = versions[1]
    revision = {"deployment": "digits", "version": "1", "phase": "Succeeded", "held": False, "actor": "ada"}
    rows = [{**revision, "number": n, "at": "2026-01-02T03:04:05Z", "reason": None} for n in (1, 2, 3)]
    harbour.listed("/v1/deployments/digits/revisions", *rows)
    copy = {"id": "digits-1-a", "deployment": "digits", "model": "digits", "version": "1", "host": "here"}
    ready = {"accelerators": [0], "address": "127.0.0.1:9", "state": "ready", "restarts": 0}
    harbour.listed("/v1/deployments/digits/copies", {**copy, **ready, "reason": None, "message": None})
    harbour.listed("/v1/deployments/digits/rollouts", operation(1, "Succeeded"), operation(2, "RolledBack"))


FORMS = [
    ("deployment", "digits"),
    ("deployment/digits",),
    ("deploy", "digits", "-o", "json"),
    ("-o", "json", "deployment", "digits"),
    ("deployment", "digits", "--output", "yaml"),
    ("deployment", "digits", "--output=jsonl"),
    ("deployments", "-o", "name"),
    ("Deployments", "--target", "workstation", "--phase=Succeeded"),
    ("deployments", "-l", "team=search", "--label", "tier=1", "-o", "json"),
    ("deployments", "--model", "digits", "-o", "json", "-o", "name"),
    ("targets",),
    ("models", "-o", "json"),
    ("model", "digits", "-o", "json"),
    ("versions",),
    ("ver", "digits", "-o", "name"),
    ("version", "digits/2", "-o", "json"),
    ("revisions", "digits"),
    ("revision", "digits/3", "-o", "json"),
    ("copies", "digits"),
    ("op", "digits", "-o", "name"),
    ("operation", "digits/rollout-2", "-o", "json"),
    ("revisions",),
    ("revision", "digits/9"),
    ("revisions", "digits", "--target", "x"),
    ("deployment/digits", "digits"),
    ("pods",),
    ("deployment", "gone"),
]


@pytest.mark.parametrize("arguments", FORMS, ids=" ".join)
def test_the_quick_way_and_typer_do_the_same(
    arguments: tuple[str, ...], harbour: Harbour, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(list(arguments)) is not None
    quick = run(["get", *arguments]), capsys.readouterr()
    asked, harbour.asked = harbour.asked, []

    slow = guarded(lambda: run_typer(["get", *arguments])), capsys.readouterr()

    assert slow == quick
    assert [(one.path, one.query) for one in harbour.asked] == [(one.path, one.query) for one in asked]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--help",),
        ("deployments", "-h"),
        ("deployments", "-o", "xml"),
        ("deployments", "-o"),
        ("deployments", "-o", "-l"),
        ("deployments", "-o=json"),
        ("deployments", "-ojson"),
        ("deployments", "--colour", "red"),
        ("deployments", "digits", "more"),
        ("--", "deployments"),
    ],
    ids=" ".join,
)
def test_what_is_unusual_is_left_to_typer(arguments: tuple[str, ...]) -> None:
    assert parse(list(arguments)) is None


def test_get_imports_nothing_that_is_slow(harbour: Harbour) -> None:
    code = "import sys, longshore.cli.main as m; m.run(['get', 'deployment', 'digits']); print(*sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    loaded = {name.partition(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    slow = {"typer", "rich", "pydantic", "httpx", "temporalio", "ruamel", "http", "email", "dataclasses", "inspect"}
    assert ran.stdout.startswith("NAME")
    assert loaded & slow == set()


def test_one_thing_is_an_object_and_several_are_items(cli: Cli) -> None:
    one = json.loads(cli("get", "deployment", "digits", "-o", "json").out)
    several = json.loads(cli("get", "deployments", "-o", "json").out)

    assert one == deployment()
    assert list(several) == ["items"]
    assert [item["name"] for item in several["items"]] == ["digits", "search", "idle"]


def test_every_format_says_the_same(cli: Cli) -> None:
    as_json: dict[str, Any] = json.loads(cli("get", "deployments", "-o", "json").out)
    as_lines = [json.loads(line) for line in cli("get", "deployments", "-o", "jsonl").out.splitlines()]
    (as_yaml,) = parse_yaml(cli("get", "deployments", "-o", "yaml").out)

    assert as_lines == as_json["items"]
    assert as_yaml.content == as_json
    assert cli("get", "deployments", "-o", "name").out.split() == [
        "deployment/digits",
        "deployment/search",
        "deployment/idle",
    ]


def test_a_table_has_a_line_for_each_and_names_the_next_command(cli: Cli) -> None:
    head, digits, search, idle = cli("get", "deployments").out.splitlines()

    assert " ".join(head.split()) == (
        "NAME TARGET MODEL VERSION REVISION READY TRAFFIC PHASE HEALTH DRIFT REASON MESSAGE"
    )
    assert "1 4/4" in digits
    assert "1 3/3, 2 1/2" in search
    assert "1 75%, 2 25%" in search
    assert search.endswith("longshore rollout watch search")
    assert idle.split()[3] == "-"
    assert "\x1b" not in head + digits + search + idle


def test_all_pages_are_read_and_filters_go_to_the_server(cli: Cli, harbour: Harbour) -> None:
    ran = cli("get", "deployments", "--target", "workstation", "-l", "team=search", "-l", "tier=1", "-o", "name")

    assert len(ran.out.splitlines()) == 3
    assert [asked.query for asked in harbour.asked] == [
        {"limit": ["500"], "target": ["workstation"], "label": ["team=search", "tier=1"]},
        {"limit": ["500"], "target": ["workstation"], "label": ["team=search", "tier=1"], "cursor": ["2"]},
    ]


def test_names_are_kept_within_their_segment_of_the_path(cli: Cli, harbour: Harbour) -> None:
    cli("get", "deployment", "../keys?x=é")

    assert harbour.asked[0].path == "/v1/deployments/..%2Fkeys%3Fx%3D%C3%A9"


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("deployment", "gone"), 1, "there is no /v1/deployments/gone"),
        (("revision", "digits/9"), 1, "there is no revision '9' of digits: longshore get revisions digits lists them"),
        (("copies",), 2, "whose? name the deployment: longshore get copies DEPLOYMENT"),
        (("targets", "--phase", "Paused"), 2, "--phase is for lists of deployments"),
        (
            ("pods",),
            2,
            f"unknown kind 'pods': use one of {', '.join(kind.plural for kind in KINDS)}",
        ),
        (("deployments", "-o", "xml"), 2, "longshore get: invalid value for '--output' / '-o': 'xml' is not one of"),
        ((), 2, "longshore get: missing argument 'KIND': see longshore get --help"),
    ],
)
def test_what_cannot_be_got_is_one_line_on_stderr(cli: Cli, arguments: tuple[str, ...], code: int, line: str) -> None:
    ran = cli("get", *arguments)

    assert (ran.code, ran.out, len(ran.err.splitlines())) == (code, "", 1)
    assert ran.err.startswith(line)


def test_a_missing_and_a_wrong_key_are_told_apart(cli: Cli, harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_API_KEY", "wrong")
    assert cli("get", "targets").err == "the API key is not known\n"

    monkeypatch.delenv("LONGSHORE_API_KEY")
    ran = cli("get", "targets")

    assert ran.code == 1
    assert ran.err.startswith("there is no API key that this user can read: set LONGSHORE_API_KEY")


def test_a_server_that_is_away_is_named_with_the_cure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_API_URL", "http://127.0.0.1:1")

    ran = cli("get", "deployments")

    assert ran.code == 1
    assert ran.err == "no Longshore answers at http://127.0.0.1:1 (connection refused): start it with `longshore up`\n"


def test_a_mistake_of_ours_is_one_line_too_unless_asked_for_more(
    cli: Cli, harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.answers["GET", "/v1/deployments/odd"] = {"name": "odd"}

    ran = cli("get", "deployment", "odd")
    assert ran.code == 1
    assert ran.err == "longshore failed, which it should not (KeyError: 'copies'): LONGSHORE_DEBUG=1 shows where\n"

    monkeypatch.setenv("LONGSHORE_DEBUG", "1")
    with pytest.raises(KeyError):
        run(["get", "deployment", "odd"])


def test_a_reader_that_leaves_early_is_no_error_to_speak_of(harbour: Harbour) -> None:
    # More than any pipe holds, so that the writer is still writing when its reader has left.
    harbour.listed("/v1/deployments", deployment("a", message="x" * 20_000_000))

    # Unbuffered, Python itself passes over the broken pipe.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    with started("get", "deployments", "-o", "json", env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 1


def test_a_refusal_of_the_server_is_its_one_line(cli: Cli, harbour: Harbour) -> None:
    def away(_: Any) -> Any:
        raise Refusal(503, "StoreUnavailable", "the store does not answer: run longshore doctor")

    harbour.answers["GET", "/v1/targets"] = away

    assert cli("get", "targets") == (1, "", "the store does not answer: run longshore doctor\n")
