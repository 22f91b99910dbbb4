"""What `plan` says of a rehearsal's first apply is what `rehearse` then shows, on the real workflows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REHEARSAL = """\
apiVersion: longshore/v1
kind: Rehearsal
metadata: {{name: planned}}
spec:
  hosts: [{{name: a, accelerators: {accelerators}}}, {{name: b, accelerators: 4}}]
  traffic: {{codegen: {{requestsPerSecond: 50}}}}
  given:
    codegen: {{model: codegen, version: "1", copies: {copies}, rollout: {{bake: 10s, {policy}}}}}
  versions:
    "1": {{startup: 4s}}
    "2": {{startup: 7s, {version}}}
  timeline:
    - {{at: 0s, do: apply, {apply}}}
  until: 3h
"""
ROLLOUT = 'deployment: codegen, version: "2"'
CHECKED = "checks: [{name: errors, metric: error-rate, max: 0.01}]"
ONE = "resources: {accelerators: 1}"

CASES: dict[str, dict[str, Any]] = {
    "rolling, checked": {"policy": f"batch: 2, {CHECKED}"},
    "rolling, without a spare accelerator": {"copies": 8, "accelerators": 4, "policy": "batch: 3, maxUnavailable: 2"},
    "rolling, to copies that take two": {"policy": "batch: 50%", "version": "resources: {accelerators: 2}"},
    "rolling, to more copies": {"policy": "batch: 1", "apply": f"{ROLLOUT}, copies: 6"},
    "canary": {
        "copies": 5,
        "policy": "strategy: canary, steps: [{weight: 10}, {pause: 5m}, {weight: 40, copies: 3}, {weight: 60}]",
    },
    "blue/green, for the versions exclude each other": {"policy": CHECKED, "version": f"{ONE}, sideBySide: false"},
    "onboarding": {"policy": "", "apply": 'deployment: other, model: m, version: "2", copies: 3'},
    "scale": {"policy": "", "apply": "deployment: codegen, copies: 6"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_what_a_rehearsal_shows(case: str, tmp_path: Path) -> None:
    defaults = {"accelerators": 6, "copies": 4, "version": ONE, "apply": ROLLOUT}
    file = tmp_path / "planned.yaml"
    file.write_text(REHEARSAL.format(**{**defaults, **CASES[case]}))

    plan, played = said("plan", file), said("rehearse", file)

    name, events = plan["deployment"], played["events"]
    standing = 4 if name == "other" else 0  # what codegen holds beside it
    shifted = [event["weights"].get("2", 0) for event in events if event["type"] == "TrafficShifted"]
    added = [event["add"] for event in events if event["type"] == "BatchStarted"]
    ended = next(event["at"] for event in events if event["type"] in {"RolloutSucceeded", "Scaled"})
    if plan["operation"] != "scale":
        assert [batch["add"] for batch in plan["batches"]] == added
        assert [batch["weight"] for batch in plan["batches"]] == shifted
    assert plan["fits"]
    assert plan["peakAccelerators"] + standing == played["peakAccelerators"]
    assert plan["lowestReady"] == played["lowestReady"][name]
    assert abs(plan["estimatedSeconds"] - ended) <= 2
    assert played["deployments"][name]["copies"] == {plan["version"]: sum(plan["placement"].values())}


def said(command: str, file: Path) -> dict[str, Any]:
    call = [sys.executable, "-m", "longshore.cli", command, "-f", str(file), "-o", "json"]
    ran = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer
