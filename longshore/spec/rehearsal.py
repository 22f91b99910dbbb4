"""A rehearsal: a fleet, how versions behave on it, and what is done and breaks when (DESIGN, section 8)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self, TextIO

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.checking import DocumentError, Path, check_as, did_you_mean
from longshore.spec.deployment import DeploymentSpec, RolloutPolicy
from longshore.spec.documents import API_VERSION, NamedMetadata
from longshore.spec.loading import read_as
from longshore.spec.merging import merged
from longshore.spec.model_version import Resources
from longshore.spec.quantities import Duration, Name, Version
from longshore.spec.target import Host

TARGET: Final = "rehearsal"
"""The one target of a rehearsal."""
KIND: Final = "Rehearsal"
LONGEST_OUTAGE_S: Final = 60.0
"""A worker is away for at most so long."""

Instant = Annotated[Duration, Field(description="When, counted from the start; whole seconds.")]
Deployed = Annotated[Name, Field(description="The deployment it is asked of.")]


class Traffic(Spec):
    """The requests that a deployment gets."""

    requests_per_second: float = Field(ge=0, description="Steady rate, over all its versions.")


class Given(DeploymentSpec):
    """A deployment that is live and healthy at 0s."""

    target: Literal["rehearsal"] = Field(default=TARGET, description="Left out: there is only one target.")


class Latency(Spec):
    """How long a version's requests take."""

    p50: Duration = Field(default=0.02, description="Half of them take no longer.")
    p99: Duration = Field(default=0.05, description="Ninety-nine of a hundred take no longer.")


class Behaviour(Spec):
    """How the copies of a version behave, whatever model it is of. Anything left out is healthy."""

    startup: Duration = Field(default=0.0, description="From start to ready.")
    resources: Resources = Field(default=Resources(accelerators=1), description="What one copy needs.")
    error_rate: float = Field(default=0.0, ge=0, le=1, description="Share of its requests that fail.")
    latency: Latency = Field(default=Latency(), description="How long its requests take.")
    never_ready: bool = Field(default=False, description="true: a copy that starts is never ready.")
    side_by_side: bool = Field(default=True, description="false: may not serve beside another version.")


# -- what is asked -------------------------------------------------------------------------------------------------


class Asked(Spec):
    """Something asked of a deployment."""

    at: Instant
    deployment: Deployed


class PolicyChange(RolloutPolicy):
    """Some fields of a policy: whether they fit together shows once they are merged."""

    @model_validator(mode="after")
    def _fields_fit_the_strategy(self) -> Self:
        return self

    @model_validator(mode="after")
    def _can_be_delegated(self) -> Self:
        return self


class Apply(Asked):
    """Apply a desired state: what is given replaces that field of the newest one."""

    do: Literal["apply"]
    labels: dict[str, str] | None = Field(default=None, description="Labels, replaced as a whole.")
    model: Name | None = Field(default=None, description="Needed for a deployment that is not given.")
    version: Version | None = Field(default=None, description="The version that shall serve.")
    copies: int | None = Field(default=None, ge=0, le=10_000, description="Copies that shall serve.")
    idempotent: bool | None = Field(default=None, description="As in a deployment.")
    rollout: PolicyChange | None = Field(default=None, description="Policy; only the fields that are written count.")

    def on(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The desired state that it makes of the one before, both as written."""
        given = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        changes = {name: value for name, value in given.items() if name not in {"at", "do", "deployment", "labels"}}
        return merged({"target": TARGET, **before}, changes)


class Scale(Asked):
    """Change the number of copies."""

    do: Literal["scale"]
    copies: int = Field(ge=0, le=10_000, description="Copies that shall serve.")


class Promote(Asked):
    """End the present bake or pause."""

    do: Literal["promote"]
    full: bool = Field(default=False, description="true: skip every further bake, pause and check, too.")


class Undo(Asked):
    """Return to an earlier revision."""

    do: Literal["undo"]
    to: int | None = Field(default=None, ge=1, description="The revision; left out: the last that succeeded before.")


class Control(Asked):
    """Pause, resume, abort, retry or retire."""

    do: Literal["pause", "resume", "abort", "retry", "retire"]


class Approve(Asked):
    """Pass an approval."""

    do: Literal["approve"]
    by: str = Field(min_length=1, description="Who approves.")
    roles: tuple[str, ...] = Field(default=(), description="The roles that they have.")


Request = Apply | Scale | Promote | Undo | Control | Approve
"""Whatever is asked of a deployment."""

# -- what breaks ---------------------------------------------------------------------------------------------------


class Fault(Spec):
    """Something that breaks or is mended."""

    at: Instant


class CrashWorker(Fault):
    """The worker ends without grace, and another is there after a while."""

    do: Literal["crash-worker"]
    lasts: Duration = Field(default=5.0, le=LONGEST_OUTAGE_S, alias="for", description="How long there is none.")


class FailHost(Fault):
    """A host goes down or comes back."""

    do: Literal["fail-host", "restore-host"]
    host: Name = Field(description="Which one.")


class RefuseCapacity(Fault):
    """A host is one that the target starts when copies need it, and it is not to be had, or is to be had again."""

    do: Literal["refuse-capacity", "restore-capacity"]
    host: Name = Field(description="Which one. That it is refused shows once a copy is to start there.")


class SetVersion(Fault):
    """A version behaves otherwise from now on: only the fields that are written change."""

    do: Literal["set-version"]
    version: Version = Field(description="Which one.")
    startup: Duration | None = Field(default=None, description="From start to ready, of copies not ready yet.")
    resources: Resources | None = Field(default=None, description="What a copy that starts from now on needs.")
    error_rate: float | None = Field(default=None, ge=0, le=1, description="Share of its requests that fail.")
    latency: Latency | None = Field(default=None, description="How long its requests take.")
    never_ready: bool | None = Field(default=None, description="Whether copies not ready yet never are.")
    side_by_side: bool | None = Field(default=None, description="Whether it may serve beside another version.")


class FailMetrics(Fault):
    """The traffic plane's counters cannot be read, or can be again."""

    do: Literal["fail-metrics", "restore-metrics"]


class Throttle(Fault):
    """Every nth call of the backend is refused."""

    do: Literal["throttle"]
    every: int = Field(ge=0, description="1 refuses all, 0 none any more.")


Event = Annotated[
    Apply
    | Scale
    | Promote
    | Undo
    | Control
    | Approve
    | CrashWorker
    | FailHost
    | RefuseCapacity
    | SetVersion
    | FailMetrics
    | Throttle,
    Field(discriminator="do"),
]


class RehearsalSpec(Spec):
    """The fleet, what serves on it at 0s, and what then happens."""

    hosts: tuple[Host, ...] = Field(min_length=1, description="The fleet.")
    traffic: dict[Name, Traffic] = Field(default={}, description="Requests, by deployment; none if left out.")
    given: dict[Name, Given] = Field(default={}, description="What is live and healthy at 0s, by deployment.")
    versions: dict[Version, Behaviour] = Field(default={}, description="How versions behave, by label.")
    timeline: tuple[Event, ...] = Field(default=(), description="What is done and breaks, at which instant.")
    until: Duration = Field(default=86_400.0, gt=0, description="Given up at, unless all is at rest before.")


class Rehearsal(Spec):
    """A rollout, played in seconds."""

    api_version: Literal["longshore/v1"] = API_VERSION
    kind: Literal["Rehearsal"] = "Rehearsal"
    metadata: NamedMetadata
    spec: RehearsalSpec


def load_rehearsals(paths: Iterable[str], stdin: TextIO | None = None) -> list[Rehearsal]:
    """Read every rehearsal of some files or folders, or `-`.

    Raises:
        ManifestError: with every problem of every document; also when there is no document at all.
    """
    return [document for document, *_ in read_as(checked, paths, stdin)]


def checked(content: Any) -> Rehearsal:
    """Validate one rehearsal.

    Raises:
        DocumentError: with every problem of it.
    """
    if isinstance(content, dict) and content.get("kind", KIND) != KIND:
        message = f"{content['kind']} is not a Rehearsal, which alone is rehearsed: write {KIND}"
        raise DocumentError([(("kind",), message)])
    rehearsal = check_as(Rehearsal, content)
    if problems := list(_unknown_names(rehearsal.spec)):
        raise DocumentError(problems)
    return rehearsal


def _unknown_names(spec: RehearsalSpec) -> Iterator[tuple[Path, str]]:
    """What is well formed and yet names what is not there."""
    hosts = [host.name for host in spec.hosts]
    for index, host in enumerate(hosts):
        if host in hosts[:index]:
            yield ("spec", "hosts", index, "name"), f"two hosts are named {host}: give each its own name"
    applied = {event.deployment for event in spec.timeline if isinstance(event, Apply)}
    known = {*spec.given, *applied}
    for name in spec.traffic:
        if name not in known:
            yield ("spec", "traffic", name), _unknown("deployment", name, known)
    for index, event in enumerate(spec.timeline):
        at: Path = ("spec", "timeline", index)
        if isinstance(event, Asked) and event.deployment not in known:
            yield (*at, "deployment"), _unknown("deployment", event.deployment, known)
        if isinstance(event, FailHost | RefuseCapacity) and event.host not in hosts:
            yield (*at, "host"), _unknown("host", event.host, hosts)
        if event.at > spec.until:
            yield (*at, "at"), "is after until, when the rehearsal is given up: move one of them"
    yield from _measured_elsewhere(spec)
    yield from _delegated(spec)
    yield from _misapplied(spec)


def _delegated(spec: RehearsalSpec) -> Iterator[tuple[Path, str]]:
    """Updates that a platform would carry out by itself, which nobody here plays."""
    message = "SageMaker's own updates are not rehearsed: remove it, or try them on longshore emulate sagemaker"
    for name, given in spec.given.items():
        if given.rollout.delegate is not None:
            yield ("spec", "given", name, "rollout", "delegate"), message
    for index, event in enumerate(spec.timeline):
        if isinstance(event, Apply) and event.rollout is not None and event.rollout.delegate is not None:
            yield ("spec", "timeline", index, "rollout", "delegate"), message


def _measured_elsewhere(spec: RehearsalSpec) -> Iterator[tuple[Path, str]]:
    """Checks of what a rehearsal does not have: there are simulated requests, and nothing else to measure."""
    policies: list[tuple[Path, RolloutPolicy | None]] = [
        *((("spec", "given", name), given.rollout) for name, given in spec.given.items()),
        *(
            (("spec", "timeline", at), event.rollout)
            for at, event in enumerate(spec.timeline)
            if isinstance(event, Apply)
        ),
    ]
    for path, policy in policies:
        for index, check in enumerate(policy.checks if policy else ()):
            if check.cloudwatch is not None:
                cure = "leave source out, for the traffic of the rehearsal, or leave the check out"
                where: Path = (*path, "rollout", "checks", index, "source", "cloudwatch")
                yield where, f"there is no CloudWatch in a rehearsal: {cure}"


def _misapplied(spec: RehearsalSpec) -> Iterator[tuple[Path, str]]:
    """Applies that make no desired state of the one before, taken to have been accepted; see also `Asking`."""
    newest = {name: _written(given) for name, given in spec.given.items()}
    order = sorted(range(len(spec.timeline)), key=lambda index: int(spec.timeline[index].at))
    for index in order:
        event, at = spec.timeline[index], ("spec", "timeline", index)
        if not isinstance(event, Apply):
            continue
        before = newest.get(event.deployment, {})
        missing = [field for field in ("model", "version") if field not in before and getattr(event, field) is None]
        for field in missing:
            yield (*at, field), f"{event.deployment} is not given, so its first apply needs a {field}: add it"
        if missing:
            continue
        if event.model is not None and event.model != before.get("model", event.model):
            yield (
                (*at, "model"),
                f"{event.deployment} serves {before['model']}, and a deployment's model never changes: remove it",
            )
            continue
        desired = event.on(before)
        try:
            newest[event.deployment] = _written(check_as(DeploymentSpec, desired))
        except DocumentError as error:
            for path, message in error.problems:
                yield (*at, *path), message


def _written(spec: DeploymentSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    cure = did_you_mean(name, names) or (f"there are {', '.join(names)}" if names else f"there is no {what} at all")
    return f"unknown {what} `{name}`: {cure}"
