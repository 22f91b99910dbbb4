"""`--wait`: follow operations to their end, and say how they ended by the exit code."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from longshore.cli.exits import NEEDS_PERSON, REACHED, RETURNED, STOPPED_WAITING, Stop, say
from longshore.cli.lines import event_line, operation_line
from longshore.client import PAGE, ApiError, Client, UnreachableError, segment
from longshore.client.stream import PATIENCE_SECONDS, EventStream

POLL_SECONDS = 2.0
"""An operation is looked at whenever something happened to it, and this often besides."""
SETTLE_SECONDS = 1.5
"""How long a pause or a lack of room must last to be believed: what was resumed just now may still read as paused."""
BLOCKED = frozenset({"InsufficientAccelerators"})
"""Reasons of an operation that cannot go on before somebody makes room."""


class Goal(NamedTuple):
    """What a command asked of one deployment."""

    deployment: str
    operation: str | None
    """Id of the operation that carries it out; None when there was nothing to do."""
    version: str | None = None
    """What shall be the stable version then, where the command says."""
    reached: frozenset[str] = frozenset({"Succeeded"})
    """Phases that are what was asked for."""
    revision: int | None = None
    """Number of the revision that changed; one that waits for another operation's end has no operation yet."""


class Verdict(NamedTuple):
    """How it ended, or why it stands still."""

    code: int
    line: str


def judge(goal: Goal, operation: dict[str, Any] | None, stable: str | None) -> Verdict | None:
    """How a goal stands: None while it is on its way.

    Args:
        goal: What was asked for.
        operation: Its operation as the API has it; None when there is none, or it cannot be seen yet.
        stable: The deployment's stable version.
    """
    serves = goal.version is not None and goal.version == stable
    if goal.operation is None:
        if goal.version is None or serves:
            return Verdict(REACHED, f"{goal.deployment} is as asked for")
        return Verdict(RETURNED, f"{goal.deployment} serves version {stable or 'none'}, not {goal.version}")
    if operation is None:
        return None
    phase, line = operation["phase"], operation_line(operation)
    if phase in goal.reached:
        return Verdict(REACHED, line)
    if phase in {"RolledBack", "Aborted", "Superseded"}:
        # Applying what was stable already is an abort, and what was asked for (DESIGN, rule 10).
        return Verdict(REACHED if serves else RETURNED, line)
    if phase in {"Failed", "Paused"} or (phase in {"Pending", "Progressing"} and operation.get("reason") in BLOCKED):
        return Verdict(NEEDS_PERSON, line)
    return None


class Waiting:
    """Follows events from before the command was sent until every goal is decided."""

    def __init__(self, client: Client, seconds: float, tell: Callable[[str], None] = say) -> None:
        self._client = client
        self._seconds = seconds
        self._tell = tell
        self._stream = EventStream(client)
        self._stream.begin()
        self._seen = self._stream.position or 0
        """Sequence of the newest event that was read here."""
        self._since: dict[str, float] = {}
        """Since when a goal stands still."""
        self._away: float | None = None
        """Since when the API cannot say."""

    def follow(self, goals: Iterable[Goal]) -> int:
        """Wait for every goal; the code of the worst."""
        pending = {goal.deployment: goal for goal in goals}
        deadline = time.monotonic() + self._seconds
        codes = [REACHED]
        look_at = set(pending)
        next_look = 0.0
        try:
            while pending:
                if time.monotonic() >= next_look:
                    look_at = set(pending)
                    # Many goals are looked at less often, so that the API is asked as much as for a few.
                    next_look = time.monotonic() + max(POLL_SECONDS, 0.1 * len(pending))
                for name in sorted(look_at & set(pending)):
                    verdict = self._look(pending[name])
                    if verdict is not None:
                        self._catch_up(pending[name])
                        self._tell(verdict.line)
                        codes.append(verdict.code)
                        del pending[name]
                look_at = set()
                if pending and time.monotonic() >= deadline:
                    raise Stop(f"stopped waiting; the server goes on: {_watch(pending)}", STOPPED_WAITING)
                event = self._stream.next(min(next_look, deadline) - time.monotonic()) if pending else None
                if event is not None:
                    self._seen = event["sequence"]
                    if event["deployment"] in pending:
                        self._tell(event_line(event))
                        look_at = {event["deployment"]}
        except KeyboardInterrupt:
            raise Stop(f"stopped waiting; the server goes on: {_watch(pending)}", STOPPED_WAITING) from None
        finally:
            self._stream.close()
        return max(codes)

    def _look(self, goal: Goal) -> Verdict | None:
        """A goal's verdict, if it is final or has settled."""
        try:
            if goal.operation is None and goal.revision is not None:
                return self._look_at_revision(goal, goal.revision)
            operation = find_operation(self._client, goal.deployment, goal.operation) if goal.operation else None
            ended = operation is not None and operation["phase"] not in {"Pending", "Progressing", "Paused"}
            stable = self._stable(goal) if goal.version and (ended or goal.operation is None) else None
        except (UnreachableError, ApiError) as error:
            self._bear(error)
            return None
        self._away = None
        verdict = judge(goal, operation, stable)
        if verdict is None or verdict.code != NEEDS_PERSON or ended:
            self._since.pop(goal.deployment, None)
            return verdict
        since = self._since.setdefault(goal.deployment, time.monotonic())
        return verdict if time.monotonic() - since >= SETTLE_SECONDS else None

    def _look_at_revision(self, goal: Goal, number: int) -> Verdict | None:
        """The verdict of a revision that may wait: that of its operation while there is one, or how it ended."""
        path = f"/v1/deployments/{segment(goal.deployment)}"
        found = next((one for one in self._client.items(f"{path}/revisions") if one["number"] == number), None)
        self._away = None
        phase = found["phase"] if found else "Pending"
        if phase != "Pending":
            code = REACHED if phase in goal.reached else NEEDS_PERSON if phase == "Failed" else RETURNED
            return Verdict(code, f"{goal.deployment}: revision {number} {phase}")
        begun = [one["id"] for one in self._client.items(f"{path}/rollouts") if one["toRevision"] == number]
        return self._look(goal._replace(operation=begun[-1])) if begun else None

    def _catch_up(self, goal: Goal) -> None:
        """Tell what happened up to the end: a look may come before the stream."""
        for event in self._client.get("/v1/events", deployment=goal.deployment, after=self._seen, limit=PAGE)["items"]:
            self._tell(event_line(event))

    def _stable(self, goal: Goal) -> str | None:
        version = self._client.get(f"/v1/deployments/{segment(goal.deployment)}")["version"]
        return None if version is None else str(version)

    def _bear(self, error: UnreachableError | ApiError) -> None:
        """An outage is waited out for a while; a refusal is final."""
        if isinstance(error, ApiError) and not error.passing:
            raise error
        self._away = self._away or time.monotonic()
        if time.monotonic() - self._away > PATIENCE_SECONDS:
            raise error


def find_operation(client: Client, deployment: str, operation: str) -> dict[str, Any] | None:
    """An operation by its id; None while the store does not have it yet."""
    path = f"/v1/deployments/{segment(deployment)}"
    try:
        latest: dict[str, Any] = client.get(f"{path}/rollout")
        if latest["id"] == operation:
            return latest
        return next((item for item in client.items(f"{path}/rollouts") if item["id"] == operation), None)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _watch(pending: Iterable[str]) -> str:
    names = sorted(pending)
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"longshore rollout watch {names[0]}{more}" if names else "longshore get deployments"
