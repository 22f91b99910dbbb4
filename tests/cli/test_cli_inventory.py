"""adopt, import and apply --take: what is asked of the API, and what is shown of its answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from harbour import Asked, Cli, Harbour, Refusal, Reply

from longshore.spec.parsing import parse

COMPONENTS = "/v1/targets/fleet/components"
CHANGED = {"changed": True, "message": "digits/adopt-2 started", "revision": 1, "operation": "digits/adopt-2"}


def component(name: str, **more: Any) -> dict[str, Any]:
    values = {"component": name, "state": "InService", "copies": 2, "ready": 2, "installation": None, "ours": False}
    return {**values, "deployment": None, "version": None, "changed": False, "gone": False, "obstacle": None, **more}


def bodies(harbour: Harbour) -> list[Any]:
    return [asked.body for asked in harbour.asked if asked.method == "POST"]


def test_adopt_asks_for_no_more_than_was_given(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["POST", "/v1/deployments/digits/adopt"] = CHANGED
    ran = cli("adopt", "digits")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1].split(maxsplit=2) == ["deployment/digits", "1", "digits/adopt-2 started"]
    assert cli("adopt", "digits", "--as", "1-patched", "--reason", "hotfix").code == 0
    assert bodies(harbour) == [{}, {"as": "1-patched", "reason": "hotfix"}]


def test_adopt_says_in_one_line_what_would_do(cli: Cli, harbour: Harbour) -> None:
    def refuse(_: Asked) -> Reply:
        raise Refusal(409, "VersionNeeded", "digits: it is not version 1 any more: longshore adopt digits --as VERSION")

    harbour.answers["POST", "/v1/deployments/digits/adopt"] = refuse
    ran = cli("adopt", "digits")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "longshore adopt digits --as VERSION" in ran.err


def test_import_lists_what_serves_with_whose_it_is(cli: Cli, harbour: Harbour) -> None:
    ours = {"ours": True, "deployment": "digits", "version": "1", "changed": True}
    harbour.listed(
        COMPONENTS,
        component("ls-digits-1", **ours),
        component("Theirs", ready=1),
        component("taken", installation="zzzzzzzzzz", obstacle="it is of another Longshore"),
    )
    ran = cli("import", "fleet")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["COMPONENT", "STATE", "READY", "OF", "CHANGED", "OBSTACLE"],
        ["ls-digits-1", "InService", "2/2", "deployment/digits", "1", "yes", "-"],
        ["Theirs", "InService", "1/2", "-", "-", "-"],
        ["taken", "InService", "2/2", *["installation", "zzzzzzzzzz", "-", "it", "is", "of", "another", "Longshore"]],
    ]
    assert cli("import", "fleet", "-o", "name").out.splitlines()[1] == "component/Theirs"


def test_import_of_one_prints_manifests_under_a_name_that_deployments_may_have(cli: Cli, harbour: Harbour) -> None:
    documents = [{"kind": "ModelVersion", "spec": {}}, {"kind": "Deployment", "spec": {"copies": 2}}]

    def manifests(asked: Asked) -> Reply:
        assert asked.query == {"deployment": ["their-model-2"], "model": ["their-model-2"], "version": ["1"]}
        return 200, {"documents": documents}

    harbour.answers["GET", f"{COMPONENTS}/Their_Model-2/manifests"] = manifests
    ran = cli("import", "fleet", "Their_Model-2")
    assert (ran.code, ran.err) == (0, "")
    assert [document.content for document in parse(ran.out)] == documents
    assert json.loads(cli("import", "fleet", "Their_Model-2", "-o", "json").out) == {"items": documents}


def test_import_as_takes_it_over(cli: Cli, harbour: Harbour) -> None:
    harbour.answers["POST", f"{COMPONENTS}/Theirs/import"] = CHANGED
    assert cli("import", "fleet", "Theirs", "--as", "digits").code == 0
    assert cli("import", "fleet", "Theirs", "--as", "digits", "--model", "mnist", "--version", "7").code == 0
    assert bodies(harbour) == [
        {"deployment": "digits", "model": "digits", "version": "1"},
        {"deployment": "digits", "model": "mnist", "version": "7"},
    ]


def test_import_as_of_nothing_is_a_mistake_of_the_command_line(cli: Cli, harbour: Harbour) -> None:
    ran = cli("import", "fleet", "--as", "digits")
    assert ran.code == 2
    assert "longshore import fleet lists what serves there" in ran.err
    assert harbour.asked == []


@pytest.mark.parametrize(("options", "sent"), [((), {}), (("--take",), {"take": True})])
def test_apply_takes_only_when_told_to(
    cli: Cli, harbour: Harbour, tmp_path: Path, options: tuple[str, ...], sent: dict[str, Any]
) -> None:
    file = tmp_path / "target.yaml"
    file.write_text("kind: Target\nmetadata: {name: workstation}\nspec: {backend: local}\n")
    applied = {"kind": "Target", "name": "workstation", "result": "unchanged", "message": "as it is"}
    harbour.answers["POST", "/v1/apply"] = {"items": [{**applied, "revision": None, "operation": None}]}
    assert cli("apply", "-f", str(file), *options).code == 0
    (body,) = bodies(harbour)
    assert {key: value for key, value in body.items() if key == "take"} == sent
