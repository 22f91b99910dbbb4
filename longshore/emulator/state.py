"""What there is in the emulated account: values, and what they say of themselves. Who changes them is elsewhere."""

import datetime as dt
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from longshore.emulator.clock import Timer
from longshore.emulator.instances import Room

ACCOUNT = "123456789012"
"""Moto's account, so that the ARNs of both agree."""

DEFAULT_START_SECONDS = 600.0
"""How long a container may take to pass its health check where the request does not say; 60 to 3600 are allowed."""


class CopyState(StrEnum):
    """A copy's life; only `READY` takes requests, all but `PENDING` hold room on an instance."""

    PENDING = "Pending"  # no instance has room for it yet
    LOADING = "Loading"  # image and model are on their way to its instance
    STARTING = "Starting"  # its container runs and has not passed its health check
    READY = "Ready"
    FAILED = "Failed"
    ENDING = "Ending"  # takes no new requests, finishes those it has


class InstanceState(StrEnum):
    """An instance's life."""

    LAUNCHING = "Launching"
    READY = "Ready"


_serial = itertools.count(1)


def _copy_id() -> str:
    return f"copy-{next(_serial):06d}"


@dataclass(frozen=True)
class Container:
    """What a copy runs."""

    image: str
    model_url: str | None
    """Where in S3 its artifacts are: one `.tar.gz`, or a prefix."""
    environment: Mapping[str, str]
    model_name: str | None = None


@dataclass(frozen=True)
class Need:
    """What one copy takes of an instance."""

    accelerators: int = 0
    cpus: float = 0.0
    memory_mib: int = 0
    whole_instance: bool = False
    """A classic endpoint's model: one container an instance, which has all of it."""


@dataclass(frozen=True)
class Blueprint:
    """How copies of one version of a component (or variant) are made: by instance type, None for any type."""

    by_type: Mapping[str | None, tuple[Need, Container]]
    start_seconds: float = DEFAULT_START_SECONDS
    spread: bool = False

    def on(self, instance_type: str) -> tuple[Need, Container] | None:
        """What a copy on such an instance needs and runs; None if it may not be there."""
        return self.by_type.get(instance_type, self.by_type.get(None))


@dataclass(eq=False)
class Instance:
    """One emulated machine."""

    type: str
    room: Room
    state: InstanceState = InstanceState.LAUNCHING
    idle_since: float | None = None
    cache: set[tuple[str, str | None]] = field(default_factory=set)
    """The images, with their models, that were brought here before."""
    id: str = field(default_factory=lambda: f"i-{next(_serial):017x}")


@dataclass(eq=False)
class Copy:
    """One serving copy of an inference component, or of a classic variant's model."""

    endpoint: str
    variant: str
    component: str | None
    """None on a classic endpoint."""
    blueprint: Blueprint
    created: float
    state: CopyState = CopyState.PENDING
    instance: Instance | None = None
    accelerators: tuple[int, ...] = ()
    """Which of its instance's accelerators are its own, by index."""
    failure: str | None = None
    was_ready: bool = False
    """Whether it ever passed its health check."""
    id: str = field(default_factory=_copy_id)

    def requeue(self, now: float) -> None:
        """Let it wait for room again, its instance being gone. What runs there by its old id is not it any more."""
        self.id, self.created = _copy_id(), now
        self.state, self.instance, self.accelerators = CopyState.PENDING, None, ()
        self.failure, self.was_ready = None, False

    @property
    def need(self) -> Need:
        """What it takes of its instance."""
        return self._made()[0]

    @property
    def container(self) -> Container:
        """What it runs; only a copy that has an instance knows."""
        return self._made()[1]

    def _made(self) -> tuple[Need, Container]:
        made = self.blueprint.on(self.instance.type) if self.instance else None
        if made is None:
            raise LookupError(f"{self.id} is on no instance that its component has a specification for")
        return made


@dataclass(eq=False)
class Fleet:
    """The instances of one production variant, under one endpoint configuration. Blue/green is two of them."""

    endpoint: str
    variant: str
    settings: Mapping[str, Any]
    """The `ProductionVariant` that it was made from."""
    desired: int
    weight: float
    desired_weight: float
    share: float = 1.0
    """Of the variant's traffic: below 1 while two fleets stand beside each other."""
    started: bool = False
    """Whether it ever had all instances that it was made with."""
    short_since: float | None = None
    """Since when it lacks an instance that is not to be had."""
    retry: Timer | None = None
    """When that instance is asked for again."""
    sealed: bool = False
    """Takes no new copies: it is on its way out."""
    status: tuple[str, float] | None = None
    """A `VariantStatus` and since when, in an update."""
    blueprint: Blueprint | None = None
    """Of the model that it hosts; None where it hosts inference components."""
    quiet_since: float | None = None
    """Since when nothing has moved here, where copies are consolidated."""
    moves: list[tuple[Copy, Copy]] = field(default_factory=list)
    """Copies on their way to other instances: the old one, and the new one that takes its place."""
    instances: list[Instance] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)

    @property
    def ready(self) -> list[Instance]:
        """The instances that may hold copies."""
        return [instance for instance in self.instances if instance.state is InstanceState.READY]

    @property
    def managed(self) -> tuple[int, int] | None:
        """The least and most instances of managed instance scaling; None without it."""
        scaling = self.settings.get("ManagedInstanceScaling") or {}
        if scaling.get("Status") != "ENABLED":
            return None
        least = int(scaling.get("MinInstanceCount", 1))
        return least, int(scaling.get("MaxInstanceCount", max(self.desired, least)))

    @property
    def pools(self) -> list[str]:
        """The instance types to ask for, best first."""
        if pools := self.settings.get("InstancePools"):
            return [pool["InstanceType"] for pool in sorted(pools, key=lambda pool: int(pool["Priority"]))]
        return [str(self.settings["InstanceType"])]

    @property
    def waiting(self) -> list[Copy]:
        """The copies that no instance has room for yet."""
        return [copy for copy in self.copies if copy.state is CopyState.PENDING]

    def on(self, instance: Instance) -> list[Copy]:
        """The copies that hold room on an instance."""
        return [copy for copy in self.copies if copy.instance is instance]


@dataclass(eq=False)
class Resource:
    """What all named things have."""

    name: str
    arn: str
    request: Mapping[str, Any]
    """The parameters that it was created with."""
    created: float
    modified: float


@dataclass(eq=False)
class Model(Resource):
    """A SageMaker model: an image and where its artifacts are."""


@dataclass(eq=False)
class EndpointConfig(Resource):
    """An immutable description of the variants that an endpoint has."""


@dataclass(eq=False)
class Endpoint(Resource):
    """A place with instances behind one name."""

    config: str = ""
    status: str = "Creating"
    failure: str | None = None
    fleets: dict[str, Fleet] = field(default_factory=dict)
    """By variant: the ones that serve."""
    incoming: dict[str, Fleet] = field(default_factory=dict)
    """By variant: the ones of an update under way."""
    left: list[Fleet] = field(default_factory=list)
    """What a failed rollback left behind; the next update takes it away."""
    pending: tuple[str, float] | None = None
    """The configuration of an update under way, and since when."""
    deployment: Mapping[str, Any] | None = None
    """The last `DeploymentConfig`."""

    def all_fleets(self) -> Iterator[Fleet]:
        """Those that serve, those of an update, and those that a failed one left."""
        yield from self.fleets.values()
        yield from self.incoming.values()
        yield from self.left

    @property
    def hosts_components(self) -> bool:
        """Whether inference components are put here, rather than one model a variant."""
        return any(fleet.blueprint is None for fleet in self.fleets.values())


@dataclass(eq=False)
class Component(Resource):
    """An inference component, or an adapter of one."""

    endpoint: str = ""
    variant: str = ""
    endpoint_arn: str = ""
    status: str = "Creating"
    failure: str | None = None
    specifications: list[Mapping[str, Any]] = field(default_factory=list)
    plural: bool = False
    """Whether it was made with `Specifications`: then they are answered and the single one is not."""
    blueprint: Blueprint = field(default_factory=lambda: Blueprint({}))
    desired: int = 0
    deployment: Mapping[str, Any] | None = None
    """The last `DeploymentConfig`."""
    base: str | None = None
    """The component whose copies serve this adapter."""


def percent_of(size: Mapping[str, Any], total: int) -> int:
    """A `CapacitySize` in copies or instances: percentages round up, at least 1 and at most the total."""
    value = int(size["Value"])
    count = math.ceil(total * value / 100) if size["Type"] == "CAPACITY_PERCENT" else value
    return max(1, min(count, total))


def instant(seconds: float | None) -> dt.datetime | None:
    """Seconds since the epoch as the service's timestamps."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
