"""What the demo observed: as one JSON object, as a table, and what was missing from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from longshore.demo.answers import Tally
from longshore.demo.classifiers import Classifier


@dataclass(frozen=True)
class Rollout:
    """One rollout as its operation ended."""

    deployment: str
    from_version: str
    to_version: str
    phase: str
    batches: int
    """Begun, whether or not they were finished."""
    seconds: float
    peak_accelerators: int

    @classmethod
    def of(cls, operation: dict[str, Any]) -> "Rollout":
        """From an operation as the API has it."""
        progress = operation["progress"]
        began, ended = (datetime.fromisoformat(operation[key]) for key in ("startedAt", "endedAt"))
        return cls(
            deployment=operation["deployment"],
            from_version=operation["fromVersion"],
            to_version=operation["toVersion"],
            phase=operation["phase"],
            batches=sum(batch["state"] != "waiting" for batch in progress["batches"]),
            seconds=(ended - began).total_seconds(),
            peak_accelerators=progress["peakAccelerators"],
        )

    def as_json(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        return {
            "deployment": self.deployment,
            "from": self.from_version,
            "to": self.to_version,
            "phase": self.phase,
            "batches": self.batches,
            "seconds": round(self.seconds, 2),
            "peakAccelerators": self.peak_accelerators,
        }


@dataclass
class Report:
    """Filled in as the demo goes on."""

    deployment: str
    urls: dict[str, str]
    classifiers: list[Classifier] = field(default_factory=list)
    onboarded: bool = False
    rollouts: list[Rollout] = field(default_factory=list)
    requests: int = 0
    failed: int = 0
    by_version: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    caught_by: str | None = None
    recovery_seconds: float | None = None
    stopped_by: str | None = None
    """Why the demo ended before its end."""
    back: bool = False
    """Whether the deployment was observed as it shall be in the end."""

    def as_json(self) -> dict[str, Any]:
        """The one object of `-o json`."""
        recovered = self.recovery_seconds
        return {
            "onboarded": self.onboarded,
            "rollouts": [rollout.as_json() for rollout in self.rollouts],
            "requests": {"total": self.requests, "failed": self.failed, "byVersion": self.by_version},
            "caughtBy": self.caught_by,
            "recoverySeconds": None if recovered is None else round(recovered, 3),
            "urls": self.urls,
        }

    def missing(self) -> Iterator[str]:
        """A line for everything the demo is about that was not observed."""
        if self.stopped_by:
            yield f"the rest, for the demo stopped: {self.stopped_by}"
            return
        if not self.onboarded:
            yield "version 1 was not seen serving with all its copies"
        ends = [(rollout.to_version, rollout.phase) for rollout in self.rollouts]
        if ends[:1] != [("2", "Succeeded")]:
            yield "the rollout to version 2 did not succeed"
        if ends[1:] != [("3", "RolledBack")]:
            yield "version 3 was not rolled back"
        if self.caught_by is None:
            yield "no check caught version 3"
        if self.recovery_seconds is None:
            yield "no client saw a bad answer of version 3 and then the traffic back with version 2"
        if self.failed:
            yield f"{self.failed} of {self.requests} requests failed"
        if set(self.by_version) != {"1", "2", "3"}:
            yield f"requests were answered by versions {', '.join(self.by_version) or 'none'}, not by 1, 2 and 3"
        if not self.back:
            yield "the deployment was not seen serving version 2 alone in the end"
