"""The story, line by line: what happens, and when."""

import time
from typing import Any

from rich.console import Console
from rich.text import Text

_MARKS = {"✓": "green", "✗": "red", "→": "cyan"}


class Narrator:
    """Tells what happens on stderr, each line with the seconds since it began; coloured on a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print(Text.assemble("\n", (title, "bold")))

    def tell(self, line: str, mark: str = " ") -> None:
        """Say what happened. Marks: ✓ as wished, ✗ gone wrong, → begun."""
        stamp = f"{self.seconds:6.1f}s "
        self._console.print(Text.assemble((stamp, "dim"), (mark, _MARKS.get(mark, "")), " ", line))


_LINES = {
    "BatchStarted": ("starting {message}", "→"),
    "BatchReady": ("{message}", " "),
    "TrafficShifted": ("traffic goes {shares}", " "),
    "CheckFailed": ("check {check} failed: {message}", "✗"),
    "BatchDone": ("done, {message}", "✓"),
    "RollbackStarted": ("rolling back, without anybody asking", "→"),
    "RolloutSucceeded": ("{message}", "✓"),
    "RolledBack": ("rolled back", "✓"),
    "Retired": ("{message}", "✓"),
}
"""Event type → its line and mark."""
_UNSAID = {"RolloutStarted"}
"""The story has said it already."""


class Events:
    """An operation's events as lines."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._passed: list[str] = []
        self._batch = ""

    def tell(self, event: dict[str, Any]) -> None:
        """Tell an event; checks that passed together are one line."""
        batch = f"batch {event['batch']}: " if event.get("batch") else ""
        if event["type"] == "CheckPassed":
            self._passed.append(_figure(event))
            self._batch = batch
            return
        self.pause()
        if event["type"] in _UNSAID:
            return
        line, mark = _LINES.get(event["type"], ("{type}: {message}", "✗"))
        shares = " and ".join(f"{share}% to version {version}" for version, share in event.get("weights", {}).items())
        self._narrator.tell(batch + line.format_map({**event, "shares": shares}), mark)

    def pause(self) -> None:
        """Nothing more comes for now: tell what was held back."""
        if self._passed:
            self._narrator.tell(f"{self._batch}checks passed: {', '.join(self._passed)}", "✓")
            self._passed.clear()


def _figure(event: dict[str, Any]) -> str:
    """`slow (latency-p99 12.3, baseline 11.8)`: a check with what it measured."""
    measured = event["message"].partition(" of ")[0]
    baseline = "" if event.get("baseline") is None else f", baseline {event['baseline']:.4g}"
    return f"{event['check']} ({measured}{baseline})"
