"""The sizes of a rollout: shares of traffic, copies for a share, and the ladder of batches (DESIGN, rules 1 and 2)."""

from longshore.planning.operation import OperationOrder
from longshore.planning.words import BatchProgress


def share(new: int, copies: int) -> int:
    """The new version's weight once it has `new` of the desired copies (rule 2)."""
    return round(100 * new / copies) if copies else 100


def copies_for(weight: int, copies: int) -> int:
    """The fewest of the desired copies that make up a weight: the inverse of `share`."""
    return next((number for number in range(copies + 1) if share(number, copies) >= weight), copies) if weight else 0


def batch_size(order: OperationOrder) -> int:
    """Copies of a full batch; an onboarding is one batch (rule 15)."""
    copies = order.spec.copies
    return copies if order.old is None else order.spec.rollout.batch_copies(copies)


def old_left(order: OperationOrder, new: int) -> int:
    """Copies of the old version that stay beside `new` settled ones of the new: all of them before the first."""
    before = order.copies_before if order.old else 0
    return min(before, order.spec.copies - new) if new else before


def dip_allowed(order: OperationOrder, settled: int) -> int:
    """Old copies that may be drained before new ones start: `maxUnavailable` of the desired ones may be missing."""
    copies = order.spec.copies
    missing = order.spec.rollout.unavailable_copies(copies)
    return max(0, min(missing, settled + old_left(order, settled) - (copies - missing)))


def ladder(
    order: OperationOrder, done: tuple[BatchProgress, ...] = (), settled: int = 0, size: int | None = None
) -> tuple[BatchProgress, ...]:
    """The batches of a rollout: what each adds, what it removes, and the weight after it; the last one is the rest.

    Args:
        order: the rollout.
        done: the batches that are done.
        settled: copies of the new version from those.
        size: of the next batch, once its room is known; a full one, while it is not.
    """
    copies = order.spec.copies
    laid, size = list(done), size or batch_size(order)
    while settled < copies:
        before, settled = settled, min(copies, settled + size)
        remove, weight, number = (
            old_left(order, before) - old_left(order, settled),
            share(settled, copies),
            len(laid) + 1,
        )
        laid.append(BatchProgress(number=number, add=settled - before, remove=remove, weight=weight, state="waiting"))
        size = batch_size(order)
    return tuple(laid)
