"""How a deployment stands: its health, its drift, and the one line that says what to do next.

All of it is computed when it is read, from the row, the observed copies and the acked route; none of it is stored,
so none of it can be out of date without saying so.
"""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum

from longshore.planning import outside
from longshore.planning.observed import Copy, CopyState, Difference
from longshore.planning.shortage import INSUFFICIENT
from longshore.planning.steering import NOT_STEERED
from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.scaling import Scaling

STALE_AFTER = timedelta(seconds=30)
"""An observation older than this is no longer news: a target is read about once a second."""

_LIVING = {CopyState.STARTING, CopyState.READY, CopyState.UNREADY}
"""States of copies that are meant to stay; the others are on their way out, or were given up."""


ENDED_BADLY = {phase for phase in Phase if phase.ended} - {Phase.SUCCEEDED}
"""How an operation ends when a person may want to know why."""


class Health(StrEnum):
    """Whether a deployment's requests are answered."""

    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    UNAVAILABLE = "Unavailable"
    SCALED_TO_ZERO = "ScaledToZero"


class Drift(StrEnum):
    """Whether what runs is what was accepted."""

    IN_SYNC = "InSync"
    DRIFTED = "Drifted"


class DeploymentFacts(Value):
    """What the judgement looks at: desired state, the latest operation, the newest observation, the acked route."""

    name: str
    target: str
    copies: int
    """Desired copies, as accepted."""
    scaling: Scaling | None = None
    """By which the target's autoscaler chooses the copies instead."""
    version: str | None = None
    """The stable version; None until one succeeded."""
    rollout_version: str | None = None
    """The version on its way in."""
    warm_version: str | None = None
    """The version whose copies are kept warm: they are there on purpose."""
    retired: bool = False
    kind: OperationKind | None = None
    """Of the latest operation, as the next three; None before the first."""
    phase: Phase | None = None
    reason: str | None = None
    message: str | None = None
    observed: tuple[Copy, ...] = ()
    differences: tuple[Difference, ...] = ()
    """What somebody else changed of it on its target."""
    observed_at: datetime | None = None
    trouble: str | None = None
    """What is wrong with its target, as a worker beside it found last."""
    traffic: dict[str, int] = {}
    """Version → share in percent of the last acked route."""
    no_place: str | None = None
    """Why copies that are missing do not start; None where none is, or there is room."""
    now: datetime

    @property
    def wanted(self) -> int:
        """Desired copies: as accepted, or as many as the target's autoscaler has chosen within its bounds."""
        return self.copies if self.scaling is None else self.scaling.within(self.there)

    @property
    def there(self) -> int:
        """Copies of the stable version that are meant to stay."""
        return sum(copy.version == self.version and copy.state in _LIVING for copy in self.observed)

    @property
    def in_flight(self) -> bool:
        """Whether an operation is under way."""
        return self.phase is not None and not self.phase.ended

    @property
    def serving(self) -> set[str]:
        """The versions whose copies count: the stable one, those with traffic, and during an operation the new one."""
        weighted = {version for version, share in self.traffic.items() if share}
        rolling = {self.rollout_version} if self.in_flight else set()
        return {version for version in weighted | rolling | {self.version} if version}

    def ready(self, version: str) -> int:
        """Ready copies of a version."""
        return sum(copy.version == version and copy.state is CopyState.READY for copy in self.observed)


class Finding(Value):
    """A reason in CamelCase, and the one line for a person."""

    reason: str
    message: str


class Standing(Value):
    """How a deployment stands. Reason and message are those of whatever a person should look at first."""

    health: Health
    drift: Drift
    reason: str | None = None
    message: str | None = None


def standing(facts: DeploymentFacts) -> Standing:
    """Health, drift, and what to look at first.

    An operation under way knows best why things are as they are; then what somebody else changed, of which only a
    person can say what shall become of it; then what is wrong now; then how the last operation ended; then what
    differs from what was accepted.
    """
    condition, unwell = health(facts)
    difference, drifted = drift(facts)
    told = _of_operation(facts)
    ended_badly = told if facts.phase in ENDED_BADLY or facts.reason == NOT_STEERED else None
    serious = unwell if condition in {Health.DEGRADED, Health.UNAVAILABLE} else None
    failed = ended_badly if facts.phase is Phase.FAILED else None
    under_way = told if facts.in_flight else None
    meddled = drifted if drifted and drifted.reason == outside.CHANGED_OUTSIDE else None
    first = under_way or failed or meddled or serious or ended_badly or drifted or unwell
    stale = _staleness(facts)
    reason = first.reason if first else (stale.reason if stale else None)
    message = first.message if first else (facts.message if facts.in_flight else None)
    if stale:
        message = f"{message}; {stale.message}" if message else stale.message
    return Standing(health=condition, drift=difference, reason=reason, message=message)


def health(facts: DeploymentFacts) -> tuple[Health, Finding | None]:
    """Whether requests are answered: all desired copies ready, some, or none, and traffic on its way to them."""
    if unwanted := _unwanted(facts):
        return Health.SCALED_TO_ZERO, unwanted
    if facts.observed_at is None:
        return Health.UNAVAILABLE, Finding(
            reason="NotObserved",
            message=f"target {facts.target} was not observed yet{_why(facts)}",
        )
    ready = sum(facts.ready(version) for version in facts.serving)
    weighted = {version for version, share in facts.traffic.items() if share}
    deaf = sorted(version for version in weighted if facts.ready(version) == 0)
    if ready == 0:
        return Health.UNAVAILABLE, _not_ready(facts, ready)
    if len(deaf) == len(weighted):
        return Health.UNAVAILABLE, Finding(
            reason="NoTraffic",
            message=f"{ready} of {facts.wanted} copies are ready, but no traffic reaches them; {_follow(facts)}",
        )
    if deaf:
        share = sum(facts.traffic[version] for version in deaf)
        return Health.DEGRADED, Finding(
            reason="TrafficWithoutCopies",
            message=f"{share}% of the traffic goes to version {', '.join(deaf)}, which has no ready copy; "
            + _follow(facts),
        )
    return (Health.HEALTHY, None) if ready >= facts.wanted else (Health.DEGRADED, _not_ready(facts, ready))


def drift(facts: DeploymentFacts) -> tuple[Drift, Finding | None]:
    """Whether what runs is what was accepted.

    While an operation is under way the numbers are its own business, and only what somebody else changed and copies of
    a version that is neither old nor new are drift; retiring, nothing is.
    """
    ends = facts.retired or (facts.in_flight and facts.kind is OperationKind.RETIRE)
    if facts.differences and not ends:
        message = f"{outside.told(facts.differences)}; {outside.cures(facts.name)}"
        return Drift.DRIFTED, Finding(reason=outside.CHANGED_OUTSIDE, message=message)
    living = Counter(copy.version for copy in facts.observed if copy.state in _LIVING)
    if facts.in_flight:
        known = {facts.version, facts.rollout_version, facts.warm_version}
        strange = {version for version in living if version not in known}
        if facts.kind is OperationKind.RETIRE or not strange:
            return Drift.IN_SYNC, None
        return Drift.DRIFTED, _foreign(facts, living, strange)
    wanted = facts.wanted if facts.version and not facts.retired else 0
    if strange := set(living) - ({facts.version} if wanted else set()) - {facts.warm_version}:
        return Drift.DRIFTED, _foreign(facts, living, strange)
    have = living[facts.version] if facts.version else 0
    if have != wanted:
        reason = "CopiesMissing" if have < wanted else "CopiesInExcess"
        return Drift.DRIFTED, Finding(
            reason=reason,
            message=f"{have} copies of version {facts.version} run where {wanted} are desired; "
            f"`longshore describe deployment {facts.name}`",
        )
    shares = {version: share for version, share in facts.traffic.items() if share}
    if wanted and shares != {facts.version: 100}:
        told = ", ".join(f"{share}% to version {version}" for version, share in sorted(shares.items())) or "none"
        return Drift.DRIFTED, Finding(
            reason="TrafficDiffers",
            message=f"all traffic should go to version {facts.version}; it is {told}; `longshore traffic {facts.name}`",
        )
    return Drift.IN_SYNC, None


def _unwanted(facts: DeploymentFacts) -> Finding | None:
    """Why no copies are desired, when none are."""
    if facts.retired:
        return Finding(
            reason="Retired", message=f"{facts.name} is retired; `longshore apply -f FILE` onboards it again"
        )
    if facts.in_flight and facts.kind is OperationKind.RETIRE:
        return Finding(reason="Retiring", message=f"{facts.name} is being retired; {_follow(facts)}")
    if _sleeps(facts):
        return Finding(
            reason="ScaledToZero",
            message="the autoscaler ended all copies, for no requests came: the next ones fail, and wake it; "
            f"`longshore describe deployment {facts.name}`",
        )
    if facts.scaling is None and facts.copies == 0:
        return Finding(
            reason="ScaledToZero",
            message=f"no copies are desired; `longshore scale {facts.name} --copies 1` starts one",
        )
    return None


def _sleeps(facts: DeploymentFacts) -> bool:
    """Whether the target's autoscaler chose no copies at all, as its bounds allow it."""
    rests = facts.version is not None and facts.observed_at is not None and not facts.in_flight
    return rests and facts.scaling is not None and facts.wanted == 0 and not facts.differences


def _of_operation(facts: DeploymentFacts) -> Finding | None:
    """What the latest operation says of itself, where it says anything."""
    if facts.reason is None:
        return None
    message = facts.message or f"`longshore rollout status {facts.name}` says more"
    cure = _sets_scaling_again(facts)
    if cure is not None:
        message = f"{message}; autoscaling may still be suspended: {cure}"
    if cure is not None or facts.reason == NOT_STEERED:
        return Finding(reason="ScalingSuspended", message=message)
    return Finding(reason=facts.reason, message=message)


def _sets_scaling_again(facts: DeploymentFacts) -> str | None:
    """What does, where an operation was lost that may have suspended it; None where none was."""
    if facts.reason != "OperationLost" or facts.scaling is None or facts.version is None:
        return None
    if facts.kind is OperationKind.SCALE:
        return "`longshore apply -f FILE` sets it again"
    if facts.kind in {OperationKind.ROLLOUT, OperationKind.ROLLBACK}:
        return (
            f"`longshore apply -f FILE` with version {facts.version} goes back to it and sets it again, "
            f"`longshore rollout retry {facts.name}` goes on"
        )
    return None


def _not_ready(facts: DeploymentFacts, ready: int) -> Finding:
    """Too few copies are ready: the first copy with a reason of its own speaks for them."""
    count = f"{ready} of {facts.wanted} copies are ready"
    if facts.no_place:
        cure = f"`longshore describe target {facts.target}` shows who holds them"
        return Finding(reason=INSUFFICIENT, message=f"{count}: {facts.no_place}; {cure}")
    if facts.in_flight:
        reason = "Onboarding" if facts.kind is OperationKind.ONBOARD else "CopiesNotReady"
        return Finding(reason=reason, message=f"{count}; {_follow(facts)}")
    for copy in facts.observed:
        if copy.version in facts.serving and copy.state in {CopyState.UNREADY, CopyState.FAILED} and copy.reason:
            told = f" ({copy.message})" if copy.message else ""
            return Finding(
                reason=copy.reason,
                message=f"{count}: {copy.id} {copy.reason}{told}; `longshore logs {facts.name} --copy {copy.id}`",
            )
    return Finding(reason="CopiesNotReady", message=f"{count}; {_follow(facts)}")


def _foreign(facts: DeploymentFacts, living: Counter[str], strange: set[str]) -> Finding:
    """Copies run that nobody asked for."""
    told = ", ".join(f"{living[version]} of version {version}" for version in sorted(strange))
    return Finding(
        reason="UnexpectedCopies",
        message=f"copies run that are not desired: {told}; `longshore describe deployment {facts.name}`",
    )


def _follow(facts: DeploymentFacts) -> str:
    """The command that shows what goes on."""
    verb = "rollout watch" if facts.in_flight else "describe deployment"
    return f"`longshore {verb} {facts.name}`"


def _staleness(facts: DeploymentFacts) -> Finding | None:
    """Whether the newest observation is too old to be relied on."""
    if facts.retired or facts.observed_at is None or facts.now - facts.observed_at <= STALE_AFTER:
        return None
    age = int((facts.now - facts.observed_at).total_seconds())
    return Finding(
        reason="ObservationStale",
        message=f"last observed {age} s ago{_why(facts)}",
    )


def _why(facts: DeploymentFacts) -> str:
    """Why its target is not read, with the next command."""
    if facts.trouble:
        return f": {facts.trouble}; `longshore describe target {facts.target}`"
    return f"; `longshore doctor` says whether a worker runs for target {facts.target}"
