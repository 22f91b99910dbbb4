"""validate, schema, diff and apply: manifests in, what came of them out."""

import io
import json
from pathlib import Path

import pytest
from harbour import Asked, Cli, Harbour, Refusal, Reply

from longshore.spec.schema import json_schema

DEPLOYMENT = """\
kind: Deployment
metadata: {name: digits, labels: {team: search}}
spec: {target: workstation, model: digits, version: "2", copies: 4}
"""
TARGET = """\
kind: Target
metadata: {name: workstation}
spec: {backend: local}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    file = tmp_path / "all.yaml"
    file.write_text(f"{TARGET}---\n{DEPLOYMENT}")
    return str(file)


def item(kind: str, name: str, result: str, message: str = "") -> dict[str, object]:
    return {"kind": kind, "name": name, "result": result, "message": message, "revision": None, "operation": None}


def test_validate_needs_no_server_and_names_what_is_valid(cli: Cli, manifest: str) -> None:
    ran = cli("validate", "-f", manifest)

    assert (ran.code, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["NAME", "FILE", "LINE"],
        ["target/workstation", manifest, "1"],
        ["deployment/digits", manifest, "5"],
    ]


def test_every_mistake_is_a_line_on_stderr_and_bad_input_is_exit_2(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(DEPLOYMENT.replace("copies", "copys") + "---\nkind: Pod\n")

    for verb in ("validate", "diff", "apply"):
        assert cli(verb, "-f", str(file)) == (
            2,
            "",
            (
                f"{file}:3: spec.copys: unknown field `copys`: did you mean `copies`?\n"
                f"{file}:5: kind: unknown kind `Pod`: write one of Target, ModelVersion, Deployment, Freeze\n"
            ),
        )


def test_a_dash_reads_stdin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(TARGET))

    assert cli("validate", "-f", "-", "-o", "name") == (0, "target/workstation\n", "")


def test_schema_prints_the_schema(cli: Cli) -> None:
    assert json.loads(cli("schema").out) == json_schema()


def test_apply_sends_what_was_written_and_says_what_came_of_it(cli: Cli, harbour: Harbour, manifest: str) -> None:
    items = [item("Target", "workstation", "created"), item("Deployment", "digits", "unchanged", "as it is")]
    harbour.answers["POST", "/v1/apply"] = {"items": items, "dryRun": False}

    ran = cli("apply", "-f", manifest)

    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [
        ["target/workstation", "created"],
        ["deployment/digits", "unchanged"],
    ]
    (asked,) = harbour.asked
    assert asked.headers["idempotency-key"]
    assert asked.body == {
        "documents": [
            {"kind": "Target", "metadata": {"name": "workstation"}, "spec": {"backend": "local"}},
            {
                "kind": "Deployment",
                "metadata": {"name": "digits", "labels": {"team": "search"}},
                "spec": {"target": "workstation", "model": "digits", "version": "2", "copies": 4},
            },
        ],
        "sources": [{"file": manifest, "line": 1}, {"file": manifest, "line": 5}],
        "dryRun": False,
    }


def test_what_the_server_finds_wrong_has_its_place_too(cli: Cli, harbour: Harbour, manifest: str) -> None:
    def refuse(_: Asked) -> Reply:
        wrong = {
            "document": 1,
            "file": "m.yaml",
            "line": 5,
            "field": "spec.version",
            "message": "no version 2: apply it",
        }
        raise Refusal(422, "InvalidManifest", "spec.version: no version 2", errors=[wrong])

    harbour.answers["POST", "/v1/apply"] = refuse

    assert cli("apply", "-f", manifest) == (2, "", "m.yaml:5: spec.version: no version 2: apply it\n")


def test_what_was_done_before_a_refusal_is_shown(cli: Cli, harbour: Harbour, manifest: str) -> None:
    def refuse(_: Asked) -> Reply:
        wrong = {"document": 1, "message": "digits: rollout-2 is under way"}
        done = [item("Target", "workstation", "created")]
        raise Refusal(409, "OperationUnderWay", "one was refused", errors=[wrong], items=done)

    harbour.answers["POST", "/v1/apply"] = refuse

    ran = cli("apply", "-f", manifest, "-o", "name")

    assert ran == (1, "target/workstation\n", "digits: rollout-2 is under way\n")


def test_diff_names_each_field_and_exits_6(cli: Cli, harbour: Harbour, manifest: str) -> None:
    items = [item("Target", "workstation", "unchanged"), item("Deployment", "digits", "changed")]
    harbour.answers["POST", "/v1/apply"] = {"items": items, "dryRun": True}
    from longshore.spec.deployment import DeploymentSpec

    stored = DeploymentSpec(target="workstation", model="digits", version="1", copies=4).model_dump(mode="json")
    stored["rollout"]["bake"] = "1m"
    harbour.answers["GET", "/v1/deployments/digits/detail"] = {"labels": {"tier": "1"}, "spec": stored}

    ran = cli("diff", "-f", manifest)
    as_json = json.loads(cli("diff", "-f", manifest, "-o", "json").out)

    assert (ran.code, ran.err) == (6, "")
    assert ran.out == (
        "deployment/digits changed\n"
        '  + labels.team: "search"\n'
        '  - labels.tier: "1"\n'
        '  - spec.version: "1"\n'
        '  + spec.version: "2"\n'
        '  - spec.rollout.bake: "1m"\n'
        '  + spec.rollout.bake: "30s"\n'
    )
    assert harbour.asked[0].body["dryRun"] is True
    assert [len(found["changes"]) for found in as_json["items"]] == [0, 4]


def test_diff_of_what_is_new_is_a_change_and_of_the_same_is_none(cli: Cli, harbour: Harbour, manifest: str) -> None:
    for result, code in (("created", 6), ("unchanged", 0)):
        items = [item("Target", "workstation", "unchanged"), item("Deployment", "digits", result)]
        harbour.answers["POST", "/v1/apply"] = {"items": items, "dryRun": True}

        assert cli("diff", "-f", manifest, "-o", "name").code == code
