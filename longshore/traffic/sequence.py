"""The lossless order of a change: make before break. Pure.

A gateway is told one kind of resource at a time, each acked before the next (DESIGN, section 5): clusters and
endpoints are added, the weights move, and only then endpoints and clusters go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from longshore.traffic.resources import Resources


class Kind(StrEnum):
    """Kinds of resources by their type URL."""

    CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENERS = "type.googleapis.com/envoy.config.listener.v3.Listener"
    ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


@dataclass(frozen=True)
class Told:
    """What a gateway was told."""

    clusters: Mapping[str, Any] | None = None
    """None before the first: a gateway that starts asks for nothing else until it heard of clusters, be it none."""
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    listener: Any = None
    routes: Mapping[str, tuple[Any, ...]] | None = None
    """By deployment; None before the first."""


@dataclass(frozen=True)
class Step:
    """One kind of resource to send, and what the gateway was told once it acked."""

    kind: Kind
    told: Told
    changed: frozenset[str] = frozenset()
    """Names of the clusters whose endpoints are sent. CLUSTERS: of the new ones, since a gateway acks a cluster
    only once it has its endpoints. ENDPOINTS: of those that change; the others keep theirs."""


def told(deployments: Mapping[str, Resources], listener: Any) -> Told:
    """All that a gateway shall be told."""
    return Told(
        clusters={name: one for each in deployments.values() for name, one in each.clusters.items()},
        endpoints={name: one for each in deployments.values() for name, one in each.endpoints.items()},
        listener=listener,
        routes={name: each.routes for name, each in deployments.items()},
    )


def steps(now: Told, then: Told) -> list[Step]:
    """The steps from what a gateway was told to what it shall be told; what does not change is not sent."""
    taken: list[Step] = []

    def take(step: Step | None) -> None:
        if step:
            taken.append(step)

    def at() -> Told:
        return taken[-1].told if taken else now

    take(_clusters(at(), {**(now.clusters or {}), **(then.clusters or {})}, then.endpoints))
    take(_endpoints(at(), _still_needed(at(), then)))
    if then.listener != now.listener:
        taken.append(Step(Kind.LISTENERS, replace(at(), listener=then.listener)))
    if then.routes != now.routes:
        taken.append(Step(Kind.ROUTES, replace(at(), routes=then.routes)))
    take(_clusters(at(), then.clusters or {}, then.endpoints))
    take(_endpoints(at(), then.endpoints))
    return taken


def _still_needed(now: Told, then: Told) -> dict[str, Any]:
    """Endpoints before the weights move: the new ones, but none taken whole from a version still routed to."""
    if then.routes == now.routes:
        return {**now.endpoints, **then.endpoints}
    kept = {name: one for name, one in now.endpoints.items() if not _any(then.endpoints.get(name))}
    return {**then.endpoints, **kept}


def _any(assignment: Any) -> bool:
    return assignment is not None and len(assignment.endpoints) > 0


def _clusters(now: Told, wanted: Mapping[str, Any], endpoints: Mapping[str, Any]) -> Step | None:
    """New clusters bring their endpoints, and a cluster that goes takes its own with it.

    One that was of copies and is of a service, or the other way round, is gone and new at once.
    """
    before = now.clusters or {}
    if now.clusters == wanted:
        return None
    new = frozenset(name for name in endpoints.keys() & wanted.keys() if before.get(name) != wanted[name])
    kept = {name: one for name, one in now.endpoints.items() if name in wanted and before.get(name) == wanted[name]}
    with_new = kept | {name: endpoints[name] for name in new}
    return Step(Kind.CLUSTERS, replace(now, clusters=dict(wanted), endpoints=with_new), new)


def _endpoints(now: Told, wanted: Mapping[str, Any]) -> Step | None:
    changed = frozenset(name for name, one in wanted.items() if now.endpoints.get(name) != one)
    return Step(Kind.ENDPOINTS, replace(now, endpoints=dict(wanted)), changed) if changed else None
