"""What a rehearsal answered, for people: a timeline, how every deployment ended, and what it took."""

from typing import Any

from longshore.cli.output import Column, one_line, table
from longshore.spec.quantities import format_duration


def _event(event: dict[str, Any]) -> str:
    return f"{event['type']} {event['batch']}" if event.get("batch") else str(event["type"])


def _shares(of: dict[str, int], unit: str = "") -> str:
    return ", ".join(f"{version}: {count}{unit}" for version, count in of.items()) or "-"


TIMELINE = (
    Column("AT", lambda event: format_duration(event["at"])),
    Column("DEPLOYMENT", lambda event: event["deployment"]),
    Column("EVENT", _event),
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
    counts = (
        f"accelerators {answer['peakAccelerators']} at most · versions {answer['peakVersions']} at once at most · "
        f"requests {requests['total']}, failed {requests['failed']}, unroutable {answer['unroutable']}"
    )
    parts = [
        table(answer["events"], TIMELINE) if answer["events"] else "nothing happened\n",
        table(ended, ENDED),
        f"{one_line(answer['name'])}: {how} {format_duration(answer['duration'])}\n{counts}\n",
    ]
    return "\n".join(parts)
