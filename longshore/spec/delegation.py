"""What of a rollout policy SageMaker's own update can carry out, and how it is told what is too much for it.

The limits are of botocore's service model: shapes InferenceComponentRollingUpdatePolicy and RollingUpdatePolicy (a
batch is 5% to 50% of the copies), WaitIntervalInSeconds (0 to 3600).
"""

from collections.abc import Sequence
from typing import Final, Protocol

LEAST_BATCH: Final = 5
MOST_BATCH: Final = 50
"""Percent of the copies that a batch of SageMaker's may be."""
LEAST_STEP: Final = 10
"""Percent of the traffic that each of several equal steps shifts at least (shape TrafficRoutingConfig)."""
LONGEST_WAIT_S: Final = 3600


class Weighed(Protocol):
    """A step of a canary."""

    @property
    def weight(self) -> int | None:
        """The new version's share of the traffic; None of a pause or an approval."""


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
    def steps(self) -> Sequence[Weighed]:
        """Steps of a canary."""

    @property
    def checks(self) -> tuple[object, ...]:
        """What Longshore itself would watch."""


def undelegable(policy: Policy) -> str | None:
    """What SageMaker cannot do of a policy, whatever the copies, with the cure; None when it can."""
    if policy.checks:
        return "checks are Longshore's own: with delegate SageMaker watches alarms, name them in alarms"
    if policy.max_unavailable not in {0, "0%"}:
        return "maxUnavailable does not go with delegate: SageMaker starts new copies before it ends old ones"
    if max(policy.bake, policy.keep_warm) > LONGEST_WAIT_S:
        return "bake and keepWarm are at most 1h each with delegate: SageMaker waits no longer"
    if policy.strategy == "canary":
        return _uneven(policy)
    percent = percentage(policy.batch)
    if not is_whole(policy) and percent is not None and not LEAST_BATCH <= percent <= MOST_BATCH:
        return f"batch: {policy.batch} is not to be had with delegate: SageMaker takes {LEAST_BATCH}% to {MOST_BATCH}%"
    return None


def only_for_endpoints(policy: Policy) -> str | None:
    """What of a policy SageMaker does for an endpoint of one model, but not for a component; None when nothing is."""
    if policy.strategy in {"canary", "blueGreen"} or policy.keep_warm > 0:
        asked = "keepWarm" if policy.keep_warm > 0 else f"strategy {policy.strategy}"
        return f"{asked} does not go with delegate here: SageMaker updates components in rolling batches alone"
    return None


def is_whole(policy: Policy) -> bool:
    """Whether the copies are replaced all at once."""
    return policy.strategy == "blueGreen" or (policy.strategy == "auto" and policy.keep_warm > 0)


def _uneven(policy: Policy) -> str | None:
    """SageMaker shifts traffic in two steps, or in equal ones; what comes between them is the bake."""
    weights = [step.weight for step in policy.steps if step.weight is not None]
    if len(weights) != len(policy.steps):
        return "pauses and approvals do not go with delegate: SageMaker waits for bake after each step"
    partial = [weight for weight in weights if weight < 100]
    if not partial or partial[0] > MOST_BATCH:
        return f"a canary by SageMaker begins with a weight of at most {MOST_BATCH}"
    even = all(weight == partial[0] * number for number, weight in enumerate(partial, start=1))
    if len(partial) > 1 and not (even and partial[0] >= LEAST_STEP and 100 - partial[-1] <= partial[0]):
        return f"steps by SageMaker are one weight, or equal ones of at least {LEAST_STEP} up to 100"
    return None


def unfit_batch(policy: Policy, copies: int) -> str | None:
    """Why a batch in copies is none that SageMaker takes, of so many; None when it is, or there is only one copy."""
    batch = policy.batch
    if is_whole(policy) or policy.strategy == "canary":
        return None
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
