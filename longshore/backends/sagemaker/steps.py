"""What a level asks of SageMaker: one change at most, and what to note before and after it. Pure."""

from datetime import datetime
from enum import StrEnum

from longshore.backends.port import BackendError, CopiesLevel
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.seen import Component
from longshore.backends.sagemaker.trust import changed_outside, counted, differences, recent, trusted
from longshore.spec.base import Value


class Call(StrEnum):
    """The one change that SageMaker is asked for."""

    NONE = "none"
    CREATE = "create"
    COUNT = "count"
    """Another CopyCount."""
    RESTORE = "restore"
    """The whole specification again, and the count: what somebody else changed is undone."""
    DELETE = "delete"


class Step(Value):
    """The page to note before the call, and the call."""

    page: VersionPage
    call: Call = Call.NONE
    anew: bool = False
    """The level is reached by a new component, once this one is deleted: to be asked again."""

    def begun(self, now: datetime) -> VersionPage:
        """The page to note before the call: from then on SageMaker may describe what was before it."""
        if self.call is Call.NONE:
            return self.page
        ours = tuple(dict.fromkeys((*self.page.ours, self.page.count)))
        return self.page.model_copy(update={"ours": ours, "asked_at": now})

    def done(self, now: datetime) -> VersionPage:
        """The page to note after SageMaker accepted the call."""
        if self.call is Call.NONE:
            return self.page
        made = self.call is not Call.DELETE
        return self.page.model_copy(update={"ours": (self.page.count,), "made": made, "asked_at": now})


def needs_look(level: CopiesLevel, page: VersionPage, shown: Component | None) -> bool:
    """Whether SageMaker must be asked how the component is, before anything is decided about it.

    A level that needs no other count than the one that SageMaker accepted last, as when copies begin to drain, needs
    no asking: what somebody else changed meanwhile shows at the next reading. `shown` is the last one: what failed
    there, or has none, may have to be made anew.
    """
    settled = page.made and page.settled == page.count and not page.scaled
    sound = page.operation == level.fence.operation or (shown is not None and shown.status != "Failed")
    return level.take or not settled or not sound or _count(level, page.count) != page.count


def without_look(level: CopiesLevel, page: VersionPage) -> VersionPage:
    """The page to note of a level that asks nothing of SageMaker."""
    return page.model_copy(
        update={"level": level.copies, "placement": level.placement, "operation": level.fence.operation}
    )


def step(level: CopiesLevel, page: VersionPage, seen: Component | None, now: datetime) -> Step:
    """The step from what is there to the level.

    Raises:
        BackendError: reason `ComponentBusy`, retryable: SageMaker is still changing it, and refuses another change.
    """
    seen = counted(seen, page.count) if seen is not None else None
    there = trusted(page, seen, now) if seen is not None or page.made else 0
    count = _count(level, there)
    noted = without_look(level, page).model_copy(update={"count": count})
    outside = changed_outside(page, seen, now) and not level.take
    if seen is None:
        return _of_nothing(page, noted, now, outside=outside)
    if count and (seen.status == "Deleting" or (page.count == 0 and recent(page, now))):
        raise busy(seen.name, "Deleting")
    if not count:
        return Step(page=_gone(noted)) if seen.status == "Deleting" else Step(page=noted, call=Call.DELETE)
    if outside:
        return Step(page=noted)
    seen = counted(seen, count)
    failed_before = seen.status == "Failed" and (page.operation != level.fence.operation or page.count == 0)
    if seen.status == "Failed" and not seen.current and (failed_before or seen.desired != count):
        # It never came to be. What was wrong may be mended by now, but a failed component serves no more as it is; one
        # that failed in this very operation would only fail again.
        return Step(page=noted.model_copy(update={"level": 0, "count": 0}), call=Call.DELETE, anew=True)
    asked = noted.model_copy(update={"had": seen.current})
    if level.take and any(one.what.startswith("Specification") for one in differences("", "", page, seen, now)):
        return _when_idle(Step(page=asked, call=Call.RESTORE), seen)
    if seen.desired == count and not failed_before:
        if recent(page, now) and page.ours != (count,) and page.ours:
            raise busy(seen.name, "perhaps changed a moment ago")
        return Step(page=noted.model_copy(update={"ours": (count,), "made": True}))
    return _when_idle(Step(page=asked, call=Call.COUNT), seen)


def busy(component: str, status: str) -> BackendError:
    """SageMaker is changing the component, and takes no other change until it is done."""
    message = f"SageMaker is still busy with {component} ({status}); it takes the change when that is over"
    return BackendError("ComponentBusy", message, retryable=True)


def _of_nothing(page: VersionPage, noted: VersionPage, now: datetime, *, outside: bool) -> Step:
    """There is no component, or SageMaker does not tell of it yet."""
    if page.made and page.count and recent(page, now):
        if not noted.count == page.count == page.settled:
            raise busy(page.component, "not described yet")
        return Step(page=noted)
    # Somebody else deleted it: theirs to say whether it shall be there. Nobody made it yet: ours.
    if outside and noted.count:
        return Step(page=noted)
    gone = _gone(noted)
    return Step(page=gone, call=Call.CREATE) if noted.count else Step(page=gone)


def _gone(page: VersionPage) -> VersionPage:
    return page.model_copy(update={"ours": (0,) if page.ours else (), "made": False, "had": 0})


def _count(level: CopiesLevel, there: int) -> int:
    """The CopyCount for a level: surplus copies that drain are still there, so they count."""
    return max(level.copies, there) if level.surplus == "drain" else level.copies


def _when_idle(wanted: Step, seen: Component) -> Step:
    if seen.moving:
        raise busy(seen.name, seen.status)
    return wanted
