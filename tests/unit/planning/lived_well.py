"""What must hold once a played deployment is at rest."""

from collections import Counter
from typing import Final

from lived import Life
from promised import MOVES

from longshore.planning.deployment.revisions import Revision
from longshore.planning.operation import OperationOrder, OperationResult
from longshore.planning.words import Event, EventType, OperationKind

ENDS: Final = {
    EventType.ROLLOUT_SUCCEEDED,
    EventType.ROLLED_BACK,
    EventType.ROLLOUT_ABORTED,
    EventType.ROLLOUT_SUPERSEDED,
    EventType.ROLLOUT_FAILED,
}


def holds(life: Life) -> None:
    """Assert what must hold once a deployment is at rest: nothing is left over, and all is as its revisions say."""
    assert life.wrong == []
    state = life.state
    assert (state.operation, state.waiting, state.warm) == (None, None, None)
    assert [one.number for one in state.revisions if not one.phase.ended] == []
    for order, result in life.ended:
        _told_well(order, result, [event for number, event in life.events if number == order.number])
    stable = None if state.retired else state.stable_revision
    _steered_well(life, stable)
    if stable is None:
        assert (serving(life), life.route, life.shares) == ({}, {}, {})
        return
    assert state.spec is not None
    assert state.spec.version == stable.version
    assert (state.off_scale, state.doubt) == (False, None)
    assert (life.route, life.shares) == ({stable.version: 100}, {stable.version: 100})
    if state.spec.scaling is not None:
        there = serving(life).pop(stable.version, 0)
        assert serving(life) == ({stable.version: there} if there else {})
        assert state.spec.scaling.min <= there <= state.spec.scaling.max
    else:
        assert serving(life) == ({stable.version: state.spec.copies} if state.spec.copies else {})


def _steered_well(life: Life, stable: Revision | None) -> None:
    """The autoscaler chooses the copies of what serves, by the policy that is desired, and of nothing else."""
    told, spec = life.steered, life.state.spec
    scaling = spec.scaling if spec and stable else None
    if scaling is None or stable is None:
        assert told is None or told.version is None
    else:
        assert told is not None
        assert (told.version, told.scaling, told.suspended) == (stable.version, scaling, False)


def _told_well(order: OperationOrder, result: OperationResult, told: list[Event]) -> None:
    """Every rollout tells of its start, its batches in order, and one end."""
    assert [one.at for one in told] == sorted(one.at for one in told)
    if order.kind in {*MOVES, OperationKind.ONBOARD}:
        assert told[0].type is EventType.ROLLOUT_STARTED
        assert len([event.type for event in told if event.type in ENDS]) == 1, result
    started = [event.batch for event in told if event.type is EventType.BATCH_STARTED]
    done = [event.batch for event in told if event.type is EventType.BATCH_DONE]
    assert started == list(range(1, len(started) + 1))
    assert done == started[: len(done)]


def serving(life: Life) -> dict[str, int]:
    """Copies by version that are ready, all others counted under their state."""
    counted: Counter[str] = Counter()
    for copy in life.fleet.observe(life.now).copies:
        counted[copy.version if copy.state == "ready" else f"{copy.version} {copy.state}"] += 1
    return dict(counted)
