"""Event streams: botocore's own parser reads what is encoded, and checks every CRC in it."""

import json

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from longshore.emulator.data.eventstream import payload_part, stream_error


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_parts_are_read_back_in_their_order(parts: list[bytes]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(payload_part(part) for part in parts))
    read = list(buffer)
    assert [message.payload for message in read] == parts
    assert all(message.headers[":event-type"] == "PayloadPart" for message in read)


def test_an_error_in_mid_stream_names_its_exception() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(stream_error("ModelStreamError", "the connection was lost", "ModelInvocationTimeExceeded"))
    (message,) = list(buffer)
    assert (message.headers[":message-type"], message.headers[":exception-type"]) == ("exception", "ModelStreamError")
    assert json.loads(message.payload) == {
        "Message": "the connection was lost",
        "ErrorCode": "ModelInvocationTimeExceeded",
    }


def test_a_bit_that_flips_is_noticed() -> None:
    """That is: the CRCs are really compared."""
    message = bytearray(payload_part(b"abc"))
    message[-5] ^= 1
    buffer = EventStreamBuffer()
    buffer.add_data(bytes(message))
    with pytest.raises(ChecksumMismatch):
        list(buffer)
