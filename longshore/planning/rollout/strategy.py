"""Which strategy a rollout takes, and why (DESIGN, rule 7)."""

from typing import Literal, NamedTuple

from longshore.planning.operation import VersionFacts
from longshore.planning.requests import Refusal
from longshore.spec.deployment import RolloutPolicy
from longshore.spec.quantities import format_duration

Taken = Literal["rolling", "canary", "blueGreen"]


class Chosen(NamedTuple):
    """A strategy, and why `auto` picked it."""

    strategy: Taken
    reason: str


def choose(policy: RolloutPolicy, new: VersionFacts, old: VersionFacts | None) -> Chosen | Refusal:
    """The strategy of a rollout from `old` to `new`; refused when the versions exclude each other and it mixes them."""
    alone = _alone(new, old)
    if policy.delegate is not None and old is not None:
        if alone:
            message = f"{alone}, which SageMaker's batches would do: remove delegate, and use blueGreen or auto"
            return Refusal(reason="SideBySide", message=message)
        return Chosen("rolling", f"handed to SageMaker: batches of {policy.batch}, {policy.bake:g} s apart")
    if policy.strategy == "blueGreen":
        return Chosen("blueGreen", "as the policy says")
    if policy.strategy in {"rolling", "canary"}:
        if alone:
            message = f"{alone}, which {policy.strategy} would do: use strategy blueGreen or auto"
            return Refusal(reason="SideBySide", message=message)
        return Chosen("canary" if policy.strategy == "canary" else "rolling", "as the policy says")
    if alone:
        return Chosen("blueGreen", alone)
    if policy.keep_warm > 0:
        return Chosen("blueGreen", f"keepWarm: {format_duration(policy.keep_warm)} keeps the old copies beside the new")
    return Chosen("rolling", "nothing speaks against it")


def _alone(new: VersionFacts, old: VersionFacts | None) -> str | None:
    """Why the two versions must not have traffic together; None when they may."""
    if old is None:
        return None
    which = [facts.version for facts in (old, new) if not facts.side_by_side]
    if not which:
        return None
    return f"version {' and '.join(which)} may not serve side by side with another (sideBySide: false)"
