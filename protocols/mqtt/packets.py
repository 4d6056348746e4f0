"""CONNECT, and the rare packets of MQTT 3.1.1 as typed values: SUBSCRIBE, UNSUBSCRIBE in; CONNACK, SUBACK, UNSUBACK out.

`decode_…` gets the bytes behind the fixed header and raises a PeerError. It says what the packet is; whether it is
welcome is decided by the connection.
"""

from typing import Final

from protocols.mqtt.errors import UNSUPPORTED_VERSION, Forbidden, Malformed, PeerError, Refused
from protocols.mqtt.frames import BYTE, MARKED_TYPES, RESERVED_TYPE, encode_length, two_bytes
from protocols.mqtt.properties import IN_CONNECT, IN_WILL, NONE, PropertySet, read_properties
from protocols.mqtt.reader import Reader
from protocols.mqtt.topics import has_misplaced_wildcard

V3_1: Final = 3
V3_1_1: Final = 4
V5: Final = 5
LEVELS: Final = {b"MQTT": (V3_1_1, V5), b"MQIsdp": (V3_1,)}  # the protocol levels that each name is served at

# Connect flags (§3.1.2.3).
RESERVED: Final = 0x01
CLEAN_SESSION: Final = 0x02
WILL: Final = 0x04
WILL_RETAIN: Final = 0x20
PASSWORD: Final = 0x40
USERNAME: Final = 0x80


class WillFields:
    """The will of a CONNECT as received."""

    def __init__(self, topic: bytes, body: bytes, qos: int, properties: PropertySet, *, retain: bool) -> None:
        self.topic = topic
        self.body = body
        self.qos = qos
        self.properties = properties
        self.retain = retain


class Connect:
    """The CONNECT packet (§3.1). A `username` or `password` of None was not given.

    `clean` is Clean Session, and from 5.0 on Clean Start.
    """

    def __init__(
        self,
        level: int,
        client_id: str,
        keep_alive_s: int,
        will: WillFields | None,
        username: str | None,
        password: bytes | None,
        properties: PropertySet,
        *,
        clean: bool,
    ) -> None:
        self.level = level
        self.client_id = client_id
        self.keep_alive_s = keep_alive_s
        self.will = will
        self.username = username
        self.password = password
        self.properties = properties
        self.clean = clean


class Subscribe:
    """The SUBSCRIBE packet (§3.8): filters with their options, which in 3.1.1 are the QoS asked for and nothing else."""

    def __init__(self, packet_id: int, filters: list[tuple[str, int]], identifier: int = 0) -> None:
        self.packet_id = packet_id
        self.filters = filters
        self.identifier = identifier  # the subscription identifier of all of them; 0 for none


class Unsubscribe:
    """The UNSUBSCRIBE packet (§3.10)."""

    def __init__(self, packet_id: int, filters: list[str]) -> None:
        self.packet_id = packet_id
        self.filters = filters


def stranger(first: int) -> PeerError:
    """Return what is wrong with a packet that begins like none that a client may send."""
    kind, flags = first >> 4, first & 0x0F
    if flags and kind != RESERVED_TYPE:
        return Malformed(f"packet of type {kind} with flags {flags} [MQTT-2.2.2-2], [MQTT-2.1.3-1]")
    if kind in MARKED_TYPES:
        return Malformed(f"packet of type {kind} without its flags [MQTT-2.2.2-2], [MQTT-2.1.3-1]")
    return Forbidden(f"packet of type {kind}, which clients do not send")


def connect_level(data: bytes) -> int:
    """Return the protocol level of a CONNECT, whether or not it is served: the answer depends on it."""
    reader = Reader("CONNECT", data)
    if reader.binary() not in LEVELS:
        raise Forbidden("CONNECT with a protocol name that is not MQTT [MQTT-3.1.2-1]")
    return reader.byte()


def decode_connect(data: bytes) -> Connect:
    """Decode CONNECT; Refused when its protocol level is not served, before what follows is looked at."""
    reader = Reader("CONNECT", data)
    served = LEVELS.get(reader.binary(), ())
    level = reader.byte()
    if level not in served:
        raise Refused(f"protocol level {level} is not supported [MQTT-3.1.2-2]", UNSUPPORTED_VERSION)
    flags = reader.byte()
    if flags & RESERVED and level != V3_1:
        raise Malformed("CONNECT with its reserved flag set [MQTT-3.1.2-3]")
    keep_alive_s = reader.number()
    properties = read_properties(reader.block(), IN_CONNECT) if level == V5 else NONE
    client_id = reader.text("client id")
    will = _read_will(reader, flags, level)
    username = reader.name("user name") if flags & USERNAME else None
    password = reader.binary() if flags & PASSWORD else None
    if username is None and password is not None and level != V5:
        raise Malformed("CONNECT with a password and without a user name [MQTT-3.1.2-22]")
    reader.finish()
    clean = bool(flags & CLEAN_SESSION)
    return Connect(level, client_id, keep_alive_s, will, username, password, properties, clean=clean)


def _read_will(reader: Reader, flags: int, level: int) -> WillFields | None:
    qos = flags >> 3 & 3
    retain = bool(flags & WILL_RETAIN)
    if not flags & WILL:
        if qos or retain:
            raise Malformed("CONNECT with the QoS or retain flag of a will and no will [MQTT-3.1.2-13]")
        return None
    if qos == 3:
        raise Malformed("CONNECT with a will of QoS 3 [MQTT-3.1.2-14]")
    properties = read_properties(reader.block(), IN_WILL) if level == V5 else NONE
    topic = reader.binary()
    return WillFields(topic, reader.binary(), qos, properties, retain=retain)


def decode_subscribe(data: bytes) -> Subscribe:
    """Decode SUBSCRIBE."""
    reader = Reader("SUBSCRIBE", data)
    packet_id = reader.packet_id()
    filters: list[tuple[str, int]] = []
    while not reader.finished:
        topic_filter = _read_whole_filter(reader)
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
        filters.append(_read_whole_filter(reader))
    if not filters:
        raise Malformed("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(packet_id, filters)


def read_filter(reader: Reader) -> str:
    """Read a topic filter, which is a string and not an empty one."""
    topic_filter = reader.name("topic filter")
    if not topic_filter:
        raise Malformed("topic filter is empty [MQTT-4.7.3-1]")
    return topic_filter


def _read_whole_filter(reader: Reader) -> str:
    """Read a topic filter whose wildcards are where they may be.

    MQTT 3.1.1 closes the connection for any other [MQTT-4.8.0-1]; from 5.0 on SUBACK says which one it was.
    """
    topic_filter = read_filter(reader)
    if has_misplaced_wildcard(topic_filter):
        raise Malformed(f"topic filter '{topic_filter}' has a wildcard in a wrong place [MQTT-4.7.1-2], [MQTT-4.7.1-3]")
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
