"""Manifests from files: what loads, and what is said of the rest."""

import io
from pathlib import Path

import pytest

from longshore.spec.documents import Deployment, ModelVersion, Target
from longshore.spec.loading import MOST_BYTES, load
from longshore.spec.problems import ManifestError
from longshore.spec.sources import Source

EXAMPLE = Path(__file__).parents[3] / "docs" / "example.yaml"
DEPLOYMENT = """\
kind: Deployment
metadata: {name: digits}
spec:
  target: workstation
  model: digits
  version: "2"
"""
MODEL_VERSION = """\
kind: ModelVersion
metadata: {model: digits, version: "2"}
spec:
  artifact: {uri: "file:///m", digest: "sha256:%s"}
  server:
    command: [serve]
""" % ("0" * 64)
TARGET = """\
kind: Target
metadata: {name: workstation}
spec:
  backend: local
"""


def problems(text: str) -> list[str]:
    """What is said of a manifest on standard input, without `stdin:`."""
    with pytest.raises(ManifestError) as caught:
        load(["-"], stdin=io.StringIO(text))
    return [line.removeprefix("stdin:") for line in str(caught.value).splitlines()]


def test_the_whole_example_of_the_design_loads() -> None:
    target, version, deployment = (item.document for item in load([str(EXAMPLE)]))

    assert isinstance(target, Target)
    assert isinstance(version, ModelVersion)
    assert isinstance(deployment, Deployment)
    assert version.spec.server.smoke is not None
    assert deployment.spec.rollout.bake == 30.0
    assert deployment.spec.rollout.checks[1].max_increase == 0.2
    assert deployment.spec.rollout.checks[2].source == Source(golden="file:///srv/models/digits-golden.jsonl")


ONE_LINE = {
    "an unknown field names the nearest one": (
        DEPLOYMENT + "  copys: 4\n",
        "7: spec.copys: unknown field `copys`: did you mean `copies`?",
    ),
    "an unknown field near none names all": (
        TARGET + "  zone: b\n",
        "5: spec.zone: unknown field `zone`: there are backend, hosts, sagemaker",
    ),
    "an unknown field deep in a list has its own line": (
        DEPLOYMENT + "  rollout:\n    checks:\n      - {name: a, metric: error-rate, max: 1}\n"
        "      - name: b\n        metric: error-rate\n        max: 1\n        fails: 2\n",
        "13: spec.rollout.checks[1].fails: unknown field `fails`: did you mean `failures`?",
    ),
    "case is forgiven in the guess, not in the field": (
        DEPLOYMENT + "  Copies: 4\n",
        "7: spec.Copies: unknown field `Copies`: did you mean `copies`?",
    ),
    "an unknown kind names the nearest one": (
        "kind: Deploymnt\n",
        "1: kind: unknown kind `Deploymnt`: did you mean `Deployment`?",
    ),
    "an unknown apiVersion names the one there is": (
        "apiVersion: longshore/v2\nkind: Target\n",
        "1: apiVersion: 'longshore/v2' is not known here: write longshore/v1",
    ),
    "a missing kind is asked for": (
        "metadata: {name: a}\n",
        "1: kind is missing: write one of Target, ModelVersion, Deployment, Freeze",
    ),
    "a kind that is no text is refused": (
        "kind: [Target]\n",
        "1: kind: a kind is a text: write one of Target, ModelVersion, Deployment, Freeze",
    ),
    "a document that is a list is refused": (
        "- kind: Target\n",
        "1: a document has fields: apiVersion, kind, metadata and spec",
    ),
    "a missing field is reported where it belongs": (
        TARGET.replace("  backend: local", "  hosts: []"),
        "3: spec.backend: this field is required: add it",
    ),
    "a version without quotes is told to take some": (
        DEPLOYMENT.replace('"2"', "2"),
        '6: spec.version: 2 is not a text: write it in quotes, "2"',
    ),
    "a number in quotes is told to lose them": (
        DEPLOYMENT + '  copies: "4"\n',
        "7: spec.copies: '4' is a text: write a whole number without quotes",
    ),
    "a truth value is no number": (
        DEPLOYMENT + "  copies: true\n",
        "7: spec.copies: true is not a whole number",
    ),
    "yes is a text, as YAML 1.2 has it": (
        DEPLOYMENT + "  idempotent: yes\n",
        "7: spec.idempotent: 'yes' is neither true nor false: write one of them, without quotes",
    ),
    "a number out of range hears the range": (
        DEPLOYMENT + "  copies: -1\n",
        "7: spec.copies: -1 is out of range: it must be at least 0",
    ),
    "a list where fields belong": (
        DEPLOYMENT + "  rollout: []\n",
        "7: spec.rollout: a list stands where fields are expected",
    ),
    "fields where a list belongs": (
        TARGET + "  hosts: {a: 1}\n",
        "5: spec.hosts: a mapping is not a list: begin each item with a dash",
    ),
    "a wrong choice hears the choices": (
        TARGET.replace("local", "locl"),
        "4: spec.backend: 'locl' is not one of them: write 'local', 'sagemaker' or 'simulated'",
    ),
    "a wrong duration sees how one is written": (
        DEPLOYMENT + "  rollout: {bake: 30 seconds}\n",
        "7: spec.rollout.bake: '30 seconds' is not a duration: write 30s, 5m, 1h30m or 250ms",
    ),
    "a duration has an end": (
        DEPLOYMENT + "  rollout: {bake: 4000d}\n",
        "7: spec.rollout.bake: a duration is neither negative nor longer than ten years",
    ),
    "a wrong name hears what a name is": (
        TARGET.replace("workstation", "Work"),
        (
            "2: metadata.name: 'Work' does not fit: a name has lower case letters, digits and dashes, begins and ends "
            "without a dash, and is at most 63 long"
        ),
    ),
    "a wrong digest hears what a digest is": (
        MODEL_VERSION.replace("sha256:", "sha1:"),
        (
            f"4: spec.artifact.digest: 'sha1:{'0' * 50}…' does not fit: a digest is sha256: and 64 hexadecimal digits, "
            "as sha256sum prints them"
        ),
    ),
    "a union's members make one line": (
        MODEL_VERSION + "    port: any\n",
        "7: spec.server.port: 'any' is not one of them: write 'auto', or 'any' is not a whole number",
    ),
    "a check without a condition": (
        DEPLOYMENT + "  rollout:\n    checks:\n      - {name: a, metric: error-rate}\n",
        "9: spec.rollout.checks[0]: a check needs max, min, or compare: baseline with maxIncrease",
    ),
    "two checks of one name": (
        DEPLOYMENT
        + "  rollout:\n    checks: [{name: a, metric: error-rate, max: 1}, {name: a, metric: accuracy, min: 1,"
        " source: {golden: 'file:///g'}}]\n",
        "7: spec.rollout: two checks are named 'a': give each its own name",
    ),
    "warm copies belong to blue/green": (
        DEPLOYMENT + "  rollout: {strategy: canary, keepWarm: 5m}\n",
        "7: spec.rollout: keepWarm belongs to blueGreen: use strategy blueGreen or auto, or remove it",
    ),
    "steps belong to a canary": (
        DEPLOYMENT + "  rollout: {steps: [{weight: 10}]}\n",
        "7: spec.rollout: steps belong to canary: use strategy canary, or remove them",
    ),
    "a step is one thing": (
        DEPLOYMENT + "  rollout: {strategy: canary, steps: [{weight: 10, pause: 5m}]}\n",
        "7: spec.rollout.steps[0]: a step is one of weight, pause and approval: give each its own step",
    ),
    "the weights of a canary grow": (
        DEPLOYMENT + "  rollout: {strategy: canary, steps: [{weight: 50}, {weight: 10}]}\n",
        "7: spec.rollout: the weights of the steps must grow: 50, 10 do not",
    ),
}

NOT_IN_THIS_RELEASE = {
    "other sources of checks": (
        DEPLOYMENT + "  rollout:\n    checks: [{name: a, metric: error-rate, max: 1, source: {prometheus: {}}}]\n",
        (
            "8: spec.rollout.checks[0].source: prometheus is not in this release of Longshore: use the traffic plane "
            "(leave it out), golden or cloudwatch"
        ),
    ),
    "Kubernetes": (
        TARGET.replace("local", "kubernetes"),
        "4: spec.backend: kubernetes is not in this release of Longshore: use local or sagemaker",
    ),
    "rehearsals": (
        "kind: Rehearsal\nmetadata: {name: a}\n",
        "1: kind: a Rehearsal is not applied: longshore rehearse -f FILE plays it",
    ),
}

TEXT_THAT_IS_NOT_READ = {
    "a broken quote": ("kind: 'Target\n", "1: this is not YAML: while scanning a quoted scalar found unexpected end"),
    "a tab as indentation": ("kind: Target\nspec:\n\tbackend: a\n", "3: this is not YAML: while scanning for the next"),
    "a control character": ("kind: \x07\n", "1: this is not YAML: unacceptable character #x0007"),
    "an alias to nothing": ("kind: *a\n", "1: this is not YAML: found undefined alias 'a'"),
    "a field twice": ("kind: Target\nspec: {}\nkind: Target\n", "3: kind: given twice: already on line 1"),
    "a merge key": ("<<: {kind: Target}\n", "1: merge keys (<<) are not read: write the fields out"),
    "a Python object": ("kind: !!python/name:os.system x\n", "1: kind: the tag !!python/name:os.system is not read"),
    "an own tag": ("kind: !secret x\n", "1: kind: the tag !secret is not read: remove it"),
    "a tag on a field name": ("!!python/name:os x: 1\n", "1: the tag !!python/name:os is not read: remove it"),
    "a field name that is a list": ("? [a]\n: b\n", "1: a field name must be a text"),
    "a number that is none": ("spec: .nan\n", "1: spec: .nan is not a number: write a finite one"),
    "a number without end": (
        f"spec: {'9' * 5000}\n",
        "1: spec: '9999999999999999999999999999999999999999' is no !!int",
    ),
    "a tag that lies": ("spec: !!int many\n", "1: spec: 'many' is no !!int"),
    "an endless nest": ("[" * 1000, "1: nested too deep: 32 levels are the most"),
    "a nest that holds itself": ("spec: &a [*a]\n", "1: spec[0][0]: nested too deep: 32 levels are the most"),
}


@pytest.mark.parametrize(("text", "line"), ONE_LINE.values(), ids=ONE_LINE)
def test_a_mistake_is_one_line_with_place_and_cure(text: str, line: str) -> None:
    assert problems(text) == [line]


@pytest.mark.parametrize(("text", "line"), NOT_IN_THIS_RELEASE.values(), ids=NOT_IN_THIS_RELEASE)
def test_what_this_release_lacks_is_said_in_one_line(text: str, line: str) -> None:
    assert problems(text) == [line]


@pytest.mark.parametrize(("text", "beginning"), TEXT_THAT_IS_NOT_READ.values(), ids=TEXT_THAT_IS_NOT_READ)
def test_text_beyond_plain_yaml_is_refused_with_its_line(text: str, beginning: str) -> None:
    (line,) = problems(text)

    assert line.startswith(beginning)


def test_aliases_cannot_expand_without_bound() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for outer, inner in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{outer}: &{outer} [{', '.join([f'*{inner}'] * 10)}]\n"

    (line,) = problems(bomb)

    assert "more than 100000 values: split the file, or use fewer aliases" in line


def test_aliases_are_fine_in_moderation() -> None:
    text = TARGET + "  hosts: [&h {name: a, accelerators: 1}]\n---\n" + DEPLOYMENT

    assert len(load(["-"], stdin=io.StringIO(text))) == 2


def test_every_problem_of_every_document_is_told_at_once() -> None:
    text = (
        TARGET.replace("local", "gpu") + "---\n" + DEPLOYMENT + "  copys: 1\n  bake: 1s\n---\nkind: Pod\n---\na: 'b\n"
    )

    assert [line.split(": ")[:2] for line in problems(text)] == [
        ["4", "spec.backend"],
        ["12", "spec.copys"],
        ["13", "spec.bake"],
        ["15", "kind"],
        ["17", "this is not YAML"],
    ]


def test_the_same_document_twice_is_refused_across_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("# a comment\n" + TARGET)
    second.write_text(DEPLOYMENT + "---\n" + TARGET)

    with pytest.raises(ManifestError) as caught:
        load([str(first), str(second)])

    assert str(caught.value) == f"{second}:8: Target workstation is already given at {first}:2: remove one"


def test_versions_of_one_model_are_different_documents() -> None:
    text = MODEL_VERSION + "---\n" + MODEL_VERSION.replace('"2"', '"3"')

    assert len(load(["-"], stdin=io.StringIO(text))) == 2


def test_a_folder_gives_its_manifests_by_name_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(DEPLOYMENT)
    (tmp_path / "a.yaml").write_text(TARGET)
    (tmp_path / "c.json").write_text(
        '{\n\t"kind": "Target",\n\t"metadata": {"name": "j"}, "spec": {"backend": "local"}\n}'
    )
    (tmp_path / "notes.txt").write_text("not: [a manifest")
    (tmp_path / ".b.yaml").write_text("an editor's: [leftover")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.yaml").write_text("not: [read")

    loaded = load([str(tmp_path)])

    assert [Path(item.source).name for item in loaded] == ["a.yaml", "b.yml", "c.json"]
    assert loaded[2].content == {"kind": "Target", "metadata": {"name": "j"}, "spec": {"backend": "local"}}


def test_empty_documents_are_passed_over_and_lines_still_count() -> None:
    loaded = load(["-"], stdin=io.StringIO(f"---\n---\n# nothing\n---\n{TARGET}---\n"))

    assert [(item.source, item.line) for item in loaded] == [("stdin", 5)]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + TARGET.replace("\n", "\r\n").encode())

    assert load([str(file)])[0].document.kind == "Target"


def test_files_that_cannot_be_read_are_told_in_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"kind: T\xe4rget")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.yaml").write_text("# nothing\n")

    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path / name) for name in ("gone.yaml", "latin.yaml", "large.yaml", "empty")])
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems] == [
        "gone.yaml: there is no such file: check the path",
        "latin.yaml: it is not UTF-8 at byte 7: save it as UTF-8",
        "large.yaml: it is larger than 2 MiB: split it",
        "empty: there is no manifest in this folder: give it .yaml, .yml, .json files",
    ]

    with pytest.raises(ManifestError, match="there is no document in it: give a manifest"):
        load([str(tmp_path / "nothing.yaml")])
