"""The rare packets as typed values: CONNECT, SUBSCRIBE, UNSUBSCRIBE in; CONNACK, SUBACK, UNSUBACK out.

`decode_…` gets the bytes behind the fixed header and raises a PeerError. It says what the packet is; whether it is
welcome is decided by the connection.
"""

from typing import Final

from protocols.mqtt.errors import UNACCEPTABLE_PROTOCOL, Forbidden, Malformed, Refused
from protocols.mqtt.frames import BYTE, encode_length, two_bytes
from protocols.mqtt.reader import Reader

LEVELS: Final = {b"MQTT": 4, b"MQIsdp": 3}  # the protocol level that each name is served at: 3.1.1 and 3.1
V3_1: Final = 3

# Connect flags (§3.1.2.3).
RESERVED: Final = 0x01
CLEAN_SESSION: Final = 0x02
WILL: Final = 0x04
WILL_RETAIN: Final = 0x20
PASSWORD: Final = 0x40
USERNAME: Final = 0x80


class WillFields:
    """The will of a CONNECT as received."""

    def __init__(self, topic: bytes, body: bytes, qos: int, *, retain: bool) -> None:
        self.topic = topic
        self.body = body
        self.qos = qos
        self.retain = retain


class Connect:
    """The CONNECT packet (§3.1). A `username` or `password` of None was not given."""

    def __init__(
        self,
        level: int,
        client_id: str,
        keep_alive_s: int,
        will: WillFields | None,
        username: str | None,
        password: bytes | None,
        *,
        clean: bool,
    ) -> None:
        self.level = level
        self.client_id = client_id
        self.keep_alive_s = keep_alive_s
        self.will = will
        self.username = username
        self.password = password
        self.clean = clean


class Subscribe:
    """The SUBSCRIBE packet (§3.8): filters with the QoS asked for."""

    def __init__(self, packet_id: int, filters: list[tuple[str, int]]) -> None:
        self.packet_id = packet_id
        self.filters = filters


class Unsubscribe:
    """The UNSUBSCRIBE packet (§3.10)."""

    def __init__(self, packet_id: int, filters: list[str]) -> None:
        self.packet_id = packet_id
        self.filters = filters


def decode_connect(data: bytes) -> Connect:
    """Decode CONNECT; Refused when its protocol level is not ours, before what follows is looked at."""
    reader = Reader("CONNECT", data)
    name = reader.binary()
    served = LEVELS.get(name)
    if served is None:
        raise Forbidden("CONNECT with a protocol name that is not MQTT [MQTT-3.1.2-1]")
    level = reader.byte()
    if level != served:
        raise Refused(UNACCEPTABLE_PROTOCOL, f"protocol level {level} is not supported [MQTT-3.1.2-2]")
    flags = reader.byte()
    if flags & RESERVED and level != V3_1:
        raise Malformed("CONNECT with its reserved flag set [MQTT-3.1.2-3]")
    keep_alive_s = reader.number()
    client_id = reader.text("client id")
    will = _read_will(reader, flags)
    username = reader.text("user name") if flags & USERNAME else None
    password = reader.binary() if flags & PASSWORD else None
    if username is None and password is not None:
        raise Malformed("CONNECT with a password and without a user name [MQTT-3.1.2-22]")
    reader.finish()
    return Connect(level, client_id, keep_alive_s, will, username, password, clean=bool(flags & CLEAN_SESSION))


def _read_will(reader: Reader, flags: int) -> WillFields | None:
    qos = flags >> 3 & 3
    retain = bool(flags & WILL_RETAIN)
    if not flags & WILL:
        if qos or retain:
            raise Malformed("CONNECT with the QoS or retain flag of a will and no will [MQTT-3.1.2-13]")
        return None
    if qos == 3:
        raise Malformed("CONNECT with a will of QoS 3 [MQTT-3.1.2-14]")
    topic = reader.binary()
    return WillFields(topic, reader.binary(), qos, retain=retain)


def decode_subscribe(data: bytes) -> Subscribe:
    """Decode SUBSCRIBE."""
    reader = Reader("SUBSCRIBE", data)
    packet_id = reader.packet_id()
    filters: list[tuple[str, int]] = []
    while not reader.finished:
        topic_filter = _read_filter(reader)
        qos = reader.byte()
        if qos > 2:
            raise Malformed("SUBSCRIBE with reserved bits or QoS 3 [MQTT-3.8.3-4]")
        filters.append((topic_filter, qos))
    if not filters:
        raise Malformed("SUBSCRIBE without a topic filter [MQTT-3.8.3-3]")
    return Subscribe(packet_id, filters)


def decode_unsubscribe(data: bytes) -> Unsubscribe:
    """Decode UNSUBSCRIBE."""
    reader = Reader("UNSUBSCRIBE", data)
    packet_id = reader.packet_id()
    filters: list[str] = []
    while not reader.finished:
        filters.append(_read_filter(reader))
    if not filters:
        raise Malformed("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(packet_id, filters)


def _read_filter(reader: Reader) -> str:
    topic_filter = reader.text("topic filter")
    if not topic_filter:
        raise Malformed("topic filter is empty [MQTT-4.7.3-1]")
    return topic_filter


def encode_connack(code: int, *, session_present: bool) -> bytes:
    """Encode CONNACK (§3.2)."""
    return b"\x20\x02" + (b"\x01" if session_present else b"\x00") + BYTE[code]


def encode_suback(packet_id: int, codes: list[int]) -> bytes:
    """Encode SUBACK, one code for each filter in order [MQTT-3.8.4-5]."""
    return b"\x90" + encode_length(2 + len(codes)) + two_bytes(packet_id) + bytes(codes)


def encode_unsuback(packet_id: int) -> bytes:
    """Encode UNSUBACK (§3.11)."""
    return b"\xb0\x02" + two_bytes(packet_id)
