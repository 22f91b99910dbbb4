"""The serving ledger as spans without gaps, each with who asked for it and what checks measured."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal

from longshore.api.answers import CheckEvidence, LedgerAnswer
from longshore.api.problems import ProblemError, bad_request
from longshore.planning.words import EventType
from longshore.spec.base import Value
from longshore.store.records import LedgerEntry, OperationRow, StoredEvent
from longshore.store.store import Store

CLOCKS_DIFFER: Final = timedelta(seconds=5)
"""An instant so little after now is taken for now: who asks has another clock."""

OUTCOMES: Final[dict[EventType, Literal["passed", "failed", "inconclusive", "error"]]] = {
    EventType.CHECK_PASSED: "passed",
    EventType.CHECK_FAILED: "failed",
    EventType.CHECK_INCONCLUSIVE: "inconclusive",
    EventType.CHECK_ERROR: "error",
}


class Span(Value):
    """The shares between two changes; the end of one is the begin of the next."""

    model: str
    since: datetime
    until: datetime | None
    shares: dict[str, int]
    """Empty: nobody served."""
    begun: LedgerEntry | None
    """An entry that begins with it; None when shares only ended."""
    before: datetime | None
    """When the span before began."""


def spans_of(entries: Sequence[LedgerEntry]) -> list[Span]:
    """The spans of a deployment's entries, oldest first, from its first entry on; the last one lasts."""
    instants = sorted({one.since for one in entries} | {one.until for one in entries if one.until is not None})
    beginning: dict[datetime, list[LedgerEntry]] = defaultdict(list)
    for entry in entries:
        beginning[entry.since].append(entry)
    held: list[LedgerEntry] = []
    spans: list[Span] = []
    for since, until in zip(instants, [*instants[1:], None], strict=False):
        held = [one for one in held if one.until is None or since < one.until] + beginning[since]
        spans.append(
            Span(
                model=held[0].model if held else spans[-1].model,
                since=since,
                until=until,
                shares={one.version: one.share for one in sorted(held, key=lambda one: one.version)},
                begun=next(iter(beginning[since]), None),
                before=spans[-1].since if spans else None,
            )
        )
    return spans


def span_at(deployment: str, spans: Sequence[Span], at: datetime, now: datetime) -> Span:
    """The span that an instant is in.

    Raises:
        ProblemError: 400, it is still to come; 404, nobody had served yet.
    """
    if at > now + CLOCKS_DIFFER:
        raise bad_request("InvalidInstant", f"{_told(at)} is still to come: the ledger ends now, at {_told(now)}")
    if not spans:
        raise ProblemError(HTTPStatus.NOT_FOUND, "NotFound", f"{deployment} has never served: its ledger is empty")
    if at < spans[0].since:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "NotFound",
            f"{deployment} served nobody before {_told(spans[0].since)}, when its ledger begins",
        )
    return next(span for span in reversed(spans) if span.since <= at)


async def with_proof(store: Store, deployment: str, spans: Sequence[Span]) -> list[LedgerAnswer]:
    """Spans with the operations that made them, and what those measured."""
    operations = await store.deployments.operations(deployment)
    made = [_operation(span, operations) for span in spans]
    ids = {one.id for one in made if one is not None}
    events = await store.events.of_operations(deployment, ids, OUTCOMES)
    return [_answer(deployment, span, operation, events) for span, operation in zip(spans, made, strict=True)]


def _operation(span: Span, operations: Iterable[OperationRow]) -> OperationRow | None:
    """The operation that made a span: it wrote its entry, or was under way when shares ended. Newest come first."""
    if span.begun is not None:
        return next((one for one in operations if one.id == span.begun.operation), None)
    return next((one for one in operations if one.started_at <= span.since), None)


def _answer(deployment: str, span: Span, operation: OperationRow | None, events: Iterable[StoredEvent]) -> LedgerAnswer:
    own = [event for event in events if operation is not None and event.operation == operation.id]
    before = [one for one in own if one.at < span.since and (span.before is None or span.before <= one.at)]
    during = [one for one in own if span.since <= one.at and (span.until is None or one.at < span.until)]
    return LedgerAnswer(
        deployment=deployment,
        model=span.model,
        since=span.since,
        until=span.until,
        shares=span.shares,
        operation=operation.id if operation else None,
        kind=operation.kind if operation else None,
        revision=operation.to_revision if operation else None,
        actor=operation.actor if operation else None,
        cause=span.begun.cause if span.begun else "nobody serves",
        checks_before=tuple(map(_evidence, before)),
        checks=tuple(map(_evidence, during)),
    )


def _evidence(event: StoredEvent) -> CheckEvidence:
    numbers = {name: event.evidence.get(name) for name in ("value", "baseline", "windowStart", "windowEnd")}
    return CheckEvidence.model_validate(
        {
            "at": event.at,
            "check": event.evidence.get("check", ""),
            "outcome": OUTCOMES[event.type],
            "enforced": event.evidence.get("enforced", True),
            "batch": event.batch,
            "samples": event.evidence.get("samples") or 0,
            "message": event.message,
            **numbers,
        }
    )


def _told(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
