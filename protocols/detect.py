"""Which protocol a connection speaks, told from its first bytes.

Pure: a start is a protocol's, may still become one (then it is shorter than 80 bytes), or is nobody's.
"""

from typing import Final

AMQP: Final = "amqp"
MQTT: Final = "mqtt"
STOMP: Final = "stomp"
HTTP: Final = "http"
TLS: Final = "tls"
UNKNOWN: Final = "unknown"
UNDECIDED: Final = ""

# STOMP's command is whole only with the end of its line: `CONNECT host:443` is HTTP.
_STOMP_STARTS: Final = (
    (b"STOMP\n", STOMP),
    (b"STOMP\r\n", STOMP),
    (b"CONNECT\n", STOMP),
    (b"CONNECT\r\n", STOMP),
)
_STARTS: Final = (
    (b"AMQP", AMQP),  # AMQP 0-9-1 §4.2.2; the version behind it is for the machine to judge
    *_STOMP_STARTS,
    (b"\x16\x03", TLS),  # a handshake record (RFC 8446 §5.1)
    (b"GET ", HTTP),
    (b"HEAD ", HTTP),
    (b"POST ", HTTP),
    (b"PUT ", HTTP),
    (b"DELETE ", HTTP),
    (b"OPTIONS ", HTTP),
    (b"PATCH ", HTTP),
    (b"CONNECT ", HTTP),
)
# Behind the fixed header of a CONNECT: the name of MQTT 3.1.1 and 5.0, and that of 3.1.
_MQTT_STARTS: Final = ((b"\x00\x04MQTT", MQTT), (b"\x00\x06MQIsdp", MQTT))

_MQTT_CONNECT: Final = 0x10  # type 1, no flags (MQTT 3.1.1 §3.1.1)
_MQTT_LENGTH_BYTES: Final = 4  # of the remaining length, at most (MQTT 3.1.1 §2.2.3)
_EOLS_LIMIT_BYTES: Final = 64  # empty lines that may come before a STOMP command

_CR: Final = 0x0D
_LF: Final = 0x0A


def detect(start: bytes) -> str:
    """Return the protocol that `start` begins, UNDECIDED while more bytes must tell, or UNKNOWN."""
    if not start:
        return UNDECIDED
    first = start[0]
    if first == _MQTT_CONNECT:
        return _detect_mqtt(start)
    if first in {_CR, _LF}:
        return _detect_behind_eols(start)
    return _match(start, _STARTS)


def _match(start: bytes, known: tuple[tuple[bytes, str], ...]) -> str:
    undecided = False
    for pattern, protocol in known:
        if start.startswith(pattern):
            return protocol
        undecided = undecided or pattern.startswith(start)
    return UNDECIDED if undecided else UNKNOWN


def _detect_mqtt(start: bytes) -> str:
    for name_at in range(2, 2 + _MQTT_LENGTH_BYTES):
        if name_at > len(start):
            return UNDECIDED
        if start[name_at - 1] < 0x80:
            return _match(start[name_at:], _MQTT_STARTS)
    return UNKNOWN


def _detect_behind_eols(start: bytes) -> str:
    position = 0
    while position < len(start) and start[position] in {_CR, _LF}:
        if start[position] == _CR and start[position + 1 : position + 2] not in {b"\n", b""}:
            return UNKNOWN  # a lone carriage return ends no line
        position += 1
    return _match(start[position:], _STOMP_STARTS) if position <= _EOLS_LIMIT_BYTES else UNKNOWN
