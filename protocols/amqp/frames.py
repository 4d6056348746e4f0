"""The frame layer: what frames look like, and how the frames of one channel are made (AMQP 0-9-1 §4.2.3).

A frame is type, channel, size, payload and an end octet. A message is a method frame, a content header frame and as
many body frames as the negotiated frame size asks for.
"""

from typing import Final

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
OLD_PROTOCOL_HEADER: Final = b"AMQP\x01\x01\x00\x09"  # of 0-9; RabbitMQ serves it as 0-9-1

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8
KNOWN_FRAMES: Final = frozenset({METHOD, HEADER, BODY, HEARTBEAT})

FRAME_END: Final = 0xCE
END: Final = b"\xce"
START_BYTES: Final = 7  # type, channel, size
OVERHEAD_BYTES: Final = 8  # all of a frame but its payload
METHOD_FRAME_MIN_BYTES: Final = OVERHEAD_BYTES + 4  # class and method id

FRAME_MAX: Final = 131_072  # bytes; RabbitMQ's default frame_max
FRAME_MIN: Final = 4_096  # bytes; what every peer must accept, AMQP 0-9-1 §4.2.3
FIRST_FRAMES_MAX: Final = 8_192  # bytes, before the peer has logged in; RabbitMQ's initial_frame_max
CHANNEL_MAX: Final = 2_047  # RabbitMQ's default channel_max
HEARTBEAT_S: Final = 60  # RabbitMQ's default

HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
CLOSE_OK_FRAME: Final = b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x33\xce"


def method_number(data: bytes, at: int) -> int:
    """Return class and method id, as one number, of the method frame that begins at `at`."""
    at += START_BYTES
    return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]


class Framing:
    """Makes the frames of one channel."""

    def __init__(self, number: int, frame_max: int) -> None:
        channel = number.to_bytes(2, "big")
        self.number = number
        self.method_start = b"\x01" + channel
        self.header_start = b"\x02" + channel
        self.body_start = b"\x03" + channel
        self.payload_limit = frame_max - OVERHEAD_BYTES

    def method(self, payload: bytes) -> bytes:
        """Return a method frame."""
        return b"".join([self.method_start, len(payload).to_bytes(4, "big"), payload, END])

    def content(self, payload: bytes, header: bytes, body: bytes) -> list[bytes]:
        """Return the frames of a method that carries a message.

        `header` is the content header frame behind its channel number, which is how messages keep it.
        """
        start = b"".join([self.method(payload), self.header_start, header])
        return [start, *self.body(body)]

    def body(self, body: bytes) -> list[bytes]:
        """Return the body frames, in pieces that are not copied where the body is large."""
        limit = self.payload_limit
        pieces: list[bytes] = []
        for at in range(0, len(body), limit):
            piece = body if len(body) <= limit else body[at : at + limit]
            pieces.append(self.body_start + len(piece).to_bytes(4, "big"))
            pieces.append(piece)
            pieces.append(END)
        return pieces
