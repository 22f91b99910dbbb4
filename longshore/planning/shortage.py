"""Why something does not fit on a target, in one line that says what is short and what would do."""

from collections.abc import Iterable, Mapping
from typing import Final

from longshore.planning.observed import ObservedHost
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom, largest_fit, suits
from longshore.spec.model_version import Resources

INSUFFICIENT: Final = "InsufficientAccelerators"


def refusal(  # noqa: PLR0913 - what was found, by keyword
    request: ReservationRequest,
    room: TargetRoom,
    *,
    fitting: int,
    most_free: int,
    dip_helps: bool,
    warm: tuple[str, ...] = (),
) -> Grant:
    """The answer when a batch does not fit.

    Args:
        request: what was asked for.
        room: what is there.
        fitting: copies of the batch that would fit.
        most_free: accelerators free on the one host that has most of them, of the kind that is needed.
        dip_helps: whether new copies fit in the place of old ones.
        warm: deployments without whose warm copies it would fit.
    """
    need = request.resources.accelerators
    if not need:
        return Grant(granted=False, reason=INSUFFICIENT, message=f"no host of {room.target} is up")
    if request.whole:
        short = (request.batch - fitting) * need
        asked = f"needs {_of(request.batch, 'copy')} of {_accelerators(request.resources)} at once"
    else:
        short = max(0, need - most_free)
        asked = f"needs {_accelerators(request.resources)} for one copy"
    found = _found(request, room, fitting=fitting, most_free=most_free)
    cure = "; maxUnavailable: 1 would do" if dip_helps else ""
    if warm:
        cure = f"; {', '.join(warm)} {'gives' if len(warm) == 1 else 'give'} up warm copies for it"
    return Grant(granted=False, reason=INSUFFICIENT, short=short, message=f"{asked}, {found}{cure}", warm=warm)


def behind(first: Reservation) -> Grant:
    """The answer when a batch would fit but someone else asked earlier and waits for the room."""
    message = f"waits for its turn: {first.operation} asked first and does not fit yet"
    return Grant(granted=False, reason=INSUFFICIENT, message=message)


def no_place(resources: Resources, target: str, hosts: Iterable[ObservedHost], held: Mapping[str, int]) -> str | None:
    """Why a copy that went with its host finds no room elsewhere, for a person; None where it does.

    Args:
        resources: what the copy needs.
        target: where it is to start.
        hosts: those of the target.
        held: host → accelerators that copies hold, in whatever state they are.
    """
    need = resources.accelerators
    free = [host.accelerators - held.get(host.name, 0) for host in hosts if suits(host, resources)]
    if any(left >= need for left in free):
        return None
    if not need:
        return f"no host of {target} is up"
    return f"a copy needs {_accelerators(resources)}, at most {max(free, default=0)} are free on one host of {target}"


def _found(request: ReservationRequest, room: TargetRoom, *, fitting: int, most_free: int) -> str:
    target = room.target
    if not any(host.up for host in room.hosts):
        return f"and no host of {target} is up"
    if not any(suits(host, request.resources) for host in room.hosts):
        return f"and no accelerator of {target} has that much memory"
    ever = largest_fit(room.hosts, request.resources)
    if request.whole and ever < request.settled + request.batch:
        return f"and at most {ever} would fit if {target} were empty"
    if ever == 0:
        return f"and {target} has no host with as many"
    if request.whole:
        return f"{fitting} {'fits' if fitting == 1 else 'fit'} on {target}"
    free = f"{most_free} {'is' if most_free == 1 else 'are'} free"
    return f"{free} on {target}" if len(room.hosts) == 1 else f"at most {free} on one host of {target}"


def _accelerators(resources: Resources) -> str:
    memory = f" of {resources.accelerator_memory_gib:g} GiB" if resources.accelerator_memory_gib else ""
    return _of(resources.accelerators, "accelerator") + memory


def _of(count: int, thing: str) -> str:
    if count == 1:
        return f"1 {thing}"
    return f"{count} {thing[:-1]}ies" if thing.endswith("y") else f"{count} {thing}s"
