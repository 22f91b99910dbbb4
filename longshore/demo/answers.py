"""What clients saw: answers counted by version, and the time from the first bad one to full recovery. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Answer(NamedTuple):
    """One request as its client saw it. Instants are of one monotonic clock, in seconds."""

    sent: float
    done: float
    version: str | None
    """As the gateway's header says; None when no version answered."""
    failed: bool = False
    """No answer, or one that is not 200."""
    wrong: bool = False
    """Answered, with another digit than the right one."""

    @property
    def milliseconds(self) -> float:
        """How long the client waited."""
        return (self.done - self.sent) * 1000


class Tally(NamedTuple):
    """The answers of one version."""

    requests: int
    failed: int
    wrong: int
    p50: float
    """Milliseconds."""
    p99: float

    @property
    def wrong_share(self) -> float:
        """Wrong answers per answer, from 0 to 1."""
        answered = self.requests - self.failed
        return self.wrong / answered if answered else 0.0


def tally(answers: Iterable[Answer], version: str) -> Tally:
    """Count the answers of one version."""
    own = [answer for answer in answers if answer.version == version]
    waited = sorted(answer.milliseconds for answer in own if not answer.failed)
    return Tally(
        requests=len(own),
        failed=sum(answer.failed for answer in own),
        wrong=sum(answer.wrong for answer in own),
        p50=percentile(waited, 0.5),
        p99=percentile(waited, 0.99),
    )


def by_version(answers: Iterable[Answer]) -> dict[str, int]:
    """Version → requests it answered, well or not."""
    counts: dict[str, int] = {}
    for answer in answers:
        if answer.version is not None:
            counts[answer.version] = counts.get(answer.version, 0) + 1
    return dict(sorted(counts.items()))


def percentile(ascending: Sequence[float], quantile: float) -> float:
    """The smallest value that a share `quantile` does not exceed (nearest rank); 0 for no values."""
    if not ascending:
        return 0.0
    rank = -int(-quantile * len(ascending) // 1)  # rounded up
    return ascending[max(rank, 1) - 1]


def recovery(answers: Sequence[Answer], bad: str, good: str, slow: float) -> float | None:
    """Seconds from the first bad answer of version `bad` until all traffic is with `good` again.

    Its start is when the first answer of `bad` that failed, was wrong, or took longer than `slow` milliseconds came.
    Its end is when the first answer came that no answer of another version followed.

    Returns:
        None when there was no bad answer, or nothing shows that the traffic came back.
    """
    ordered = sorted(answers, key=lambda answer: answer.done)
    first = next(
        (
            answer.done
            for answer in ordered
            if answer.version == bad and (answer.failed or answer.wrong or answer.milliseconds > slow)
        ),
        None,
    )
    back: float | None = None
    for answer in reversed(ordered):
        if answer.version != good or answer.failed:
            break
        back = answer.done
    return None if first is None or back is None or back <= first else back - first
