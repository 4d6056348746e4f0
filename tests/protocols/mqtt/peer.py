"""A client for tests: packets made and read with code of their own, and one call for each thing that a client does."""

from typing import Final, NamedTuple

from protocols.mqtt.connection import MqttConnection
from tests.protocols.world import World

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"


class Will(NamedTuple):
    topic: str
    body: bytes
    qos: int = 0
    retain: bool = False


class Publish(NamedTuple):
    """A PUBLISH as read from the broker."""

    topic: str
    body: bytes
    qos: int = 0
    packet_id: int = 0
    dup: bool = False
    retain: bool = False


class Answer(NamedTuple):
    """Any other packet from the broker: its name and the bytes behind the packet id."""

    name: str
    packet_id: int = 0
    codes: bytes = b""


Said = Publish | Answer


def frame(first: int, payload: bytes) -> bytes:
    length, encoded = len(payload), b""
    while length > 127:
        encoded += bytes([length % 128 + 128])
        length //= 128
    return bytes([first]) + encoded + bytes([length]) + payload


def field(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def connect(
    client_id: str | bytes = "c",
    *,
    clean: bool = True,
    keep_alive_s: int = 0,
    will: Will | None = None,
    username: str | None = None,
    password: bytes | None = None,
    level: int = 4,
) -> bytes:
    flags = 2 * clean
    payload = field(client_id)
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        payload += field(will.topic) + field(will.body)
    if username is not None:
        flags |= 0x80
        payload += field(username)
    if password is not None:
        flags |= 0x40
        payload += field(password)
    name = "MQIsdp" if level == 3 else "MQTT"
    return frame(0x10, field(name) + bytes([level, flags]) + keep_alive_s.to_bytes(2, "big") + payload)


def publish(
    topic: str | bytes, body: bytes, qos: int = 0, packet_id: int = 1, *, dup: bool = False, retain: bool = False
) -> bytes:
    identity = packet_id.to_bytes(2, "big") if qos else b""
    return frame(0x30 | dup << 3 | qos << 1 | retain, field(topic) + identity + body)


def subscribe(*filters: tuple[str, int], packet_id: int = 1) -> bytes:
    payload = b"".join(field(topic) + bytes([qos]) for topic, qos in filters)
    return frame(0x82, packet_id.to_bytes(2, "big") + payload)


def unsubscribe(*filters: str, packet_id: int = 1) -> bytes:
    return frame(0xA2, packet_id.to_bytes(2, "big") + b"".join(field(topic) for topic in filters))


def puback(packet_id: int) -> bytes:
    return frame(0x40, packet_id.to_bytes(2, "big"))


def pubrec(packet_id: int) -> bytes:
    return frame(0x50, packet_id.to_bytes(2, "big"))


def pubrel(packet_id: int) -> bytes:
    return frame(0x62, packet_id.to_bytes(2, "big"))


def pubcomp(packet_id: int) -> bytes:
    return frame(0x70, packet_id.to_bytes(2, "big"))


NAMES: Final = {
    0x20: "CONNACK",
    0x40: "PUBACK",
    0x50: "PUBREC",
    0x62: "PUBREL",
    0x70: "PUBCOMP",
    0x90: "SUBACK",
    0xB0: "UNSUBACK",
    0xD0: "PINGRESP",
}


def read(data: bytes) -> list[Said]:
    """Read what the broker wrote; AssertionError when it is not a whole number of packets."""
    said: list[Said] = []
    while data:
        first, length, shift, at = data[0], 0, 0, 1
        while True:
            length |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                break
        payload, data = data[at : at + length], data[at + length :]
        assert len(payload) == length, "the last packet is cut off"
        if first >> 4 == 3:
            said.append(_read_publish(first, payload))
        elif first == 0x20:
            said.append(Answer("CONNACK", codes=payload))
        else:
            said.append(Answer(NAMES[first], int.from_bytes(payload[:2], "big"), payload[2:]))
    return said


def _read_publish(first: int, payload: bytes) -> Publish:
    end = 2 + int.from_bytes(payload[:2], "big")
    topic, rest, qos = payload[2:end].decode(), payload[end:], first >> 1 & 3
    packet_id = int.from_bytes(rest[:2], "big") if qos else 0
    return Publish(topic, rest[2:] if qos else rest, qos, packet_id, bool(first & 8), bool(first & 1))


class Client:
    """One connected client. `connack` is what its CONNECT was answered with."""

    def __init__(
        self,
        world: World,
        client_id: str = "c",
        *,
        clean: bool = True,
        keep_alive_s: int = 0,
        will: Will | None = None,
        username: str | None = None,
        password: bytes | None = None,
        level: int = 4,
    ) -> None:
        self.wire = world.connect(MqttConnection)
        first, *self.greeted = self.send(
            connect(
                client_id,
                clean=clean,
                keep_alive_s=keep_alive_s,
                will=will,
                username=username,
                password=password,
                level=level,
            )
        )
        assert isinstance(first, Answer)
        self.connack = first.codes

    def send(self, *packets: bytes) -> list[Said]:
        """Send packets in one chunk and return what is answered."""
        return read(self.wire.send(b"".join(packets)))

    def subscribe(self, *filters: tuple[str, int]) -> list[Said]:
        """Subscribe and return what comes behind the SUBACK."""
        suback, *rest = self.send(subscribe(*filters))
        assert isinstance(suback, Answer)
        assert suback == Answer("SUBACK", 1, bytes(qos for _, qos in filters))
        return rest

    def publish(
        self, topic: str, body: bytes, qos: int = 0, packet_id: int = 1, *, dup: bool = False, retain: bool = False
    ) -> list[Said]:
        """Publish and return what is answered; QoS 2 goes through all four steps."""
        said = self.send(publish(topic, body, qos, packet_id, dup=dup, retain=retain))
        if qos == 2:
            said += self.send(pubrel(packet_id))
        return said

    def take(self) -> list[Said]:
        """Return what came since the last call."""
        return read(self.wire.take())

    def hang_up(self) -> None:
        """Close the socket without a DISCONNECT."""
        self.wire.hang_up()

    def disconnect(self) -> None:
        self.send(DISCONNECT)

    @property
    def closed(self) -> bool:
        return self.wire.closed

    @property
    def notes(self) -> list[tuple[str, str]]:
        return self.wire.outlet.notes


ACCEPTED: Final = b"\x00\x00"
RESUMED: Final = b"\x01\x00"
