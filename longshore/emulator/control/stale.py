"""Eventual consistency: Describe answers with what was true a while ago.

Source: `CreateEndpoint`: "When you read data from a DynamoDB table supporting Eventually Consistent Reads, the response
might not reflect the results of a recently completed write operation."
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from longshore.emulator.control.account import COMPONENT, ENDPOINT, Params, arn_of
from longshore.emulator.errors import AwsError, not_found
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.world import World

_NAMED = {
    "DescribeEndpoint": ("EndpointName", ENDPOINT),
    "DescribeInferenceComponent": ("InferenceComponentName", COMPONENT),
}

Answer = Mapping[str, Any] | AwsError | None


class _Read(NamedTuple):
    handler: Handler
    member: str
    """The parameter that names the resource."""


class StaleReads:
    """Keeps what Describe would have answered after every change while the fault is injected."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reads: dict[str, _Read] = {}
        self._known: dict[tuple[str, str], list[tuple[float, Answer]]] = {}
        self._since: float | None = None
        world.watchers.append(self._record)

    def behind(self, operation: str, handler: Handler) -> Handler:
        """A Describe that answers late while the fault is injected; any other operation as it is."""
        if operation not in _NAMED:
            return handler
        member, kind = _NAMED[operation]
        self._reads[operation] = _Read(handler, member)

        def read(caller: Caller, params: Params) -> Mapping[str, Any] | None:
            self._record()
            if self._since is None:
                return handler(caller, params)
            answer = self._then(operation, params[member])
            if isinstance(answer, AwsError):
                raise answer
            if answer is None:
                raise not_found(kind, arn_of(kind, caller.region, params[member]))
            return answer

        return read

    def _then(self, operation: str, name: str) -> Answer:
        instant = self._world.now() - self._world.faults.now.stale_seconds
        past = [answer for at, answer in self._known.get((operation, name), []) if at <= instant]
        return past[-1] if past else None

    def _record(self) -> None:
        if self._world.faults.now.stale_seconds <= 0:
            self._since = None
            self._known.clear()
            return
        # What was there before the fault was injected has always been so, as far as anybody reads.
        at = self._world.now() if self._since is not None else float("-inf")
        self._since = self._world.now() if self._since is None else self._since
        for operation, read in self._reads.items():
            kind = self._world.endpoints if operation == "DescribeEndpoint" else self._world.components
            gone = {name for known, name in self._known if known == operation} - set(kind)
            for name in [*kind, *gone]:
                self._keep(operation, name, at, _answer(read, name))

    def _keep(self, operation: str, name: str, at: float, answer: Answer) -> None:
        history = self._known.setdefault((operation, name), [])
        if not history or not _same(history[-1][1], answer):
            history.append((at, answer))


def _answer(read: _Read, name: str) -> Answer:
    try:
        return read.handler(Caller("us-east-1", ""), {read.member: name})
    except AwsError as error:
        return error


def _same(one: Answer, other: Answer) -> bool:
    if isinstance(one, AwsError) and isinstance(other, AwsError):
        return one.message == other.message
    return one == other
