"""What a level asks of the copies that are there. Pure."""

from collections import Counter
from collections.abc import Sequence

from longshore.backends.local.record import CopyRecord
from longshore.backends.port import CopiesLevel
from longshore.spec.base import Value


class Steps(Value):
    """How to bring a version to its level: ids of copies, and how many to add."""

    recall: tuple[str, ...] = ()
    """Draining copies that serve again: they are still warm."""
    drain: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    start: int = 0


def steps_to(level: CopiesLevel, copies: Sequence[CopyRecord]) -> Steps:
    """The steps from the version's copies to its level; none if it is there.

    A copy that is ending is past recall and counts for nothing. A failed copy counts as one of `copies`: it is not
    replaced, or a version that cannot start would be started for ever.
    """
    staying = [copy for copy in copies if not copy.ending]
    serving = [copy for copy in staying if not copy.draining]
    draining = [copy for copy in staying if copy.draining]

    recalled = _worth_recalling(level, serving, draining)[: max(0, level.copies - len(serving))]
    surplus = _least_missed_first(level, serving)[: max(0, len(serving) - level.copies)]
    still_draining = [copy for copy in draining if copy not in recalled]

    if level.surplus == "end":
        ended, drained = [*still_draining, *surplus], []
    else:
        # A copy without a process has no requests to finish and nothing to keep alive.
        ended = [copy for copy in surplus if copy.pid is None]
        drained = [copy for copy in surplus if copy.pid is not None]
    return Steps(
        recall=tuple(copy.id for copy in recalled),
        drain=tuple(copy.id for copy in drained),
        end=tuple(copy.id for copy in ended),
        start=max(0, level.copies - len(serving) - len(recalled)),
    )


def _least_missed_first(level: CopiesLevel, serving: Sequence[CopyRecord]) -> list[CopyRecord]:
    """Serving copies in the order they become surplus: failed, not ready, on a host beyond its share, newest."""
    beyond = _beyond_placement(level, serving)
    newest_first = sorted(serving, key=lambda copy: (copy.created_at, copy.id), reverse=True)
    return sorted(newest_first, key=lambda copy: (not copy.failed, copy.ready, copy.id not in beyond))


def _worth_recalling(
    level: CopiesLevel, serving: Sequence[CopyRecord], draining: Sequence[CopyRecord]
) -> list[CopyRecord]:
    """Draining copies in the order they are taken back: ready, on a host below its share, oldest."""
    beyond = _beyond_placement(level, [*serving, *draining])
    alive = [copy for copy in draining if copy.pid is not None]
    return sorted(alive, key=lambda copy: (not copy.ready, copy.id in beyond, copy.created_at, copy.id))


def _beyond_placement(level: CopiesLevel, copies: Sequence[CopyRecord]) -> set[str]:
    """Ids of the newest copies on each host beyond the caller's placement; none where it left that open."""
    if not level.placement:
        return set()
    seen: Counter[str] = Counter()
    beyond = set()
    for copy in sorted(copies, key=lambda copy: (copy.created_at, copy.id)):
        seen[copy.slot.host] += 1
        if seen[copy.slot.host] > level.placement.get(copy.slot.host, 0):
            beyond.add(copy.id)
    return beyond
