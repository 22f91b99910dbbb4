"""Draws rehearsals: small random fleets, whatever may be asked of what they share, and whatever may break meanwhile.

Whatever breaks is mended before the end, so that every one of them must come to rest.
"""

from itertools import accumulate
from typing import Any, Final

from hypothesis import strategies as st

Document = dict[str, Any]

CHECK: Final = {"name": "errors", "metric": "error-rate", "max": 0.01}
COMPARED: Final = {"name": "slow", "metric": "latency-p99", "compare": "baseline", "maxIncrease": "20%"}
GAPS: Final = (0, 1, 5, 12, 30, 60, 90, 240)
"""Seconds between two events of the timeline."""
VERSIONS: Final = ("1", "2", "3")
VERBS: Final = (
    *("apply", "apply", "apply", "apply", "scale", "scale", "abort", "undo"),
    *("pause", "resume", "promote", "retry", "approve", "retire"),
)
FAULTS: Final = ("crash-worker", "fail-host", "set-version", "fail-metrics", "throttle")


@st.composite
def policies(draw: st.DrawFn) -> Document:
    """How rollouts go: every strategy."""
    policy: Document = {
        "strategy": draw(st.sampled_from(["auto", "rolling", "canary", "blueGreen"])),
        "batch": draw(st.sampled_from([1, 2, "50%"])),
        "maxUnavailable": draw(st.sampled_from([0, 0, 1])),
        "bake": draw(st.sampled_from(["0s", "10s", "30s"])),
        "deadline": draw(st.sampled_from(["60s", "5m"])),
        "drainTimeout": "20s",
        "keepWarm": "0s",
        "steps": [],
        "checks": draw(st.sampled_from([[], [CHECK], [{**CHECK, "during": "rollout"}], [CHECK, COMPARED]])),
    }
    if policy["strategy"] == "canary":
        between = st.sampled_from([{"pause": "20s"}, {"pause": {}}, {"approval": {}}, None])
        steps: list[Document | None] = []
        for weight in sorted(draw(st.sets(st.sampled_from([10, 25, 50]), min_size=1, max_size=2))):
            steps += [{"weight": weight}, draw(between)]
        policy["steps"] = [step for step in steps if step]
    if policy["strategy"] == "blueGreen":
        policy["keepWarm"] = draw(st.sampled_from(["0s", "60s", "10m"]))
    return policy


@st.composite
def asked(draw: st.DrawFn, names: list[str]) -> Document:
    """Something asked of one of the deployments."""
    event: Document = {"do": draw(st.sampled_from(VERBS)), "deployment": draw(st.sampled_from(names))}
    if event["do"] == "apply":
        if version := draw(st.sampled_from(["2", "3", "2", "3", "1", None])):
            event["version"] = version
        if draw(st.sampled_from([False, False, True])):
            event["copies"] = draw(st.integers(0, 4))
        if draw(st.sampled_from([False, False, False, True])):
            event["rollout"] = draw(policies())
    if event["do"] == "scale":
        event["copies"] = draw(st.sampled_from([3, 2, 4, 1, 0]))
    if event["do"] == "promote":
        event["full"] = draw(st.booleans())
    if event["do"] == "approve":
        event |= {"by": "ada", "roles": ["approver"]}
    return event


@st.composite
def broken(draw: st.DrawFn, hosts: list[str]) -> Document:
    """Something that breaks, and for how long."""
    event: Document = {"do": draw(st.sampled_from(FAULTS))}
    match event["do"]:
        case "crash-worker":
            event["for"] = draw(st.sampled_from(["1s", "3s"]))
        case "fail-host":
            event["host"] = draw(st.sampled_from(hosts))
        case "set-version":
            event["version"] = draw(st.sampled_from(["2", "3"]))
            event |= draw(st.sampled_from([{"errorRate": 0.2}, {"errorRate": 0.0}, {"neverReady": True}]))
        case "throttle":
            event["every"] = draw(st.integers(2, 5))
    return event


MENDED: Final = {"fail-host": "restore-host", "fail-metrics": "restore-metrics"}


def mending(event: Document) -> Document | None:
    """What ends a fault; None when it ends by itself or may stay."""
    if event["do"] == "throttle":
        return {"do": "throttle", "every": 0}
    if event["do"] in MENDED:
        return {**event, "do": MENDED[event["do"]]}
    return None


@st.composite
def rehearsals(draw: st.DrawFn) -> Document:
    """A rehearsal, as its file has it."""
    names = [f"model-{number}" for number in range(draw(st.sampled_from([1, 1, 2, 3])))]
    hosts = [f"host-{number}" for number in range(draw(st.integers(1, 3)))]
    given = {
        name: {"model": "m", "version": "1", "copies": draw(st.integers(1, 4)), "rollout": draw(policies())}
        for name in names
    }
    needed = sum(one["copies"] for one in given.values())
    spare = draw(st.sampled_from([0, 1, 2, 4, 12]))
    each = -(-(needed + spare) // len(hosts))
    versions = {
        version: {
            "startup": draw(st.sampled_from(["0s", "8s", "40s"])),
            "errorRate": draw(st.sampled_from([0.0, 0.0, 0.0, 0.2])) if version == "3" else 0.0,
            "neverReady": draw(st.sampled_from([False, False, False, True])) if version == "3" else False,
            "sideBySide": draw(st.sampled_from([True, True, True, True, False])),
        }
        for version in VERSIONS
    }
    faults = draw(st.sampled_from([0, 0, 1, 2]))
    events = draw(st.lists(asked(names), min_size=1, max_size=6))
    events = draw(st.permutations(events + [draw(broken(hosts)) for _ in range(faults)]))
    instants = accumulate(draw(st.sampled_from(GAPS)) for _ in events)
    timeline = [{"at": f"{at}s", **event} for at, event in zip(instants, events, strict=True)]
    for event in list(timeline):
        if (cure := mending({key: value for key, value in event.items() if key != "at"})) is not None:
            lasts = draw(st.sampled_from([10, 45, 150]))
            timeline.append({"at": f"{int(event['at'][:-1]) + lasts}s", **cure})
    return {
        "apiVersion": "longshore/v1",
        "kind": "Rehearsal",
        "metadata": {"name": "drawn"},
        "spec": {
            "hosts": [{"name": host, "accelerators": each} for host in hosts],
            "traffic": {name: {"requestsPerSecond": 50} for name in names},
            "given": given,
            "versions": versions,
            "timeline": sorted(timeline, key=lambda event: int(event["at"][:-1])),
            "until": "12h",
        },
    }
