"""What came of an update that the platform carried out: judged by what is there, never by what the platform calls it.

SageMaker calls an update that it rolled back a success: the component is `InService`, and only its specification is
what it was. So an update succeeded when the new version was seen there, with all its copies, and nothing else counts.
"""

from enum import StrEnum

from longshore.planning.native import NativeStatus


class Verdict(StrEnum):
    """What came of it."""

    UNDER_WAY = "under way"
    REACHED = "reached"
    """It is of the version that was asked for, with all its copies."""
    RETURNED = "returned"
    """It is of the version that it was of before."""
    BROKEN = "broken"
    """The platform does not get on, or another version is there that nobody asked for."""


def judged(status: NativeStatus, *, goal: str, before: str, copies: int | None) -> Verdict:
    """What a status says of an update from `before` to `goal`, with so many copies; None: however many there are."""
    if status.broken:
        return Verdict.BROKEN
    if status.under_way:
        return Verdict.UNDER_WAY
    if status.version == goal:
        wanted = status.copies if copies is None else copies
        return Verdict.REACHED if status.copies == status.ready == wanted else Verdict.UNDER_WAY
    return Verdict.RETURNED if status.version == before else Verdict.BROKEN
