"""The errors of frames that are not what a frame is, or not one that may come now, in RabbitMQ's words."""

from typing import Final

from protocols.amqp.errors import FRAME_ERROR, UNEXPECTED_FRAME, PeerError
from protocols.amqp.frames import KNOWN_FRAMES, METHOD, METHOD_FRAME_MIN_BYTES, START_BYTES

SHOWN_OCTETS: Final = 16


def frame_too_large(data: bytes, at: int, size: int, limit: int) -> PeerError:
    """Return the error of a frame that announces more than the limit."""
    text = f"type {data[at]}, all octets = <<>>: {{frame_too_large,{size},{limit}}}"
    return PeerError(FRAME_ERROR, text, offender=0, lost=True)


def wrong_end(data: bytes, at: int, after: int) -> PeerError:
    """Return the error of a frame that does not end with the end octet (AMQP 0-9-1 §4.2.3)."""
    text = f"{_described(data, at, after)}: {{invalid_frame_end_marker,{data[after - 1]}}}"
    return PeerError(FRAME_ERROR, text, offender=0, lost=True)


def unexpected_frame(data: bytes, at: int, after: int) -> PeerError:
    """Return the error of a frame that may not come now, or of a type that there is not, or a method without its ids."""
    described = _described(data, at, after)
    without_ids = data[at] == METHOD and after - at < METHOD_FRAME_MIN_BYTES
    if without_ids or data[at] not in KNOWN_FRAMES:
        return PeerError(FRAME_ERROR, f"{described}: unknown_frame", offender=0)
    return PeerError(UNEXPECTED_FRAME, described, offender=0)


def _described(data: bytes, at: int, after: int) -> str:
    payload = data[at + START_BYTES : after - 1]
    which = "all" if len(payload) <= SHOWN_OCTETS else f"first {SHOWN_OCTETS}"
    octets = ",".join([str(octet) for octet in payload[:SHOWN_OCTETS]])
    return f"type {data[at]}, {which} octets = <<{octets}>>"
