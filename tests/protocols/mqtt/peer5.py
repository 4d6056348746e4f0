"""A client of MQTT 5.0 for tests: packets made and read with code of their own."""

from dataclasses import dataclass, field
from typing import Any, Final

from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import field as text_field
from tests.protocols.mqtt.peer import frame
from tests.protocols.world import World

# Names and types of properties (MQTT 5.0 table 2-4): byte, two bytes, four bytes, variable, text, data, pair.
TABLE: Final = {
    "payload_format": (0x01, "1"),
    "message_expiry": (0x02, "4"),
    "content_type": (0x03, "t"),
    "response_topic": (0x08, "t"),
    "correlation_data": (0x09, "d"),
    "subscription_identifier": (0x0B, "v"),
    "session_expiry": (0x11, "4"),
    "assigned_client_id": (0x12, "t"),
    "server_keep_alive": (0x13, "2"),
    "authentication_method": (0x15, "t"),
    "authentication_data": (0x16, "d"),
    "request_problem": (0x17, "1"),
    "will_delay": (0x18, "4"),
    "request_response": (0x19, "1"),
    "reason_string": (0x1F, "t"),
    "receive_maximum": (0x21, "2"),
    "topic_alias_maximum": (0x22, "2"),
    "topic_alias": (0x23, "2"),
    "user": (0x26, "p"),
    "maximum_packet_size": (0x27, "4"),
    "shared_available": (0x2A, "1"),
}
BY_ID: Final = {number: (name, kind) for name, (number, kind) in TABLE.items()}
LISTS: Final = {"user", "subscription_identifier"}  # in a PUBLISH from the broker there may be several of these

Properties = dict[str, Any]


def variable(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes([value % 128 + 128])
        value //= 128
    return data + bytes([value])


def properties(said: Properties) -> bytes:
    """Encode properties with their length."""
    data = b""
    for name, value in said.items():
        number, kind = TABLE[name]
        for one in value if isinstance(value, list) else [value]:
            data += bytes([number]) + _encoded(kind, one)
    return variable(len(data)) + data


def _encoded(kind: str, value: Any) -> bytes:
    if kind in "124":
        return int(value).to_bytes(int(kind), "big")
    if kind == "v":
        return variable(value)
    if kind == "p":
        return text_field(value[0]) + text_field(value[1])
    return text_field(value)


class Cursor:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        assert len(taken) == count, "a packet is shorter than its fields"
        self.at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def variable(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def properties(self) -> Properties:
        inner = Cursor(self.take(self.variable()))
        said: Properties = {}
        while inner.at < len(inner.data):
            name, kind = BY_ID[inner.number(1)]
            value: Any
            if kind in "124":
                value = inner.number(int(kind))
            elif kind == "v":
                value = inner.variable()
            elif kind == "p":
                value = (inner.take(inner.number(2)).decode(), inner.take(inner.number(2)).decode())
            else:
                value = inner.take(inner.number(2))
                value = value.decode() if kind == "t" else value
            if name in LISTS:
                said.setdefault(name, []).append(value)
            else:
                assert name not in said
                said[name] = value
        return said


@dataclass
class Packet:
    """A packet from the broker."""

    name: str
    packet_id: int = 0
    codes: bytes = b""
    said: Properties = field(default_factory=dict)
    topic: str = ""
    body: bytes = b""
    qos: int = 0
    dup: bool = False
    retain: bool = False
    present: bool = False


ACKS: Final = {0x40: "PUBACK", 0x50: "PUBREC", 0x62: "PUBREL", 0x70: "PUBCOMP"}


def read(data: bytes) -> list[Packet]:
    """Read what the broker wrote; AssertionError when it is not a whole number of packets."""
    found: list[Packet] = []
    while data:
        head = Cursor(data)
        first, length = head.number(1), head.variable()
        payload, data = Cursor(head.take(length)), head.rest()
        found.append(_read_packet(first, payload))
        assert payload.at == length, "a packet is longer than its fields"
    return found


def _read_packet(first: int, payload: Cursor) -> Packet:
    if first >> 4 == 3:
        topic, qos = payload.take(payload.number(2)).decode(), first >> 1 & 3
        packet_id = payload.number(2) if qos else 0
        said = payload.properties()
        flags = {"dup": bool(first & 8), "retain": bool(first & 1)}
        return Packet("PUBLISH", packet_id, b"", said, topic, payload.rest(), qos, **flags)
    if first == 0x20:
        present, code = payload.number(1), payload.take(1)
        return Packet("CONNACK", 0, code, payload.properties(), present=bool(present))
    if first in ACKS:
        packet_id = payload.number(2)
        code = payload.take(1) if payload.at < len(payload.data) else b"\0"
        return Packet(ACKS[first], packet_id, code, payload.properties() if payload.at < len(payload.data) else {})
    if first in {0x90, 0xB0}:
        packet_id, said = payload.number(2), payload.properties()
        return Packet("SUBACK" if first == 0x90 else "UNSUBACK", packet_id, payload.rest(), said)
    if first == 0xE0:
        code = payload.take(1) if payload.data else b"\0"
        return Packet("DISCONNECT", 0, code, payload.properties() if payload.at < len(payload.data) else {})
    if first == 0xF0:
        code = payload.take(1) if payload.data else b"\0"
        return Packet("AUTH", 0, code, payload.properties() if payload.at < len(payload.data) else {})
    assert first == 0xD0
    return Packet("PINGRESP")


@dataclass
class Will5:
    topic: str
    body: bytes
    qos: int = 0
    retain: bool = False
    said: Properties = field(default_factory=dict)


def connect5(
    client_id: str = "c",
    *,
    clean: bool = True,
    keep_alive_s: int = 0,
    will: Will5 | None = None,
    username: str | None = None,
    password: bytes | None = None,
    **said: Any,
) -> bytes:
    flags, payload = 2 * clean, text_field(client_id)
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        payload += properties(will.said) + text_field(will.topic) + text_field(will.body)
    if username is not None:
        flags |= 0x80
        payload += text_field(username)
    if password is not None:
        flags |= 0x40
        payload += text_field(password)
    header = text_field("MQTT") + bytes([5, flags]) + keep_alive_s.to_bytes(2, "big") + properties(said)
    return frame(0x10, header + payload)


def publish5(
    topic: str, body: bytes, qos: int = 0, packet_id: int = 1, *, dup: bool = False, retain: bool = False, **said: Any
) -> bytes:
    identity = packet_id.to_bytes(2, "big") if qos else b""
    return frame(0x30 | dup << 3 | qos << 1 | retain, text_field(topic) + identity + properties(said) + body)


def subscribe5(*filters: tuple[str, int], packet_id: int = 1, **said: Any) -> bytes:
    payload = b"".join(text_field(topic) + bytes([options]) for topic, options in filters)
    return frame(0x82, packet_id.to_bytes(2, "big") + properties(said) + payload)


def unsubscribe5(*filters: str, packet_id: int = 1) -> bytes:
    return frame(0xA2, packet_id.to_bytes(2, "big") + b"\0" + b"".join(text_field(topic) for topic in filters))


def ack(first: int, packet_id: int, code: int | None = None) -> bytes:
    return frame(first, packet_id.to_bytes(2, "big") + (b"" if code is None else bytes([code])))


def auth5(code: int, **said: Any) -> bytes:
    return frame(0xF0, bytes([code]) + properties(said))


def disconnect5(code: int = 0, **said: Any) -> bytes:
    return frame(0xE0, bytes([code]) + properties(said))


class Client5:
    """One connected client. `connack` is what its CONNECT was answered with, `greeted` what came behind it."""

    def __init__(self, world: World, client_id: str = "c", **options: Any) -> None:
        self.wire = world.connect(MqttConnection)
        self.connack, *self.greeted = self.send(connect5(client_id, **options))
        assert self.connack.name == "CONNACK"

    def send(self, *packets: bytes) -> list[Packet]:
        """Send packets in one chunk and return what is answered."""
        return read(self.wire.send(b"".join(packets)))

    def subscribe(self, *filters: tuple[str, int], **said: Any) -> list[Packet]:
        """Subscribe and return what comes behind the SUBACK."""
        suback, *rest = self.send(subscribe5(*filters, **said))
        assert (suback.name, suback.codes) == ("SUBACK", bytes(options & 3 for _, options in filters))
        return rest

    def publish(self, topic: str, body: bytes, qos: int = 0, packet_id: int = 1, **said: Any) -> list[Packet]:
        """Publish and return what is answered; QoS 2 goes through all four steps."""
        answers = self.send(publish5(topic, body, qos, packet_id, **said))
        if qos == 2:
            answers += self.send(ack(0x62, packet_id))
        return answers

    def take(self) -> list[Packet]:
        """Return what came since the last call."""
        return read(self.wire.take())

    def hang_up(self) -> None:
        self.wire.hang_up()

    @property
    def closed(self) -> bool:
        return self.wire.closed
