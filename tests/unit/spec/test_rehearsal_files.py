"""Rehearsals from files: what cannot be played is said with its place before anything starts."""

import io
from textwrap import indent

import pytest

from longshore.spec.problems import ManifestError
from longshore.spec.rehearsal import Apply, load_rehearsals

HEAD = """\
kind: Rehearsal
metadata: {name: story}
spec:
  hosts: [{name: a, accelerators: 4}]
  given:
    codegen: {model: codegen, version: "1", copies: 4, rollout: {keepWarm: 10m}}
    canary: {model: codegen, version: "1", rollout: {strategy: canary, steps: [{weight: 10}]}}
  timeline:
"""


def _load(*events: str) -> list[str]:
    """What is said of a timeline, without `stdin:`."""
    text = HEAD + indent("".join(f"- {{{event}}}\n" for event in events), "    ")
    try:
        load_rehearsals(["-"], io.StringIO(text))
    except ManifestError as error:
        return [line.removeprefix("stdin:") for line in str(error).splitlines()]
    return []


@pytest.mark.parametrize(
    "event",
    [
        'at: 0s, do: apply, deployment: canary, version: "2", rollout: {steps: [{weight: 20}, {approval: {}}]}',
        'at: 0s, do: apply, deployment: codegen, version: "2", rollout: {strategy: blueGreen}',
        "at: 0s, do: approve, deployment: canary, by: ann, roles: [sre]",
        "at: 0s, do: throttle, every: 0",
    ],
)
def test_what_fits_what_was_there_before_can_be_played(event: str) -> None:
    assert _load(event) == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            "at: 0s, do: apply, deployment: codegen, rollout: {strategy: rolling}",
            "9: spec.timeline[0].rollout: keepWarm belongs to blueGreen: use strategy blueGreen or auto, or remove it",
        ),
        (
            "at: 0s, do: apply, deployment: canary, rollout: {strategy: rolling}",
            "9: spec.timeline[0].rollout: steps belong to canary: use strategy canary, or remove them",
        ),
        (
            "at: 0s, do: apply, deployment: codegen, rollout: {delegate: sagemaker, keepWarm: 0s}",
            (
                "9: spec.timeline[0].rollout.delegate: SageMaker's own updates are not rehearsed: remove it, or try "
                "them on longshore emulate sagemaker"
            ),
        ),
        (
            "at: 0s, do: apply, deployment: canary, rollout: {steps: [{weight: 20}, {weight: 10}]}",
            "9: spec.timeline[0].rollout: the weights of the steps must grow: 20, 10 do not",
        ),
        (
            "at: 0s, do: apply, deployment: codegen, model: other",
            "9: spec.timeline[0].model: codegen serves codegen, and a deployment's model never changes: remove it",
        ),
        (
            'at: 0s, do: apply, deployment: new, version: "1"',
            "9: spec.timeline[0].model: new is not given, so its first apply needs a model: add it",
        ),
        (
            "at: 0s, do: approve, deployment: canary",
            "9: spec.timeline[0].by: this field is required: add it",
        ),
        (
            "at: 0s, do: apply, deployment: codegen, rollout: {checks: [{name: a, source: {cloudwatch: {alarm: x}}}]}",
            (
                "9: spec.timeline[0].rollout.checks[0].source.cloudwatch: there is no CloudWatch in a rehearsal: leave "
                "source out, for the traffic of the rehearsal, or leave the check out"
            ),
        ),
    ],
)
def test_what_cannot_be_is_said_with_its_place_and_cure(event: str, said: str) -> None:
    assert _load(event) == [said]


def test_an_apply_is_judged_by_what_the_applies_before_it_made() -> None:
    later = 'at: 5s, do: apply, deployment: canary, version: "3", rollout: {strategy: rolling}'
    before = 'at: 1s, do: apply, deployment: canary, version: "2", rollout: {steps: []}'

    assert _load(later) != []
    assert _load(later, before) == []


def test_an_apply_changes_only_what_it_says() -> None:
    apply = Apply.model_validate(
        {"at": "0s", "do": "apply", "deployment": "d", "version": "2", "rollout": {"maxUnavailable": 1}}
    )

    desired = apply.on({"model": "m", "version": "1", "copies": 3, "rollout": {"batch": 1, "maxUnavailable": 0}})

    assert desired == {
        "target": "rehearsal",
        "model": "m",
        "version": "2",
        "copies": 3,
        "rollout": {"batch": 1, "maxUnavailable": 1},
    }
