"""Which strategy a rollout takes, and why (DESIGN, rule 7)."""

from typing import Literal, NamedTuple

from longshore.planning.operation import VersionFacts
from longshore.planning.requests import Refusal
from longshore.spec.delegation import is_whole
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
        return _handed_over(policy, alone)
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


def _handed_over(policy: RolloutPolicy, alone: str | None) -> Chosen | Refusal:
    """Of an update that the platform carries out, by whichever of its own ways is like the one asked for."""
    apart = f"{policy.bake:g} s apart"
    if is_whole(policy):
        return Chosen("blueGreen", "handed to SageMaker: a second fleet, and all traffic at once")
    if alone:
        message = f"{alone}, which SageMaker would do: use strategy blueGreen where it is to be had, or remove delegate"
        return Refusal(reason="SideBySide", message=message)
    if policy.strategy == "canary":
        return Chosen("canary", f"handed to SageMaker: a second fleet, and the traffic in steps, {apart}")
    return Chosen("rolling", f"handed to SageMaker: batches of {policy.batch}, {apart}")


def _alone(new: VersionFacts, old: VersionFacts | None) -> str | None:
    """Why the two versions must not have traffic together; None when they may."""
    if old is None:
        return None
    which = [facts.version for facts in (old, new) if not facts.side_by_side]
    if not which:
        return None
    return f"version {' and '.join(which)} may not serve side by side with another (sideBySide: false)"
