"""Clients who send pictures of digits to the gateway, some fifty a second, for as long as the demo goes."""

import asyncio
import json
import threading
from itertools import cycle
from types import TracebackType
from typing import Self

import httpx

from longshore.demo.answers import Answer
from longshore.demo.digits import Question, label_of

REQUESTS_PER_SECOND = 50.0
MOST_IN_FLIGHT = 64
"""A second's worth and more. Where answers lag that far behind, sending waits: a demo shall not flood a machine."""
ANSWER_WITHIN = 20.0
"""Seconds; a request without an answer by then has failed."""
STOPPED_WITHIN = ANSWER_WITHIN + 5.0
VERSION_HEADER = "x-longshore-version"


class Traffic:
    """An open loop: requests go out on the beat, whether or not earlier ones were answered.

    A context manager that sends as long as it is open. `answers` grows meanwhile.
    """

    def __init__(self, url: str, questions: list[Question]) -> None:
        self.answers: list[Answer] = []
        self._url = url
        self._questions = [(json.dumps(question.body).encode(), question.label) for question in questions]
        self._enough = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for the answers that are due."""
        self._enough.set()
        self._thread.join(STOPPED_WITHIN)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        in_flight: set[asyncio.Task[None]] = set()
        beat = loop.time()
        limits = httpx.Limits(max_connections=MOST_IN_FLIGHT, max_keepalive_connections=MOST_IN_FLIGHT)
        async with httpx.AsyncClient(timeout=ANSWER_WITHIN, limits=limits, trust_env=False) as client:
            for body, label in cycle(self._questions):
                if self._enough.is_set():
                    break
                task = asyncio.create_task(self._ask(client, body, label))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
                if len(in_flight) >= MOST_IN_FLIGHT:
                    await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
                # A beat that was missed is left out: a burst after a stall would be nobody's traffic.
                beat = max(beat + 1 / REQUESTS_PER_SECOND, loop.time())
                await asyncio.sleep(beat - loop.time())
            await asyncio.gather(*in_flight)

    async def _ask(self, client: httpx.AsyncClient, body: bytes, label: int) -> None:
        """Send one picture and note what came of it."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        try:
            answer = await client.post(self._url, content=body, headers={"content-type": "application/json"})
            found = label_of(answer.json()) if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            self.answers.append(Answer(sent, clock(), None, failed=True))
            return
        version = answer.headers.get(VERSION_HEADER)
        failed = answer.status_code != 200
        self.answers.append(Answer(sent, clock(), version, failed=failed, wrong=not failed and found != label))
