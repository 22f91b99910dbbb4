"""Whose word counts: SageMaker's, which may be of yesterday, or our notes, which do not know of others. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from longshore.backends.sagemaker import specification
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.seen import Component
from longshore.planning.observed import Difference

GRACE: Final = timedelta(seconds=30)
"""How long SageMaker may describe what was before a change that it accepted."""


def counted(seen: Component, count: int) -> Component:
    """A component with its copies counted: an adapter has none of its own, so it has as many as we say."""
    if not seen.is_adapter:
        return seen
    return seen.model_copy(update={"desired": count, "current": count if seen.status == "InService" else 0})


def recent(page: VersionPage, now: datetime) -> bool:
    """Whether SageMaker may still describe what was before our last change."""
    return page.asked_at is not None and now < page.asked_at + GRACE


def trusted(page: VersionPage, seen: Component | None, now: datetime) -> int:
    """How many copies the component has, or is about to have: ours, unless somebody else's word is the newer one."""
    if recent(page, now) or (seen is None and not page.made):
        return page.count
    if seen is None or seen.status == "Deleting":
        return 0
    ours = seen.desired in {page.count, *page.ours} and not page.scaled
    return page.count if ours else seen.desired


def changed_outside(page: VersionPage, seen: Component | None, now: datetime) -> bool:
    """Whether somebody else deleted the component, or changed the count, which an autoscaler may."""
    if recent(page, now) or not page.made:
        return False
    if seen is None or seen.status == "Deleting":
        return page.count > 0
    return not page.scaled and seen.desired not in {page.count, *page.ours}


def differences(
    deployment: str, version: str, page: VersionPage, seen: Component | None, now: datetime
) -> Iterator[Difference]:
    """What somebody else changed of a version's component."""
    if changed_outside(page, seen, now):
        gone = seen is None or seen.status == "Deleting"
        what, wanted = ("deleted", "there") if gone else ("RuntimeConfig.CopyCount", str(page.count))
        found = "gone" if seen is None or gone else str(seen.desired)
        yield Difference(deployment=deployment, version=version, what=what, wanted=wanted, found=found)
    settled = not recent(page, now) and page.updating is None
    if seen is not None and seen.status != "Deleting" and settled:
        yield from specification.differences(deployment, version, page.specification, seen.specification)
