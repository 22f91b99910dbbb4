"""What somebody else changed on a target: in one line for people, and as events when it is seen and when it is over."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from longshore.planning.observed import Difference
from longshore.planning.words import Event, EventType

CHANGED_OUTSIDE: Final = "ChangedOutside"
"""The reason wherever a person is asked what shall become of somebody else's change."""
DELETED: Final = "deleted"
"""`Difference.what` of a version whose resources are gone as a whole."""
COPIES: Final = "CopyCount"
"""The last word of `Difference.what` where another number of copies was set."""
LONGEST: Final = 60
"""Characters of a value in a line; `describe` shows it whole."""

Differences = tuple[Difference, ...]


def said(difference: Difference) -> str:
    """One difference: `CopyCount of version 2 is 3, not 4`."""
    if difference.what == DELETED:
        return f"version {difference.version} was deleted"
    found, wanted = _brief(difference.found), _brief(difference.wanted)
    return f"{difference.what} of version {difference.version} is {found}, not {wanted}"


def told(differences: Differences) -> str:
    """All of them in one line: the first, and how many more there are."""
    more = len(differences) - 1
    return f"changed by somebody else: {said(differences[0])}" + (f" and {more} more" if more else "")


def cures(deployment: str) -> str:
    """What a person can do about it while nothing is under way."""
    return f"`longshore apply -f FILE --take` puts it right, `longshore adopt {deployment}` accepts it"


def of_copies(differences: Iterable[Difference]) -> bool:
    """Whether all that was changed is how many copies there are."""
    return all(one.what == DELETED or one.what.rpartition(".")[2] == COPIES for one in differences)


def by_deployment(differences: Iterable[Difference]) -> Mapping[str, Differences]:
    """Deployment → its differences."""
    found: dict[str, Differences] = {}
    for one in differences:
        found[one.deployment] = (*found.get(one.deployment, ()), one)
    return found


def news(deployment: str, before: Differences, now: Differences, at: datetime) -> Event | None:
    """What is told when a deployment's differences are others than before; None when they are the same."""
    if set(before) == set(now):
        return None
    if not now:
        message = f"no change by somebody else is left; it was: {said(before[0])}"
        return Event(at=at, deployment=deployment, type=EventType.DRIFT_ENDED, message=message)
    found = [one.model_dump(mode="json", include={"version", "what", "wanted", "found"}) for one in now]
    evidence = {"reason": CHANGED_OUTSIDE, "differences": found}
    return Event(at=at, deployment=deployment, type=EventType.DRIFTED, message=told(now), evidence=evidence)


def _brief(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
