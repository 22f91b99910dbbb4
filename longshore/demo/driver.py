"""Driving a deployment through the public HTTP API, as any client would."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longshore.client import ApiError, Client, UnreachableError
from longshore.client.stream import EventStream
from longshore.demo.narrator import Events, Narrator
from longshore.demo.places import Place
from longshore.spec.loading import load

OPERATION_WITHIN = 240.0
"""Seconds for one operation; on two slow cores the longest takes about forty."""
SEEN_WITHIN = 30.0
"""Seconds until something that was done shows."""
LOOK_EVERY = 0.5


class DemoError(Exception):
    """The demo cannot go on: one line that says why, and what to do."""


class Driver:
    """What the demo does to its deployment, told as it happens."""

    def __init__(self, client: Client, place: Place, narrator: Narrator) -> None:
        self._client = client
        self._place = place
        self._name = place.deployment
        self._path = f"/v1/deployments/{self._name}"
        self._narrator = narrator

    def registered(self) -> dict[str, Any]:
        """Version → its spec, of the versions that are registered already."""
        try:
            items = list(self._client.items(f"/v1/models/{self._place.model}/versions"))
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {item["version"]: item["spec"] for item in items}

    def apply(self, *manifests: Path) -> list[dict[str, Any]]:
        """Apply manifests and return what came of each."""
        loaded = load([str(file) for file in manifests])
        body = {
            "documents": [item.content for item in loaded],
            "sources": [{"file": item.source, "line": item.line} for item in loaded],
        }
        items: list[dict[str, Any]] = self._client.post("/v1/apply", body)["items"]
        return items

    def roll(self, manifest: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Apply the deployment's manifest, and follow the operation to its end.

        Returns:
            The operation as the API has it in the end, and its events.

        Raises:
            DemoError: nothing began, or it stands still.
        """
        stream = EventStream(self._client, self._name)
        stream.begin()
        try:
            (item,) = self.apply(manifest)
            if item["operation"] is None:
                raise DemoError(f"{self._name} {item['message']}")
            return self._follow(stream, item["operation"])
        finally:
            stream.close()

    def clear(self) -> None:
        """Retire what an earlier demo left serving.

        Raises:
            DemoError: the name is taken by something that no demo made.
        """
        try:
            there = self._client.get(f"{self._path}/detail")
        except ApiError as error:
            if error.status == 404:
                return
            raise
        if there["retired"]:
            return
        target = there["deployment"]["target"]
        if target != self._place.target:
            raise DemoError(
                f"a deployment {self._name} on target {target} is there that is not the demo's: run the demo in "
                "another LONGSHORE_HOME, or longshore delete it"
            )
        self._narrator.chapter("Clearing the table")
        self._narrator.tell("an earlier demo is still there: retiring its deployment first", "→")
        stream = EventStream(self._client, self._name)
        stream.begin()
        try:
            self._follow(stream, self._client.delete(self._path)["operation"])
        finally:
            stream.close()

    def deployment(self) -> dict[str, Any] | None:
        """The deployment as people see it; None while the API cannot say."""
        return self._asked(self._path)

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something is so.

        Raises:
            DemoError: it was not, within `SEEN_WITHIN`.
        """
        deadline = time.monotonic() + SEEN_WITHIN
        while not holds():
            if time.monotonic() > deadline:
                raise DemoError(f"not seen within {SEEN_WITHIN:g} s: {what}; see longshore get deployment {self._name}")
            time.sleep(LOOK_EVERY)

    def _follow(self, stream: EventStream, operation_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Tell the operation's events until it has ended."""
        deadline = time.monotonic() + OPERATION_WITHIN
        events: list[dict[str, Any]] = []
        told = Events(self._narrator)

        def take(event: dict[str, Any]) -> None:
            if event["operation"] == operation_id:
                events.append(event)
                told.tell(event)

        while True:
            while event := stream.next(LOOK_EVERY):
                take(event)
            told.pause()
            operation = self._operation(operation_id)
            if operation and operation["endedAt"]:
                # The stream may lag behind the look.
                for event in self._client.get("/v1/events", deployment=self._name, after=stream.position)["items"]:
                    take(event)
                told.pause()
                return operation, events
            if operation and operation["phase"] == "Paused":
                raise DemoError(f"{operation_id} is paused: {operation['message']}")
            if time.monotonic() > deadline:
                where = f"see longshore rollout status {self._name}"
                raise DemoError(f"{operation_id} did not end within {OPERATION_WITHIN:g} s: {where}")

    def _operation(self, operation_id: str) -> dict[str, Any] | None:
        """The operation, if the API can show it now."""
        latest = self._asked(f"{self._path}/rollout")
        return latest if latest and latest["id"] == operation_id else None

    def _asked(self, path: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.get(path)
        except UnreachableError:
            return None
        except ApiError as error:
            if error.status == 404 or error.passing:
                return None
            raise
        return found
