"""Who gets room on a target: what fits of a batch, and whose turn it is (DESIGN, rule 3). Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain, combinations, islice
from typing import Final, NamedTuple

from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom, largest_fit, suits
from longshore.planning.shortage import behind, refusal

TRIES: Final = 500
"""Sets of warm copies looked at, the smallest first, before one that suffices is good enough."""


class _Space(NamedTuple):
    """Accelerators of one host that a deployment could still use."""

    kept: int
    """Reserved for it already: nobody else can have them."""
    free: int
    """Held by nobody."""


def serve(room: TargetRoom) -> TargetRoom:
    """Answer every reservation that waits, in the order of their tickets.

    First come, first served, strictly: behind one that does not fit, others get no more than what is kept for them
    already. One that could not fit if the target were empty holds nobody up.
    """
    first: Reservation | None = None
    for one in sorted(room.reservations, key=lambda one: one.ticket):
        if not one.waits:
            continue
        answer = decide(one.request, room, only_kept=first is not None)
        if first and not answer.granted and decide(one.request, room).granted:
            answer = behind(first)
        held = hold(one.request, room, answer) if answer.granted else one.held
        answered = one.model_copy(update={"answer": answer, "held": held})
        room = replace(room, reservations=tuple(answered if it is one else it for it in room.reservations))
        if first is None and not answer.granted and _could_fit(one.request, room):
            first = answered
    return room


def decide(request: ReservationRequest, room: TargetRoom, *, only_kept: bool = False) -> Grant:
    """How much of a batch can start now: surge = min(batch, room), dip = min(dip, batch - surge).

    Copies go first where room is kept for the deployment already, then where they fit best: on the host with the
    least room that suffices, by name among equals. Copies without accelerators fit wherever a host is up, and are
    spread evenly. Copies of earlier batches that are gone with their host find their room anew before the batch does.

    Args:
        request: what is asked for.
        room: what is there.
        only_kept: take nothing but what is kept for the deployment already.
    """
    settled = _settled(request, room)
    spaces = _spaces(request, room, only_kept=only_kept)
    wanted = max(0, request.settled + request.batch - settled.total())
    placed = _place(request.resources.accelerators, wanted, spaces, settled)
    placement = settled + placed
    surge = min(request.batch, placement.total() - request.settled)
    dip = min(request.dip, request.batch - surge) if surge >= 0 and replaceable(request, room) else 0
    enough = request.batch if request.whole else min(1, request.batch)
    if surge < 0 or surge + dip < enough:
        most_free = max(map(sum, spaces.values()), default=0)
        dip_helps = not request.whole and replaceable(request, room)
        warm = () if only_kept else in_the_way(request, room)
        return refusal(request, room, fitting=max(0, surge), most_free=most_free, dip_helps=dip_helps, warm=warm)
    return Grant(granted=True, surge=surge, dip=dip, placement=dict(sorted(placement.items())))


def in_the_way(request: ReservationRequest, room: TargetRoom) -> tuple[str, ...]:
    """The fewest deployments without whose warm copies a batch would fit, by name; none when that does not help."""

    def would_do(names: tuple[str, ...]) -> bool:
        return decide(request, room.without_warm(names)).granted

    present = {(copy.deployment, copy.version) for copy in room.copies}
    names = tuple(sorted(name for name, version in room.warm.items() if (name, version) in present))
    if not names or not would_do(names):
        return ()
    fewer = chain.from_iterable(combinations(names, size) for size in range(1, len(names)))
    if found := next(filter(would_do, islice(fewer, TRIES)), None):
        return found
    for name in reversed(names):
        if would_do(left := tuple(one for one in names if one != name)):
            names = left
    return names


def hold(request: ReservationRequest, room: TargetRoom, grant: Grant) -> dict[str, int]:
    """Host → accelerators that the deployment holds with a grant, until its operation ends.

    What its copies use now is among them, so the room of copies that are drained stays the deployment's own: for
    those that take their place, and for the way back. It never shrinks while the operation runs.
    """
    new = Counter(grant.placement)
    new.subtract(_settled(request, room))
    hosts = {host.name for host in room.hosts}
    held = {}
    for host in sorted(hosts):
        ours = request.deployment, host
        kept = 0 if host in request.without else room.reserved[ours]
        held[host] = max(kept, room.used[ours] + new[host] * request.resources.accelerators)
    return {host: accelerators for host, accelerators in held.items() if accelerators}


def replaceable(request: ReservationRequest, room: TargetRoom) -> bool:
    """Whether a new copy fits in the place of any old one, so that draining old ones first helps."""
    suited = {host.name for host in room.hosts if suits(host, request.resources)}
    old = room.serving(request.deployment, request.old_version)
    need = request.resources.accelerators
    return bool(old) and all(copy.host in suited and len(copy.accelerators) >= need for copy in old)


def _could_fit(request: ReservationRequest, room: TargetRoom) -> bool:
    least = request.settled + request.batch if request.whole else 1
    return largest_fit(room.hosts, request.resources) >= least


def _settled(request: ReservationRequest, room: TargetRoom) -> Counter[str]:
    """Host → copies of the version that serve there, or are meant to; none on a host that is down."""
    up = {host.name for host in room.hosts if host.up}
    return Counter(copy.host for copy in room.serving(request.deployment, request.version) if copy.host in up)


def _spaces(request: ReservationRequest, room: TargetRoom, *, only_kept: bool) -> dict[str, _Space]:
    spaces = {}
    for host in room.hosts:
        if not suits(host, request.resources) or host.name in request.without:
            continue
        ours = request.deployment, host.name
        others = room.held[host.name] - max(room.used[ours], room.reserved[ours])
        left = max(0, host.accelerators - others - room.used[ours])
        kept = min(left, max(0, room.reserved[ours] - room.used[ours]))
        spaces[host.name] = _Space(kept=kept, free=0 if only_kept else left - kept)
    return spaces


def _place(need: int, copies: int, spaces: Mapping[str, _Space], settled: Mapping[str, int]) -> Counter[str]:
    """Host → new copies: as many as fit, at most `copies`."""
    left = dict(spaces)
    placed = Counter[str]()
    for _ in range(copies):
        fitting = [name for name, space in left.items() if sum(space) >= need]
        if not fitting:
            break
        if need:
            host = min(fitting, key=lambda name: (left[name].kept < need, sum(left[name]), name))
            from_kept = min(need, left[host].kept)
            left[host] = _Space(kept=left[host].kept - from_kept, free=left[host].free - (need - from_kept))
        else:
            host = min(fitting, key=lambda name: (settled.get(name, 0) + placed[name], name))
        placed[host] += 1
    return placed
