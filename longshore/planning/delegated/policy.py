"""A rollout policy as the platform's own update takes it (`longshore.spec.delegation` says what cannot be)."""

from typing import Final

from longshore.planning.native import NativePolicy, Portion, Shift
from longshore.planning.operation import OperationOrder
from longshore.planning.words import OperationKind
from longshore.spec.delegation import LONGEST_WAIT_S, MOST_BATCH, is_whole, percentage
from longshore.spec.deployment import RolloutPolicy

SHORTEST_LIMIT_S: Final = 600
LONGEST_LIMIT_S: Final = 28_800
"""Of a whole update: botocore's shape MaximumExecutionTimeoutInSeconds."""
WHOLE: Final = 100
"""Percent of the traffic."""
UPDATES: Final = {OperationKind.ROLLOUT, OperationKind.ROLLBACK}


def is_delegated(order: OperationOrder) -> bool:
    """Whether the platform itself brings the deployment from one version to the other.

    A first version is ours to start: there is nothing yet that could be updated.
    """
    return order.kind in UPDATES and order.old is not None and order.spec.rollout.delegate is not None


def native_policy(policy: RolloutPolicy, copies: int) -> NativePolicy:
    """How the platform is asked to update so many copies.

    A batch of ours has its own deadline; the platform has one limit for all of them, so that is their sum.
    """
    batch = _portion(policy.batch, copies)
    back = batch if policy.rollback_batch is None else _portion(policy.rollback_batch, copies)
    wait = min(LONGEST_WAIT_S, round(policy.bake))
    shift, step = _shift(policy)
    asked = NativePolicy(
        batch=batch,
        rollback_batch=back,
        wait_s=wait,
        limit_s=SHORTEST_LIMIT_S,
        alarms=policy.alarms,
        shift=shift,
        step=step,
        keep_s=0 if shift == "rolling" else min(LONGEST_WAIT_S, round(policy.keep_warm)),
    )
    batches = -(-max(1, copies) // batch.count(copies)) if shift == "rolling" else asked.steps
    limit = batches * (wait + round(policy.deadline)) + asked.keep_s
    return asked.model_copy(update={"limit_s": max(SHORTEST_LIMIT_S, min(LONGEST_LIMIT_S, limit))})


def _shift(policy: RolloutPolicy) -> tuple[Shift, int]:
    """How the traffic comes to the new version, and by which steps."""
    if is_whole(policy):
        return "allAtOnce", 0
    weights = [step.weight for step in policy.steps if step.weight is not None and step.weight < WHOLE]
    if policy.strategy != "canary" or not weights:
        return "rolling", 0
    return ("canary" if len(weights) == 1 else "linear"), weights[0]


def _portion(amount: int | str, copies: int) -> Portion:
    """One copy alone is more than half, which no batch may be; half of it is rounded up to one all the same."""
    if copies <= 1:
        return Portion(percent=MOST_BATCH)
    percent = percentage(amount)
    return Portion(copies=int(amount)) if percent is None else Portion(percent=percent)
