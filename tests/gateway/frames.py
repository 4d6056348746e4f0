"""The client's side of WebSocket (RFC 6455 §5), written down byte by byte for tests."""

from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MASK: Final = bytes.fromhex("37fa213d")  # of the examples in §5.7


def frame(opcode: int, payload: bytes = b"", *, whole: bool = True, mask: bytes = MASK) -> bytes:
    """Return a frame of a client."""
    size = len(payload)
    head = bytes([(0x80 if whole else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def closing(code: int, reason: str = "") -> bytes:
    """Return a close frame of a client."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        assert self.opcode == CLOSE
        return int.from_bytes(self.payload[:2], "big")


def parsed(data: bytes) -> list[Frame]:
    """Return the frames of the server, which must be whole, unmasked and not fragmented."""
    found: list[Frame] = []
    while data:
        assert data[0] & 0x70 == 0
        assert data[0] & 0x80
        size, at = data[1], 2
        assert size < 128
        if size >= 126:
            at += 2 if size == 126 else 8
            size = int.from_bytes(data[2:at], "big")
        assert len(data) >= at + size
        found.append(Frame(data[0] & 0x0F, data[at : at + size]))
        data = data[at + size :]
    return found
