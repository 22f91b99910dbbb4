"""What of a rollout policy SageMaker's own update can carry out, and how it is told what is too much for it.

The limits are of botocore's service model: shapes InferenceComponentRollingUpdatePolicy and RollingUpdatePolicy (a
batch is 5% to 50% of the copies), WaitIntervalInSeconds (0 to 3600).
"""

from typing import Final, Protocol

LEAST_BATCH: Final = 5
MOST_BATCH: Final = 50
"""Percent of the copies that a batch of SageMaker's may be."""
LONGEST_WAIT_S: Final = 3600


class Policy(Protocol):
    """The fields of a rollout policy that matter here."""

    @property
    def batch(self) -> int | str:
        """Copies replaced together."""

    @property
    def max_unavailable(self) -> int | str:
        """Copies that may be missing."""

    @property
    def bake(self) -> float:
        """Seconds between two batches."""

    @property
    def keep_warm(self) -> float:
        """Seconds for which old copies are kept."""

    @property
    def strategy(self) -> str:
        """How copies are replaced."""

    @property
    def checks(self) -> tuple[object, ...]:
        """What Longshore itself would watch."""


def undelegable(policy: Policy) -> str | None:
    """What SageMaker cannot do of a policy, whatever the copies, with the cure; None when it can."""
    if policy.strategy not in {"auto", "rolling"}:
        return f"strategy {policy.strategy} does not go with delegate: SageMaker replaces copies in rolling batches"
    if policy.checks:
        return "checks are Longshore's own: with delegate SageMaker watches alarms, name them in alarms"
    if policy.max_unavailable not in {0, "0%"}:
        return "maxUnavailable does not go with delegate: SageMaker starts new copies before it ends old ones"
    if policy.keep_warm > 0:
        return "keepWarm does not go with delegate: SageMaker keeps no old copies of a component"
    if policy.bake > LONGEST_WAIT_S:
        return "bake is at most 1h with delegate: SageMaker waits no longer between batches"
    percent = percentage(policy.batch)
    if percent is not None and not LEAST_BATCH <= percent <= MOST_BATCH:
        return f"batch: {policy.batch} is not to be had with delegate: SageMaker takes {LEAST_BATCH}% to {MOST_BATCH}%"
    return None


def unfit_batch(policy: Policy, copies: int) -> str | None:
    """Why a batch in copies is none that SageMaker takes, of so many; None when it is, or there is only one copy."""
    batch = policy.batch
    if not isinstance(batch, int) or copies <= 1 or LEAST_BATCH * copies <= 100 * batch <= MOST_BATCH * copies:
        return None
    least, most = max(1, -(-LEAST_BATCH * copies // 100)), MOST_BATCH * copies // 100
    return (
        f"batch: {batch} of {copies} copies is not to be had with delegate: SageMaker takes {LEAST_BATCH}% to "
        f"{MOST_BATCH}%, here {least} to {most}"
    )


def percentage(amount: int | str) -> float | None:
    """The number of a percentage; None of a count."""
    return None if isinstance(amount, int) else float(amount.removesuffix("%"))
