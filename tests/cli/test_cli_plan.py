"""plan: what applying would do, from the server or from a rehearsal alone."""

import json
from pathlib import Path

import pytest
from harbour import Asked, Cli, Harbour, Refusal, Reply

DEPLOYMENT = """\
kind: Deployment
metadata: {name: digits}
spec: {target: workstation, model: digits, version: "2", copies: 2}
"""
REHEARSAL = """\
kind: Rehearsal
metadata: {name: four}
spec:
  hosts: [{name: a, accelerators: 4}]
  given:
    codegen: {model: codegen, version: "1", copies: 4, rollout: {batch: 2, bake: 10s, maxUnavailable: 1}}
  versions: {"2": {startup: 20s}}
  timeline:
    - {at: 0s, do: apply, deployment: codegen, version: "2"}
"""
PLAN = {
    "deployment": "digits",
    "changed": True,
    "operation": "rollout",
    "version": "2",
    "strategy": "rolling",
    "reason": "nothing speaks against it",
    "batches": [{"add": 1, "remove": 1, "weight": 50}, {"add": 1, "remove": 1, "weight": 100}],
    "peakAccelerators": 3,
    "extraAccelerators": 1,
    "lowestReady": 2,
    "dip": 0,
    "fits": True,
    "unplaced": 0,
    "frozen": None,
    "placement": {"a": 2},
    "extraAcceleratorSeconds": 90.0,
    "estimatedSeconds": 90.0,
}


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    return written(tmp_path, DEPLOYMENT)


def written(folder: Path, text: str) -> str:
    file = folder / "plan.yaml"
    file.write_text(text)
    return str(file)


COST = {
    "before": 14.18,
    "peak": 21.27,
    "after": 14.18,
    "currency": "USD",
    "priced": "2026-10-05",
    "source": "AWS Price List",
}


def test_rented_instances_are_told_with_their_cost(cli: Cli, harbour: Harbour, manifest: str) -> None:
    instances = {"type": "ml.g5.12xlarge", "before": 2, "peak": 3, "after": 2}
    rented = PLAN | {"instances": instances, "costPerHour": COST, "extraCost": 0.1773, "unpriced": None}
    unpriced = rented | {"costPerHour": None, "extraCost": None, "unpriced": "no price of it is known"}
    unhurried = rented | {"extraCost": None}
    harbour.answers["POST", "/v1/plan"] = {"items": [rented, unpriced, unhurried]}

    told = cli("plan", "-f", manifest).out

    rates = "  costs        14.18 USD an hour now, 21.27 at most, 14.18 after"
    assert "  instances    2 of ml.g5.12xlarge now, 3 at most, 2 after\n" in told
    assert f"{rates}; 0.18 USD more than now until it is over (prices of 2026-10-05)\n" in told
    assert f"{rates} (prices of 2026-10-05)\n" in told
    assert "  costs        not known: no price of it is known\n" in told


def test_a_plan_is_drawn_for_people(cli: Cli, harbour: Harbour, manifest: str) -> None:
    harbour.answers["POST", "/v1/plan"] = {"items": [PLAN]}

    assert cli("plan", "-f", manifest) == (
        0,
        (
            "deployment/digits: rollout to version 2, rolling (nothing speaks against it)\n"
            "\n"
            "  BATCH   ADD   REMOVE   TRAFFIC\n"
            "  1       +1    -1        50%  ██████████\n"
            "  2       +1    -1       100%  ████████████████████\n"
            "\n"
            "  accelerators 3 at most, 1 more than now\n"
            "  ready        2 copies at least\n"
            "  fits         yes; in the end a 2\n"
            "  takes        1m30s, and 1m30s of accelerator time more than now\n"
        ),
        "",
    )
    assert harbour.asked[0].body["documents"][0]["metadata"] == {"name": "digits"}
    assert harbour.asked[0].body["sources"] == [{"file": manifest, "line": 1}]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"fits": False, "unplaced": 1, "reason": "no room"}, "fits         no, 1 copy finds no host: no room"),
        ({"fits": False, "unplaced": 2, "reason": "no room"}, "fits         no, 2 copies find no host: no room"),
        ({"fits": False, "reason": "it is not known"}, "fits         no: it is not known"),
        ({"fits": False}, "takes        1m30s once there is room, and 1m30s of accelerator time more than now"),
        ({"frozen": "held by weekend until Monday"}, "frozen       held by weekend until Monday"),
        ({"lowestReady": 1, "dip": 1}, "ready        1 copy at least, 1 fewer than now"),
        ({"estimatedSeconds": None}, "takes        not known: the version was never seen to start there"),
    ],
)
def test_what_a_person_must_know_is_a_line(
    cli: Cli, harbour: Harbour, manifest: str, changes: dict[str, object], line: str
) -> None:
    harbour.answers["POST", "/v1/plan"] = {"items": [{**PLAN, **changes}]}

    assert f"  {line}" in cli("plan", "-f", manifest).out.splitlines()


def test_one_deployment_is_an_object_and_several_are_items(cli: Cli, harbour: Harbour, manifest: str) -> None:
    harbour.answers["POST", "/v1/plan"] = {"items": [PLAN]}
    assert json.loads(cli("plan", "-f", manifest, "-o", "json").out) == PLAN

    harbour.answers["POST", "/v1/plan"] = {"items": [PLAN, {**PLAN, "deployment": "other"}]}
    several = json.loads(cli("plan", "-f", manifest, "-o", "json").out)
    assert [one["deployment"] for one in several["items"]] == ["digits", "other"]
    assert cli("plan", "-f", manifest, "-o", "name").out == "deployment/digits\ndeployment/other\n"


@pytest.mark.parametrize(("changed", "code"), [(True, 6), (False, 0)])
def test_the_exit_code_tells_of_changes_when_asked(
    cli: Cli, harbour: Harbour, manifest: str, *, changed: bool, code: int
) -> None:
    harbour.answers["POST", "/v1/plan"] = {"items": [{**PLAN, "changed": changed}]}

    assert cli("plan", "-f", manifest, "--exit-code").code == code
    assert cli("plan", "-f", manifest).code == 0


def test_the_plans_of_others_are_shown_beside_a_refusal(cli: Cli, harbour: Harbour, manifest: str) -> None:
    def refuse(_: Asked) -> Reply:
        raise Refusal(409, "SideBySide", "one was refused", errors=[{"message": "other: use blueGreen"}], items=[PLAN])

    harbour.answers["POST", "/v1/plan"] = refuse

    ran = cli("plan", "-f", manifest)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("deployment/digits: rollout to version 2")
    assert ran.err.endswith("\nother: use blueGreen\n")


def test_a_rehearsal_is_planned_without_a_server(cli: Cli, harbour: Harbour, tmp_path: Path) -> None:
    ran = cli("plan", "-f", written(tmp_path, REHEARSAL), "-o", "json")

    assert (ran.code, ran.err, harbour.asked) == (0, "", [])
    plan = json.loads(ran.out)
    assert plan["batches"] == [{"add": 1, "remove": 1, "weight": weight} for weight in (25, 50, 75, 100)]
    assert (plan["peakAccelerators"], plan["lowestReady"], plan["dip"], plan["fits"]) == (4, 3, 1, True)
    assert plan["estimatedSeconds"] == 120.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            REHEARSAL + "---\n" + DEPLOYMENT,
            "a Rehearsal is planned alone: give one at a time, and no manifests with it",
        ),
        (REHEARSAL.replace("do: apply", "do: undo").replace(', version: "2"}\n', "}\n"), "there is no apply in its"),
        (REHEARSAL.replace("accelerators: 4", "accelerators: 3"), "given codegen: 3 of 4 copies of version 1 fit"),
        (
            REHEARSAL.replace('"2"}\n', '"2", rollout: {steps: [{weight: 5}]}}\n'),
            "steps belong to canary: use strategy canary",
        ),
        ("kind: Target\nmetadata: {name: workstation}\nspec: {backend: local}\n", "there is no Deployment among"),
    ],
)
def test_what_cannot_be_planned_is_a_line_and_exit_2(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    ran = cli("plan", "-f", written(tmp_path, text))

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
