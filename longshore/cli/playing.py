"""What a rehearsal answered, for people: a timeline, how every deployment ended, and what it took."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from longshore.cli.output import Column, one_line, table
from longshore.spec.quantities import format_duration

MOST_DOTS: Final = 12
"""More copies than this are a number."""
BAR: Final = 10
"""Cells of a bar of traffic."""
SHADES: Final = "█░▒▓"
READY, NOT_READY = "●", "○"
LEGEND: Final = f"{READY} a ready copy, {NOT_READY} another, after the name of their version\n"


def _event(event: dict[str, Any]) -> str:
    return f"{event['type']} {event['batch']}" if event.get("batch") else str(event["type"])


def _shares(of: dict[str, int], unit: str = "") -> str:
    return ", ".join(f"{version}: {count}{unit}" for version, count in of.items()) or "-"


def copies_of(scene: dict[str, dict[str, int]]) -> str:
    """`1 ●●●● 2 ●○`: copies by version, ready or not."""
    ready = scene["ready"]
    return "  ".join(
        f"{version} {_dots(ready.get(version, 0), count - ready.get(version, 0))}"
        for version, count in scene["copies"].items()
    )


def _dots(ready: int, others: int) -> str:
    if ready + others <= MOST_DOTS:
        return READY * ready + NOT_READY * others
    return " ".join(f"{count}{dot}" for count, dot in ((ready, READY), (others, NOT_READY)) if count)


def traffic_of(scene: dict[str, dict[str, int]], shades: dict[str, str]) -> str:
    """`1 75% ████████░░ 2 25%`: every version's share, and all of them as one bar in the versions' shades."""
    shares = list(scene["traffic"].items())
    if not shares:
        return "none"
    bar, done = "", 0
    for version, weight in shares:
        done += weight
        shade = shades.setdefault(version, SHADES[len(shades) % len(SHADES)])
        bar += shade * (round(done * BAR / 100) - len(bar))
    first, *others = (f"{version} {weight}%" for version, weight in shares)
    return " ".join([first, bar, *others])


class _Drawing:
    """How a deployment was last drawn, and in which shade each of its versions is."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._shades: dict[str, str] = {}

    def changed(self, scene: dict[str, dict[str, int]]) -> dict[str, str]:
        """Copies and traffic, empty where they are as before."""
        before, self._last = self._last, {"copies": copies_of(scene), "traffic": traffic_of(scene, self._shades)}
        return {name: "" if before.get(name) == drawn else drawn for name, drawn in self._last.items()}


def _rows(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events as rows: copies and traffic where they changed, the instant where it is another."""
    drawings: defaultdict[str, _Drawing] = defaultdict(_Drawing)
    instant = None
    for event in events:
        same, instant = event["at"] == instant, event["at"]
        scene = drawings[event["deployment"]].changed(event["scene"])
        yield {**event, **scene, "instant": "" if same else format_duration(instant)}


DEPLOYMENT = Column("DEPLOYMENT", lambda event: event["deployment"])
TIMELINE = (
    Column("AT", lambda event: event["instant"]),
    DEPLOYMENT,
    Column("EVENT", _event),
    Column("COPIES", lambda event: event["copies"]),
    Column("TRAFFIC", lambda event: event["traffic"]),
    Column("MESSAGE", lambda event: event["message"] or "-"),
)
ENDED = (
    Column("DEPLOYMENT", lambda item: item["name"]),
    Column("PHASE", lambda item: item["phase"]),
    Column("HEALTH", lambda item: item["health"]),
    Column("VERSION", lambda item: item["version"] or "-"),
    Column("READY", lambda item: _shares(item["ready"])),
    Column("TRAFFIC", lambda item: _shares(item["traffic"], "%")),
    Column("LOWEST READY", lambda item: str(item["lowestReady"])),
    Column("REASON", lambda item: item["reason"] or "-"),
)


def story(answer: dict[str, Any]) -> str:
    """The answer as text."""
    how = "at rest after" if answer["ended"] == "atRest" else "given up after"
    lowest, requests = answer["lowestReady"], answer["requests"]
    ended = [{**item, "lowestReady": lowest.get(name, "-")} for name, item in answer["deployments"].items()]
    several = len({event["deployment"] for event in answer["events"]}) > 1
    columns = tuple(column for column in TIMELINE if several or column is not DEPLOYMENT)
    counts = (
        f"accelerators {answer['peakAccelerators']} at most · versions {answer['peakVersions']} at once at most · "
        f"requests {requests['total']}, failed {requests['failed']}, unroutable {answer['unroutable']}"
    )
    parts = [
        table(list(_rows(answer["events"])), columns) + LEGEND if answer["events"] else "nothing happened\n",
        table(ended, ENDED),
        f"{one_line(answer['name'])}: {how} {format_duration(answer['duration'])}\n{counts}\n",
    ]
    return "\n".join(parts)
