"""Which strategy a rollout takes, and why (rule 7)."""

import pytest

from longshore.planning.operation import VersionFacts
from longshore.planning.requests import Refusal
from longshore.planning.rollout.strategy import choose
from longshore.spec.deployment import RolloutPolicy
from longshore.spec.model_version import Resources


def version(name: str, *, side_by_side: bool = True) -> VersionFacts:
    return VersionFacts(version=name, resources=Resources(accelerators=1), side_by_side=side_by_side)


BOTH = (version("2"), version("1"))
NEW_ALONE = (version("2", side_by_side=False), version("1"))
OLD_ALONE = (version("2"), version("1", side_by_side=False))
FIRST = (version("2", side_by_side=False), None)


@pytest.mark.parametrize(
    ("policy", "versions", "strategy", "says"),
    [
        ({}, BOTH, "rolling", "nothing speaks against it"),
        ({"keepWarm": "10m"}, BOTH, "blueGreen", "keepWarm: 10m"),
        ({}, NEW_ALONE, "blueGreen", "version 2 may not serve side by side"),
        ({}, OLD_ALONE, "blueGreen", "version 1 may not serve side by side"),
        ({"strategy": "blueGreen"}, BOTH, "blueGreen", "as the policy says"),
        ({"strategy": "canary"}, BOTH, "canary", "as the policy says"),
        ({"strategy": "rolling"}, BOTH, "rolling", "as the policy says"),
        ({}, FIRST, "rolling", "nothing speaks against it"),
        ({"delegate": "sagemaker"}, BOTH, "rolling", "handed to SageMaker: batches of 25%, 30 s apart"),
        ({"delegate": "sagemaker", "strategy": "blueGreen"}, NEW_ALONE, "blueGreen", "all traffic at once"),
        (
            {"delegate": "sagemaker", "strategy": "canary", "steps": [{"weight": 10}]},
            BOTH,
            "canary",
            "the traffic in steps",
        ),
    ],
    ids=[
        "auto is rolling",
        "unless the old copies are to be kept warm",
        "or the new version may not serve beside the old",
        "or the old beside the new",
        "blue/green when it is asked for",
        "a canary when it is asked for",
        "rolling when it is asked for",
        "the first version has nothing beside it",
        "SageMaker's own batches",
        "SageMaker's own blue/green",
        "SageMaker's own canary",
    ],
)
def test_the_strategy_and_why(
    policy: dict[str, object], versions: tuple[VersionFacts, VersionFacts | None], strategy: str, says: str
) -> None:
    chosen = choose(RolloutPolicy.model_validate(policy), *versions)
    assert not isinstance(chosen, Refusal)
    assert chosen.strategy == strategy
    assert says in chosen.reason


@pytest.mark.parametrize("strategy", ["rolling", "canary"])
@pytest.mark.parametrize("versions", [NEW_ALONE, OLD_ALONE], ids=["the new one alone", "the old one alone"])
def test_what_would_mix_versions_that_exclude_each_other_is_refused(
    strategy: str, versions: tuple[VersionFacts, VersionFacts]
) -> None:
    refusal = choose(RolloutPolicy.model_validate({"strategy": strategy}), *versions)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "SideBySide"
    assert "use strategy blueGreen or auto" in refusal.message


def test_sagemaker_mixes_versions_too() -> None:
    refusal = choose(RolloutPolicy.model_validate({"delegate": "sagemaker"}), *NEW_ALONE)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, "remove delegate" in refusal.message) == ("SideBySide", True)
