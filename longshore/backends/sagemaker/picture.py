"""What a target holds, from what SageMaker described and what we noted. Pure.

SageMaker's copies are counts. So a version's copies are called `component#0 …`; the first are those that are ready, the
newest are those that drain, for which of them SageMaker ends nobody can choose. Right after a change of ours SageMaker
may still describe what was before: for so long, what we noted counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from longshore.backends.sagemaker import hosts as instances
from longshore.backends.sagemaker import specification
from longshore.backends.sagemaker.pages import DeploymentPage, VersionPage
from longshore.backends.sagemaker.seen import Component, Endpoint, View, lacks_capacity
from longshore.backends.sagemaker.trust import counted, differences, recent, trusted
from longshore.planning.observed import Copy, CopyState, Difference, ObservedHost, Upstream
from longshore.planning.refusals import INSUFFICIENT_CAPACITY
from longshore.spec.base import Value

BACK_OFF: Final = timedelta(minutes=5)
"""How long no instance is promised after SageMaker had none."""
FAILED: Final = "ComponentFailed"
"""Why a copy is not there whose component SageMaker gave up."""
ENDPOINT_MISSING: Final = "endpoint missing"
"""How a component is found that went with its endpoint."""
LOST: Final = "CopyLost"
"""Why a copy is not ready that was."""


class Noted(Value):
    """All pages of a target."""

    versions: dict[tuple[str, str], VersionPage] = {}
    """(deployment, version) → page."""
    deployments: dict[str, DeploymentPage] = {}

    def holds(self, deployment: str) -> bool:
        """Whether SageMaker was ever asked for something of a deployment that may still be there."""
        return any(name == deployment and (page.made or any(page.ours)) for (name, _), page in self.versions.items())


class Picture(Value):
    """What one reading says: an observation but for its sequence."""

    hosts: tuple[ObservedHost, ...]
    copies: tuple[Copy, ...]
    differences: tuple[Difference, ...]


def draw(view: View, noted: Noted, now: datetime) -> Picture:
    """The picture of a whole target."""
    view = _counted(view, noted)
    if view.endpoint.missing:
        noted = _gone_with_it(noted)
    there = _beside_strangers(view, noted, refused=refused(view, noted, now))
    shown = {
        key: tuple(_states(key[0], page, view.components.get(page.component), view.endpoint, now))
        for key, page in _by_age(noted, view)
    }
    needs = [need for key, states in shown.items() for need in _needs(noted.versions[key], len(states))]
    places = instances.packed(there, needs)
    copies = [
        one
        for key, states in shown.items()
        for one in _copies(key, noted.versions[key], view.components.get(noted.versions[key].component), states, places)
    ]
    told = [
        difference
        for key, page in sorted(noted.versions.items())
        for difference in differences(*key, page, view.components.get(page.component), now)
    ]
    if view.endpoint.missing:
        told = [one.model_copy(update={"found": ENDPOINT_MISSING}) for one in told]
    return Picture(hosts=there, copies=tuple(copies), differences=tuple(told))


def _gone_with_it(noted: Noted) -> Noted:
    """The pages without what was asked lately: no answer to it is on its way from an endpoint that is gone."""
    pages = {key: page.model_copy(update={"asked_at": None}) for key, page in noted.versions.items()}
    return noted.model_copy(update={"versions": pages})


def refused(view: View, noted: Noted, now: datetime) -> bool:
    """Whether SageMaker said lately that it has no more instances."""
    ours = {page.component for page in noted.versions.values()}
    if any(view.components[name].lacks_capacity for name in ours & view.components.keys()):
        return True
    notes = (page.refused for page in noted.deployments.values())
    return any(note is not None and now < note.at + BACK_OFF for note in notes)


def upstreams(noted: Noted, endpoint: str, url: str, region: str, role: str | None) -> tuple[Upstream, ...]:
    """Where the requests of each version go; `url` is the runtime's."""
    scheme, _, rest = url.partition("://")
    authority = rest.split("/", 1)[0]
    host, _, port = authority.partition(":")
    tls = scheme == "https"
    return tuple(
        Upstream(
            deployment=deployment,
            version=version,
            address=f"{host}:{port or (443 if tls else 80)}",
            tls=tls,
            host=authority,
            path=f"/endpoints/{endpoint}",
            headers={"X-Amzn-SageMaker-Inference-Component": page.component},
            signed_for=f"sagemaker/{region}",
            role=role,
        )
        for (deployment, version), page in sorted(noted.versions.items())
    )


class State(Value):
    """How one copy stands."""

    state: CopyState
    reason: str | None = None
    message: str | None = None


def _states(
    deployment: str, page: VersionPage, seen: Component | None, endpoint: Endpoint, now: datetime
) -> Iterator[State]:
    """Of each copy in turn: those that serve, those that drain, and last those that SageMaker is ending."""
    count = trusted(page, seen, now)
    level = max(0, count - max(0, page.count - page.level))
    ready = _ready(page, seen, count)
    for index in range(count):
        if index >= level:
            yield State(state=CopyState.DRAINING)
        elif index < ready:
            yield State(state=CopyState.READY)
        else:
            state = _not_ready(page, seen, endpoint, now, index)
            yield _with_cure(state, deployment) if state.reason == FAILED else state
    for _ in range(count, seen.current if seen else 0):
        yield State(state=CopyState.ENDING)


def _ready(page: VersionPage, seen: Component | None, count: int) -> int:
    """How many copies answer. While SageMaker is changing the component, no more than did before."""
    if seen is None or seen.status == "Deleting":
        return 0
    if page.scaled or (seen.status == "InService" and seen.desired == count):
        return min(seen.current, count)
    return min(seen.current, count, page.had)


def _not_ready(page: VersionPage, seen: Component | None, endpoint: Endpoint, now: datetime, index: int) -> State:
    if seen is None or seen.status == "Deleting":
        return State(state=CopyState.STARTING)
    said = (seen.failure, *(endpoint.messages if seen.moving else ()))
    if words := next((word for word in said if word and lacks_capacity(word)), None):
        return State(state=CopyState.STARTING, reason=INSUFFICIENT_CAPACITY, message=words)
    if seen.status == "Failed":
        return State(state=CopyState.FAILED, reason=FAILED, message=seen.failure or "SageMaker says no more")
    settled = seen.status == "InService" and not recent(page, now)
    if settled or index < page.had:
        told = f"SageMaker runs {seen.current} of {seen.desired} copies of {seen.name}"
        return State(state=CopyState.UNREADY, reason=LOST, message=told)
    return State(state=CopyState.STARTING)


def _with_cure(state: State, deployment: str) -> State:
    cure = f"mend that, and longshore rollout retry {deployment}, or apply --take where nothing is held, makes it anew"
    return state.model_copy(update={"message": f"{state.message}; {cure}"})


def _copies(
    key: tuple[str, str],
    page: VersionPage,
    seen: Component | None,
    states: Iterable[State],
    places: Mapping[str, instances.Place],
) -> Iterator[Copy]:
    deployment, version = key
    for index, state in enumerate(states):
        name = copy_id(page.component, index)
        yield Copy(
            id=name,
            deployment=deployment,
            model=page.model,
            version=version,
            host=places[name].host,
            accelerators=places[name].accelerators,
            state=state.state,
            reason=state.reason,
            message=state.message,
            started_at=seen.created_at if seen else None,
        )


def copy_id(component: str, index: int) -> str:
    """What we call a copy."""
    return f"{component}#{index}"


def _needs(page: VersionPage, copies: int) -> Iterator[instances.Need]:
    for index in range(copies):
        yield instances.Need(
            id=copy_id(page.component, index),
            accelerators=page.accelerators,
            memory_gib=page.accelerator_memory_gib,
            hosts=instances.share(page.placement, index),
        )


def _by_age(noted: Noted, view: View) -> Iterable[tuple[tuple[str, str], VersionPage]]:
    """Older components first: they found their place before the younger ones, and keep it here, too."""

    def age(entry: tuple[tuple[str, str], VersionPage]) -> tuple[bool, float, tuple[str, str]]:
        key, page = entry
        seen = view.components.get(page.component)
        return (seen is None, seen.created_at.timestamp() if seen else 0.0, key)

    return sorted(noted.versions.items(), key=age)


def _counted(view: View, noted: Noted) -> View:
    """The view with the copies of adapters, which SageMaker does not count."""
    ours = {page.component: page.count for page in noted.versions.values()}
    found = {name: counted(seen, ours.get(name, 0)) for name, seen in view.components.items()}
    return view.model_copy(update={"components": found})


def _beside_strangers(view: View, noted: Noted, *, refused: bool) -> tuple[ObservedHost, ...]:
    """The hosts without the accelerators that components of others hold."""
    ours = {page.component for page in noted.versions.values()}
    there = instances.hosts(view.endpoint, refused=refused)
    needs = [
        instances.Need(id=copy_id(name, index), accelerators=specification.accelerators(seen.specification))
        for name, seen in sorted(view.components.items())
        if name not in ours
        for index in range(max(seen.desired, seen.current))
    ]
    held: Counter[str] = Counter()
    for place in instances.packed(there, needs).values():
        held[place.host] += len(place.accelerators)
    return tuple(host.model_copy(update={"accelerators": host.accelerators - held[host.name]}) for host in there)
