"""What the gateways' words mean for a revision, and what a conversation makes of a gateway's requests."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from longshore.planning.route import Gateway, RefusedRoute
from longshore.traffic import conversation
from longshore.traffic.conversation import Conversation, RefusedError, SilentGatewayError
from longshore.traffic.plane import revision_status
from longshore.traffic.sequence import Kind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BAD = RefusedRoute(deployment="bad", revision=7, message="no such thing")


def gateway(acked: int, *, seconds_ago: float = 1, **more: Any) -> Gateway:
    seen = NOW - timedelta(seconds=seconds_ago)
    return Gateway(node="g", admin=None, connected=True, acked=acked, seen_at=seen, **more)


@pytest.mark.parametrize(
    ("gateways", "acked", "rejected"),
    [
        pytest.param([], False, None, id="nobody has acked nothing"),
        pytest.param([gateway(7)], True, None, id="acked"),
        pytest.param([gateway(9)], True, None, id="a later one holds it"),
        pytest.param([gateway(7), gateway(6)], False, None, id="all must"),
        pytest.param([gateway(7), gateway(6, seconds_ago=30)], False, None, id="one that just left too"),
        pytest.param([gateway(7), gateway(6, seconds_ago=90)], True, None, id="one gone for a minute not"),
        pytest.param([gateway(6, rejected=7, rejection="no")], False, "no", id="refused"),
        pytest.param([gateway(6, rejected=8, rejection="no")], False, "no", id="refused with a later one"),
        pytest.param([gateway(7, rejected=8, rejection="no")], True, None, id="a later refusal does not matter"),
        pytest.param([gateway(9, refused=(BAD,))], False, "no such thing", id="refused while others went on"),
        pytest.param(
            [gateway(9, refused=(BAD.model_copy(update={"revision": 8}),))], True, None, id="another's refusal"
        ),
    ],
)
def test_a_revision_is_acked_when_every_gateway_runs_it(
    gateways: list[Gateway],
    acked: bool,  # noqa: FBT001 a table's column
    rejected: str | None,
) -> None:
    status = revision_status(7, gateways, NOW)
    assert (status.acked, status.rejected) == (acked, rejected)


class Wire:
    """The gateway's end of a stream."""

    def __init__(self) -> None:
        self.sent: list[DiscoveryResponse] = []
        self.conversation = Conversation(self._write)

    async def _write(self, response: DiscoveryResponse) -> None:
        self.sent.append(response)

    async def says(self, kind: Kind, *names: str, nonce: str = "", refused: str | None = None) -> None:
        request = DiscoveryRequest(type_url=kind.value, resource_names=names, response_nonce=nonce)
        if refused is not None:
            request.error_detail.message = refused
        await self.conversation.hear(request)

    def sending(self, kind: Kind, *names: str) -> "asyncio.Task[None]":
        return asyncio.create_task(self.conversation.send(kind, 1, [], frozenset(names)))


async def test_nothing_is_sent_that_was_not_asked_for() -> None:
    wire = Wire()
    sending = wire.sending(Kind.ENDPOINTS, "digits/2")
    await wire.says(Kind.ENDPOINTS, "digits/1")
    await asyncio.sleep(0)
    assert wire.sent == []
    await wire.says(Kind.ENDPOINTS, "digits/1", "digits/2")
    await _turns()
    await wire.says(Kind.ENDPOINTS, "digits/1", "digits/2", nonce=wire.sent[0].nonce)
    await sending


async def test_a_subscription_is_no_ack_of_what_was_sent_since() -> None:
    wire = Wire()
    await wire.says(Kind.ENDPOINTS, "digits/1")
    sending = wire.sending(Kind.ENDPOINTS, "digits/1")
    await _turns()
    await wire.says(Kind.ENDPOINTS, "digits/1", "digits/2", nonce="0")
    await _turns()
    assert not sending.done()
    await wire.says(Kind.ENDPOINTS, "digits/1", "digits/2", nonce=wire.sent[0].nonce)
    await sending


async def test_a_refusal_says_what_the_gateway_said() -> None:
    wire = Wire()
    await wire.says(Kind.CLUSTERS)
    sending = wire.sending(Kind.CLUSTERS)
    await _turns()
    await wire.says(Kind.CLUSTERS, nonce=wire.sent[0].nonce, refused="bad cluster")
    with pytest.raises(RefusedError, match="bad cluster"):
        await sending


async def test_a_gateway_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "ANSWER_S", 0.01)
    wire = Wire()
    await wire.says(Kind.CLUSTERS)
    with pytest.raises(SilentGatewayError, match="no answer to clusters"):
        await wire.sending(Kind.CLUSTERS)


async def _turns() -> None:
    """Let what can run, run."""
    for _ in range(5):
        await asyncio.sleep(0)
