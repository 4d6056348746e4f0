"""The protocol header, and what else may come in its place (AMQP 0-9-1 §4.2.2).

Whatever is not ours is answered with the header that would be, and the connection is closed: that is what the
specification asks for and what clients look for, so HTTP is answered no other way. The log says in words what came.
"""

from typing import Final

from protocols.amqp.frames import OLD_PROTOCOL_HEADER, PROTOCOL_HEADER
from protocols.detect import AMQP, HTTP, MQTT, STOMP, TLS, detect

HEADER_BYTES: Final = 8
SHOWN_BYTES: Final = 64  # of what came, at most, to tell what it is

_SPEAKERS: Final[dict[str, str]] = {
    HTTP: "HTTP, which this port does not speak",
    MQTT: "MQTT, which this port does not speak",
    STOMP: "STOMP, which this port does not speak",
}
# Behind `AMQP`: protocol id, major, minor, revision. Id 2 is TLS and id 3 is SASL of AMQP 1.0 (§2.2, §5.2.1, §5.3.2).
_VERSIONS: Final[dict[bytes, str]] = {
    b"\x00\x01\x00\x00": "AMQP 1.0",
    b"\x02\x01\x00\x00": "AMQP 1.0 with TLS",
    b"\x03\x01\x00\x00": "AMQP 1.0 with SASL",
    b"\x01\x01\x00\x0a": "AMQP 0-10",
    b"\x01\x01\x08\x00": "AMQP 0-8",
    b"\x01\x01\x09\x01": "AMQP 0-8",  # as its published specification has it
}


def is_ours(start: bytes) -> bool:
    """Tell whether `start` begins with a header that is served as 0-9-1."""
    head = start[:HEADER_BYTES]
    return head in {PROTOCOL_HEADER, OLD_PROTOCOL_HEADER}


def may_become_ours(start: bytes) -> bool:
    """Tell whether more bytes may make `start` a header of ours."""
    return PROTOCOL_HEADER.startswith(start) or OLD_PROTOCOL_HEADER.startswith(start)


def described(start: bytes, *, encrypted: bool) -> str:
    """Return what `start` is, in words for the log."""
    protocol = detect(start[:SHOWN_BYTES])
    if protocol == TLS:
        return "TLS inside TLS" if encrypted else "TLS, for which this port has no certificate"
    if protocol == AMQP:
        version = _VERSIONS.get(start[4:HEADER_BYTES])
        if version is not None:
            return version
    return _SPEAKERS.get(protocol) or repr(start[:HEADER_BYTES])
