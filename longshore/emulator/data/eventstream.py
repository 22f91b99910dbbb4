"""Messages of `application/vnd.amazon.eventstream`: what a streamed answer is made of.

A message is a prelude (its length, the length of its headers, a CRC of both), headers, a payload, and a CRC of it all.
Source: Amazon Transcribe Developer Guide, "Event stream encoding"; the events are those of the shape `ResponseStream`.
"""

import json
import struct
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_STRING = 7
"""The type of a header whose value is text."""
_FRAME = 16
"""Bytes of a message besides headers and payload: two lengths and two CRCs."""


def payload_part(content: bytes) -> bytes:
    """The event `PayloadPart`: a part of the model's answer."""
    headers = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}
    return encode(headers, content)


def stream_error(name: str, message: str, code: str | None = None) -> bytes:
    """An exception in mid stream, `ModelStreamError` or `InternalStreamFailure`, after which nothing comes."""
    headers = {":message-type": "exception", ":exception-type": name, ":content-type": "application/json"}
    content = {"Message": message} | ({"ErrorCode": code} if code else {})
    return encode(headers, json.dumps(content).encode())


def encode(headers: dict[str, str], payload: bytes) -> bytes:
    """One message with headers of text."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack("!II", _FRAME + len(head) + len(payload), len(head))
    message = lengths + struct.pack("!I", crc32(lengths)) + head + payload
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    key, content = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(content)) + content
