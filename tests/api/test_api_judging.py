"""What applying documents would do, judged without a store: tables of sentences, and what holds for all."""

from typing import Any

import pytest
from api_world import NOW, TARGET, deployment, version
from hypothesis import given
from hypothesis import strategies as st

from longshore.api.delegating import with_implied
from longshore.api.judging import Judgement, Stored, differences, judge, read, targets_of
from longshore.api.requests import ApplyBody
from longshore.spec.checking import check
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.documents import Deployment, ModelVersion, Target
from longshore.store.records import DeploymentRow

Contents = list[dict[str, Any]]


def stored(*contents: dict[str, Any], **row: Any) -> Stored:
    """A store that holds these documents; `row` is what its deployments have besides."""
    documents = [check(content) for content in contents]
    return Stored(
        targets={one.metadata.name: one.spec for one in documents if isinstance(one, Target)},
        versions={
            (one.metadata.model, one.metadata.version): one.spec for one in documents if isinstance(one, ModelVersion)
        },
        deployments={
            one.metadata.name: DeploymentRow.model_validate(
                {
                    "name": one.metadata.name,
                    "target": one.spec.target,
                    "model": one.spec.model,
                    "labels": one.metadata.labels,
                    "spec": one.spec,
                    "sequence": 1,
                    "updated_at": NOW,
                }
                | row
            )
            for one in documents
            if isinstance(one, Deployment)
        },
    )


def judged(contents: Contents, before: Stored) -> Judgement:
    documents, problems = read(ApplyBody(documents=contents))
    assert problems == []
    return judge(documents, before)


REGISTERED: Contents = [TARGET, version("1"), version("2")]
HOSTS = {"backend": "local", "hosts": [{"name": "a", "accelerators": 8}]}

TABLE: list[tuple[str, Contents, Stored, list[tuple[str, str]]]] = [
    (
        "into an empty store everything is new",
        [deployment(), *REGISTERED],
        stored(),
        [("created", "onboards digits 1"), ("created", "new"), ("created", "new"), ("created", "new")],
    ),
    (
        "what is there already is unchanged",
        [*REGISTERED, deployment()],
        stored(*REGISTERED, deployment()),
        [("unchanged", "as it is")] * 4,
    ),
    (
        "what is written out of the defaults is no change",
        [deployment(rollout={"bake": 30, "deadline": "600s"})],
        stored(*REGISTERED, deployment(rollout={})),
        [("unchanged", "as it is")],
    ),
    (
        "another host of a target is a change that is named",
        [TARGET | {"spec": HOSTS}],
        stored(TARGET),
        [("changed", "spec.hosts[0].name nothing → a, spec.hosts[0].accelerators nothing → 8")],
    ),
    (
        "another version and other copies are named",
        [deployment(label="2", copies=5)],
        stored(*REGISTERED, deployment(copies=4)),
        [("changed", "spec.version 1 → 2, spec.copies 4 → 5")],
    ),
    (
        "another label is a change",
        [deployment() | {"metadata": {"name": "digits", "labels": {"team": "ads"}}}],
        stored(*REGISTERED, deployment()),
        [("changed", "metadata.labels.team nothing → ads")],
    ),
    (
        "the version that is on its way in is no change",
        [deployment(label="2")],
        stored(*REGISTERED, deployment(), rollout_to={"revision": 2, "version": "2"}),
        [("unchanged", "as it is")],
    ),
    (
        "a retired deployment is onboarded again, even on another target",
        [deployment(target="spare"), TARGET | {"metadata": {"name": "spare"}}],
        stored(*REGISTERED, deployment(), retired=True),
        [("created", "onboards"), ("created", "new")],
    ),
]


@pytest.mark.parametrize(("contents", "before", "said"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_verdicts(contents: Contents, before: Stored, said: list[tuple[str, str]]) -> None:
    judgement = judged(contents, before)
    assert (judgement.invalid, judgement.conflicts) == ([], [])
    verdicts = [judgement.verdicts[index] for index in range(len(contents))]
    assert [verdict.result for verdict in verdicts] == [result for result, _ in said]
    for verdict, (_, words) in zip(verdicts, said, strict=True):
        assert words in verdict.message


CONFLICTS: list[tuple[str, Contents, Stored, str]] = [
    ("a target keeps its backend", [TARGET | {"spec": {"backend": "simulated"}}], stored(TARGET), "spec.backend"),
    ("a version keeps its artifact", [version("1", "b")], stored(version("1")), "spec.artifact.digest"),
    (
        "a deployment keeps its model",
        [deployment(model="other"), version("1") | {"metadata": {"model": "other", "version": "1"}}],
        stored(*REGISTERED, deployment()),
        "spec.model",
    ),
]


@pytest.mark.parametrize(("contents", "before", "field"), [row[1:] for row in CONFLICTS], ids=[r[0] for r in CONFLICTS])
def test_conflicts(contents: Contents, before: Stored, field: str) -> None:
    (problem,) = judged(contents, before).conflicts
    assert (problem.document, problem.field) == (0, field)


def test_an_unknown_version_is_answered_with_those_there_are() -> None:
    (problem,) = judged([deployment(label="7")], stored(*REGISTERED)).invalid
    assert problem.message == "there is no version 7 of model digits: registered are 1, 2"


SAGEMAKER = TARGET | {
    "spec": {"backend": "sagemaker", "sagemaker": {"region": "eu-central-1", "endpoint": "fleet"}},
}
CLASSIC = TARGET | {
    "spec": {
        "backend": "sagemaker",
        "sagemaker": {
            "region": "eu-central-1",
            "instances": {"type": "ml.g5.xlarge"},
            "executionRole": "arn:aws:iam::123456789012:role/serve",
        },
    },
}
OWN = {"namespace": "Mine", "metric": "Depth", "statistic": "Sum"}
ERRORS = {"name": "c", "metric": "error-rate", "max": 1}

ELSEWHERE: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a component on SageMaker", SAGEMAKER, ERRORS | {"source": {"cloudwatch": {}}}, []),
    ("a component on no SageMaker", TARGET, ERRORS | {"source": {"cloudwatch": {"region": "eu-central-1"}}}, [""]),
    ("an alarm on SageMaker", SAGEMAKER, {"name": "c", "source": {"cloudwatch": {"alarm": "a"}}}, []),
    ("an alarm of no region", TARGET, {"name": "c", "source": {"cloudwatch": {"alarm": "a"}}}, [".region"]),
    (
        "a metric of some region",
        TARGET,
        {"name": "c", "max": 1, "source": {"cloudwatch": {**OWN, "region": "eu-central-1"}}},
        [],
    ),
    (
        "a component's dimension on no SageMaker",
        TARGET,
        {
            "name": "c",
            "max": 1,
            "source": {"cloudwatch": {**OWN, "region": "eu-central-1", "dimensions": {"Model": "$(COMPONENT)"}}},
        },
        [".dimensions"],
    ),
    ("the endpoint of a deployment", CLASSIC, ERRORS | {"source": {"cloudwatch": {}}}, []),
    (
        "a baseline on the same endpoint",
        CLASSIC,
        {"name": "c", "metric": "error-rate", "compare": "baseline", "maxIncrease": 1, "source": {"cloudwatch": {}}},
        [""],
    ),
    (
        "copies that are instances",
        CLASSIC,
        {"name": "c", "metric": "gpu-utilization", "max": 1, "source": {"cloudwatch": {}}},
        [""],
    ),
]


@pytest.mark.parametrize(
    ("target", "asked", "fields"), [row[1:] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE]
)
def test_a_check_is_measured_where_its_target_is(
    target: dict[str, Any], asked: dict[str, Any], fields: list[str]
) -> None:
    judgement = judged([deployment(rollout={"checks": [asked]}), target], stored(*REGISTERED[1:]))
    found = [one.field for one in judgement.invalid if one.field and ".checks[" in one.field]
    assert found == [f"spec.rollout.checks[0].source.cloudwatch{field}" for field in fields]


def test_an_update_is_handed_only_to_a_platform_that_has_its_own() -> None:
    judgement = judged([deployment(rollout={"delegate": "sagemaker"})], stored(*REGISTERED))
    assert "spec.rollout.delegate" in [one.field for one in judgement.invalid]


SHIFTS: list[tuple[dict[str, Any], bool, str | None]] = [
    ({"strategy": "canary", "steps": [{"weight": 10}]}, True, None),
    ({"strategy": "blueGreen", "keepWarm": "5m"}, True, None),
    ({"strategy": "canary", "steps": [{"weight": 10}, {"pause": {}}]}, True, "pauses and approvals"),
    ({"batch": 3}, True, "5% to 50%"),
    ({"strategy": "blueGreen", "delegate": "sagemaker"}, False, "strategy blueGreen does not go with delegate here"),
    ({"delegate": "sagemaker"}, False, None),
]


@pytest.mark.parametrize(("rollout", "classic", "told"), SHIFTS)
def test_what_goes_without_saying_on_a_target_is_judged_as_if_it_were_written(
    rollout: dict[str, Any],
    classic: bool,  # noqa: FBT001 - a column of the table
    told: str | None,
) -> None:
    shared = {**CLASSIC, "spec": {**CLASSIC["spec"], "sagemaker": {"region": "eu-central-1", "endpoint": "fleet"}}}
    documents, problems = read(
        ApplyBody(documents=[deployment(copies=4, rollout=rollout), CLASSIC if classic else shared])
    )
    assert problems == []
    before = stored(*REGISTERED[1:])
    implied = with_implied(documents, targets_of(documents, before))
    found = [one.message for one in judge(implied, before).invalid if one.field == "spec.rollout"]
    assert [told in message for message in found if told] == [True] * bool(told)
    assert bool(found) is bool(told)
    spec = next(one.document.spec for one in implied if one.kind == "Deployment")
    assert isinstance(spec, DeploymentSpec)
    assert spec.rollout.delegate == "sagemaker"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (TARGET, "is local, and its copies are not scaled by a policy: remove scaling"),
        (CLASSIC, "has an endpoint for each deployment, and its copies are not scaled by a policy: remove scaling"),
    ],
    ids=["local", "classic"],
)
def test_a_scaling_policy_is_refused_where_nothing_could_carry_it_out(target: dict[str, Any], why: str) -> None:
    made = deployment()
    name = target["metadata"]["name"]
    made["spec"] |= {"target": name, "scaling": {"min": 1, "max": 4, "goal": 5}}
    documents, _ = read(ApplyBody(documents=[made], sources=[{"file": "fleet.yaml", "line": 7}]))

    found = [one for one in judge(documents, stored(*REGISTERED, target)).invalid if one.field == "spec.scaling"]

    assert [(one.file, one.line, one.message) for one in found] == [("fleet.yaml", 7, f"target {name} {why}")]


def test_a_version_that_its_target_cannot_serve_is_refused_with_the_field_and_the_cure() -> None:
    judgement = judged([deployment(), CLASSIC], stored(*REGISTERED[1:]))
    (problem,) = [one for one in judgement.invalid if one.field == "spec.version"]
    assert problem.message.startswith("version 1 of digits cannot be served on ")
    assert "(spec.artifact.uri)" in problem.message


def test_two_documents_of_one_name_are_a_problem_of_the_second() -> None:
    _, (problem,) = read(ApplyBody(documents=[deployment(), deployment(copies=2)]))
    assert (problem.document, "already given as document 0" in problem.message) == (1, True)


def test_sources_are_as_many_as_documents() -> None:
    documents, (problem,) = read(ApplyBody(documents=[TARGET], sources=[]))
    assert (documents, problem.field) == ([], "sources")


COPIES = st.integers(0, 50)
ROLLOUTS = st.fixed_dictionaries(
    {}, optional={"bake": st.integers(0, 90), "batch": st.sampled_from([1, "25%", "10%"]), "maxUnavailable": COPIES}
)
DEPLOYMENTS = st.builds(lambda copies, rollout: deployment(copies=copies, rollout=rollout), COPIES, ROLLOUTS)


@given(DEPLOYMENTS, DEPLOYMENTS)
def test_a_document_is_unchanged_exactly_when_nothing_differs(old: dict[str, Any], new: dict[str, Any]) -> None:
    judgement = judged([new], stored(*REGISTERED, old))
    differ = differences(check(old), check(new))
    assert (judgement.verdicts[0].result == "unchanged") == (differ == []) == (check(old) == check(new))
