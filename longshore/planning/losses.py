"""Copies lost and replaced, seen by comparing two readings of a target (DESIGN, rule 13)."""

from longshore.planning.observed import Copy, CopyState, Observation
from longshore.planning.words import Event, EventType
from longshore.spec.base import Value

DOWN = {CopyState.UNREADY, CopyState.FAILED}


class Loss(Value):
    """One event about one copy, with what makes it recordable only once."""

    source: str
    """`copy/<id>/lost` or `copy/<id>/replaced`."""
    step: int
    """When that time of serving began, in milliseconds since 1970."""
    event: Event


def losses(before: Observation | None, now: Observation) -> tuple[Loss, ...]:
    """What happened to copies between two readings: a ready one went down, or one came back.

    A copy that is gone was ended by a level, which its operation tells of. Readings skip nothing: a copy that went
    down and came back between two of them shows by its restarts.
    """
    earlier = {copy.id: copy for copy in (before.copies if before else ())}
    told: list[Loss] = []
    for copy in now.copies:
        was = earlier.get(copy.id)
        if was is None:
            continue
        went_down = was.state is CopyState.READY and copy.state in DOWN
        restarted = was.state is CopyState.READY and copy.restarts > was.restarts
        came_back = copy.state is CopyState.READY and (was.state in DOWN or restarted)
        if went_down or restarted:
            why = f": {copy.message}" if copy.message and went_down else ""
            text = f"copy {copy.id} on {copy.host} was lost{why}"
            told.append(_told(copy, was, now, EventType.COPY_LOST, text))
        if came_back:
            text = f"copy {copy.id} on {copy.host} serves again"
            told.append(_told(copy, copy, now, EventType.COPY_REPLACED, text))
    return tuple(told)


def _told(copy: Copy, ready: Copy, now: Observation, type: EventType, message: str) -> Loss:
    """`ready` is the copy as it was, or is, when ready: each time it served is lost once, and won back once."""
    word = "lost" if type is EventType.COPY_LOST else "replaced"
    event = Event(
        at=now.at,
        deployment=copy.deployment,
        type=type,
        message=message,
        evidence={"copy": copy.id, "host": copy.host, "version": copy.version, "restarts": copy.restarts},
    )
    step = int(ready.ready_at.timestamp() * 1000) if ready.ready_at else ready.restarts
    return Loss(source=f"copy/{copy.id}/{word}", step=step, event=event)
