"""What must be true of every rehearsal, whatever was asked and whatever broke: `broken(document, answer)`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from longshore.planning.words import EventType, Phase
from longshore.spec.rehearsal import Apply, FailHost, Rehearsal, RehearsalSpec, Scale, SetVersion, Throttle

Answer = dict[str, Any]
Event = dict[str, Any]

ENDS: Final = {
    EventType.ROLLOUT_SUCCEEDED,
    EventType.ROLLED_BACK,
    EventType.ROLLOUT_ABORTED,
    EventType.ROLLOUT_SUPERSEDED,
    EventType.ROLLOUT_FAILED,
}
OF_A_BATCH: Final = (
    EventType.BATCH_STARTED,
    EventType.BATCH_READY,
    EventType.TRAFFIC_SHIFTED,
    EventType.BATCH_DONE,
)
MOVES: Final = ("/onboard-", "/rollout-", "/rollback-")


def broken(document: dict[str, Any], answer: Answer) -> list[str]:
    """The truths that an answer breaks, one line each."""
    spec = Rehearsal.model_validate(document).spec
    return [
        *_comes_to_rest(answer),
        *_rests_as_its_phase_says(spec, answer),
        *_stays_within_its_peak(spec, answer),
        *_keeps_what_is_promised(spec, answer),
        *_succeeds_only_when_seen(answer),
        *_tells_it_well(answer),
    ]


def _comes_to_rest(answer: Answer) -> Iterator[str]:
    if answer["ended"] != "atRest":
        stands = {name: (item["phase"], item["reason"]) for name, item in answer["deployments"].items()}
        yield f"did not come to rest within {answer['duration']:g} s: {stands}"


def _rests_as_its_phase_says(spec: RehearsalSpec, answer: Answer) -> Iterator[str]:
    for name, item in answer["deployments"].items():
        copies, ready, traffic = item["copies"], item["ready"], item["traffic"]
        at = f"{name} is {item['phase']} ({item['reason']}) with {copies}, ready {ready}, traffic {traffic}"
        if sum(traffic.values()) not in {0, 100}:
            yield f"{at}: the shares are not whole"
        if item["phase"] == Phase.FAILED:
            if not _may_fail(spec, item):
                yield f"{at}: nothing broke that only a person could mend"
            continue
        unready = [version for version in traffic if not ready.get(version) and sum(copies.values())]
        if unready:
            yield f"{at}: version {unready[0]} has traffic and no ready copy"
        if item["rolloutTo"] is not None:
            continue  # paused for a person, or blocked
        only = {item["version"]} if item["version"] and copies else set()
        if not (copies == ready and set(copies) <= only):
            yield f"{at}: other copies than those of version {item['version']}"
        if copies and traffic != {item["version"]: 100}:
            yield f"{at}: other traffic than to version {item['version']}"


def _may_fail(spec: RehearsalSpec, item: dict[str, Any]) -> bool:
    """A way back needs copies that start, hosts that are up, and a backend that answers; an onboarding has none."""
    never = any(behaviour.never_ready for behaviour in spec.versions.values())
    faults = any(isinstance(event, SetVersion | FailHost | Throttle) for event in spec.timeline)
    return never or faults or item["reason"] == "NothingToReturnTo"


def _desired(spec: RehearsalSpec, name: str) -> list[int]:
    """All numbers of copies that were ever asked for."""
    asked = [
        event.copies
        for event in spec.timeline
        if isinstance(event, Apply | Scale) and event.deployment == name and event.copies is not None
    ]
    return [*([spec.given[name].copies] if name in spec.given else []), *asked]


def _policies(spec: RehearsalSpec, name: str) -> Iterator[Any]:
    if name in spec.given:
        yield spec.given[name].rollout
    for event in spec.timeline:
        if isinstance(event, Apply) and event.deployment == name and event.rollout is not None:
            yield event.rollout


def _stays_within_its_peak(spec: RehearsalSpec, answer: Answer) -> Iterator[str]:
    """Rules 2, 5 and 6: N + b while rolling, at most 2N by the other strategies; N is the most ever asked for."""
    if answer["peakVersions"] > 2:
        yield f"{answer['peakVersions']} versions of one deployment at once"
    alone = any(not behaviour.side_by_side for behaviour in spec.versions.values())
    most = 0
    for name in answer["deployments"]:
        copies = max(_desired(spec, name), default=1)
        whole = alone or any(policy.strategy in {"canary", "blueGreen"} for policy in _policies(spec, name))
        widest = max((policy.batch_copies(copies) for policy in _policies(spec, name)), default=copies)
        # Copies that a scale was draining may still be there when a rollout takes over.
        leaving = copies if len(set(_desired(spec, name))) > 1 else 0
        most += copies + leaving + (copies if whole else min(widest, copies))
    if answer["peakAccelerators"] > most:
        yield f"{answer['peakAccelerators']} accelerators at the peak, where at most {most} were to be held"


def _keeps_what_is_promised(spec: RehearsalSpec, answer: Answer) -> Iterator[str]:
    """Rules 3 and 4: no fewer ready copies than N - maxUnavailable, and no request to a version without any."""
    if any(isinstance(event, FailHost) for event in spec.timeline):
        return
    retired = {event.deployment for event in spec.timeline if event.do == "retire"}
    for name, lowest in answer["lowestReady"].items():
        least = min(_desired(spec, name))
        missing = max(policy.unavailable_copies(max(_desired(spec, name))) for policy in _policies(spec, name))
        if name not in retired and lowest < least - missing:
            yield f"{name} had {lowest} ready copies, where {least} - {missing} were promised"
    served = all(min(_desired(spec, name), default=1) > _most_missing(spec, name) for name in answer["deployments"])
    if answer["unroutable"] and served and not retired:
        yield f"{answer['unroutable']} requests found no ready copy"


def _most_missing(spec: RehearsalSpec, name: str) -> int:
    most = max(_desired(spec, name), default=1)
    return max((policy.unavailable_copies(most) for policy in _policies(spec, name)), default=0)


def _succeeds_only_when_seen(answer: Answer) -> Iterator[str]:
    for event in answer["events"]:
        if event["type"] != EventType.ROLLOUT_SUCCEEDED:
            continue
        copies, ready, traffic = (event["scene"][part] for part in ("copies", "ready", "traffic"))
        told = f"{event['deployment']} at {event['at']:g}s: {event['message']}"
        version, number = event["message"].split()[1], int(event["message"].split()[4])
        if traffic != {version: 100}:
            yield f"{told}, while the traffic was {traffic}"
        if (copies.get(version, 0), ready.get(version, 0)) != (number, number):
            yield f"{told}, while there were {copies}, ready {ready}"


def _tells_it_well(answer: Answer) -> Iterator[str]:
    events = answer["events"]
    if any(later["at"] < earlier["at"] for earlier, later in pairwise(events)):
        yield "events went back in time"
    operations: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        shares = event["scene"]["traffic"]
        if sum(shares.values()) not in {0, 100}:
            yield f"shares {shares} at {event['type']}"
        if event["operation"]:
            operations[event["operation"]].append(event)
    under_way = {item["name"] for item in answer["deployments"].values() if item["rolloutTo"] is not None}
    for operation, told in operations.items():
        if any(kind in operation for kind in MOVES):
            yield from _told_well(operation, told, open_end=operation.partition("/")[0] in under_way)


def _told_well(operation: str, told: list[Event], *, open_end: bool) -> Iterator[str]:
    """It starts once, its batches are told in their order, and it ends once."""
    types = [event["type"] for event in told]
    if types.count(EventType.ROLLOUT_STARTED) != 1 or types[0] != EventType.ROLLOUT_STARTED:
        yield f"{operation} began other than with RolloutStarted: {types}"
    ends = [type_ for type_ in types if type_ in ENDS]
    if len(ends) > 1 or not (ends or open_end):
        yield f"{operation} ended other than once: {ends}"
    started = [event["batch"] for event in told if event["type"] == EventType.BATCH_STARTED]
    if started != list(range(1, len(started) + 1)):
        yield f"{operation} counted its batches {started}"
    turned = next((index for index, type_ in enumerate(types) if type_ == EventType.ROLLBACK_STARTED), len(types))
    for batch in started:
        parts = [event["type"] for event in told[:turned] if event["batch"] == batch]
        if not _in_order([part for part in dict.fromkeys(parts) if part in OF_A_BATCH]):
            yield f"{operation} told batch {batch} as {parts}"


def _in_order(parts: Iterable[str]) -> bool:
    places = [OF_A_BATCH.index(EventType(part)) for part in parts]
    return places == sorted(places)
