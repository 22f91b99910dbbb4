"""Events as lines: one for each change of state."""

from typing import Any

from longshore.cli.kinds import when
from longshore.cli.output import one_line


def event_line(event: dict[str, Any]) -> str:
    """`2026-01-02 03:04:05Z digits BatchReady batch 1: 1 copy of version 2 is ready`."""
    subject = [when(event["at"]), event["deployment"], event["type"]]
    if event.get("batch"):
        subject.append(f"batch {event['batch']}")
    line = " ".join(subject)
    return one_line(f"{line}: {event['message']}" if event.get("message") else line)


def operation_line(operation: dict[str, Any]) -> str:
    """`digits/rollout-2 Paused (CheckError): errors could not be measured 5 times`."""
    line = f"{operation['id']} {operation['phase']}"
    if operation.get("reason"):
        line += f" ({operation['reason']})"
    return one_line(f"{line}: {operation['message']}" if operation.get("message") else line)
