"""A rollout policy as the platform's own update takes it (`longshore.spec.delegation` says what cannot be)."""

from typing import Final

from longshore.planning.native import NativePolicy, Portion
from longshore.planning.operation import OperationOrder
from longshore.planning.words import OperationKind
from longshore.spec.delegation import LONGEST_WAIT_S, MOST_BATCH, percentage
from longshore.spec.deployment import RolloutPolicy

SHORTEST_LIMIT_S: Final = 600
LONGEST_LIMIT_S: Final = 28_800
"""Of a whole update: botocore's shape MaximumExecutionTimeoutInSeconds."""
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
    batches = -(-max(1, copies) // batch.count(copies))
    wait = min(LONGEST_WAIT_S, round(policy.bake))
    limit = batches * (wait + round(policy.deadline))
    return NativePolicy(
        batch=batch,
        rollback_batch=back,
        wait_s=wait,
        limit_s=max(SHORTEST_LIMIT_S, min(LONGEST_LIMIT_S, limit)),
        alarms=policy.alarms,
    )


def _portion(amount: int | str, copies: int) -> Portion:
    """One copy alone is more than half, which no batch may be; half of it is rounded up to one all the same."""
    if copies <= 1:
        return Portion(percent=MOST_BATCH)
    percent = percentage(amount)
    return Portion(copies=int(amount)) if percent is None else Portion(percent=percent)
