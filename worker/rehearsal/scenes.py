"""What was there when something happened: a deployment's copies and traffic at each of its events."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from longshore.backends.simulated.fleet import SimulatedFleet
from longshore.planning.words import Event, EventType
from longshore.traffic.simulated import SimulatedTraffic

Key = tuple[str, datetime, EventType, str]


class Scenes:
    """Remembers the scene of every event, as it was when the event was told."""

    def __init__(self, fleet: SimulatedFleet, traffic: SimulatedTraffic) -> None:
        self._fleet = fleet
        self._traffic = traffic
        self._scenes: dict[Key, dict[str, dict[str, int]]] = {}

    def remember(self, events: Iterable[Event]) -> None:
        """These events were told just now; told again, they are of the first time."""
        for event in events:
            self._scenes.setdefault(_key(event), self._now(event.deployment))

    def of(self, event: Event) -> dict[str, dict[str, int]]:
        """`{"copies": {"1": 4, "2": 1}, "ready": {"1": 4}, "traffic": {"1": 100}}`: copies in any state, and shares."""
        return self._scenes.get(_key(event)) or self._now(event.deployment)

    def _now(self, deployment: str) -> dict[str, dict[str, int]]:
        copies = Counter(copy.level.version for copy in self._fleet.copies if copy.level.deployment == deployment)
        route = self._traffic.routes.get(deployment)
        return {
            "copies": dict(sorted(copies.items())),
            "ready": dict(sorted(self._fleet.ready(deployment).items())),
            "traffic": dict(route.weights) if route else {},
        }


def _key(event: Event) -> Key:
    return event.deployment, event.at, event.type, event.message
