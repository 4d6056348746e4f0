"""A client of either version for tests of what both specifications ask for: the same calls, and packets read the same way."""

from typing import Any, Final

from tests.protocols.mqtt import peer
from tests.protocols.mqtt.peer import Client, Publish, Said, Will
from tests.protocols.mqtt.peer5 import Client5, Packet, Will5, ack, publish5, subscribe5, unsubscribe5
from tests.protocols.world import World

VERSIONS: Final = (4, 5)
KEPT_S: Final = 3_600  # how long a session of 5.0 is kept that is not clean


class Either:
    """One connected client. What it reads are the packets of 5.0; those of 3.1.1 have no properties and no codes."""

    def __init__(
        self, world: World, version: int, name: str = "c", *, clean: bool = True, will: Will | None = None, **more: Any
    ) -> None:
        self.version = version
        self.inner: Client | Client5
        if version == 5:
            will5 = None if will is None else Will5(will.topic, will.body, will.qos, will.retain)
            said = more if clean else {"session_expiry": KEPT_S, **more}
            newer = Client5(world, name, clean=clean, will=will5, **said)
            self.inner, self.greeted, self.present = newer, newer.greeted, newer.connack.present
        else:
            older = Client(world, name, clean=clean, will=will, **more)
            self.inner, self.present = older, older.connack == peer.RESUMED
            self.greeted = [_as_packet(said) for said in older.greeted]

    def send(self, *packets: bytes) -> list[Packet]:
        return [_as_packet(said) for said in self.inner.send(*packets)]

    def take(self) -> list[Packet]:
        return [_as_packet(said) for said in self.inner.take()]

    def publish(self, topic: str, body: bytes, qos: int = 0, packet_id: int = 1, **flags: bool) -> list[Packet]:
        """Send a PUBLISH and nothing more."""
        make = publish5 if self.version == 5 else peer.publish
        return self.send(make(topic, body, qos, packet_id, **flags))

    def subscribe(self, *filters: tuple[str, int], packet_id: int = 1) -> list[Packet]:
        make = subscribe5 if self.version == 5 else peer.subscribe
        return self.send(make(*filters, packet_id=packet_id))

    def unsubscribe(self, *filters: str, packet_id: int = 1) -> list[Packet]:
        make = unsubscribe5 if self.version == 5 else peer.unsubscribe
        return self.send(make(*filters, packet_id=packet_id))

    def answer(self, first: int, packet_id: int) -> list[Packet]:
        """Acknowledge: PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte."""
        return self.send(ack(first, packet_id))

    def hang_up(self) -> None:
        self.inner.hang_up()

    @property
    def closed(self) -> bool:
        return self.inner.closed


def _as_packet(said: Packet | Said) -> Packet:
    if isinstance(said, Packet):
        return said
    if isinstance(said, Publish):
        return Packet("PUBLISH", said.packet_id, b"", {}, said.topic, said.body, said.qos, said.dup, said.retain)
    return Packet(said.name, said.packet_id, said.codes)


def bodies(said: list[Packet]) -> list[bytes]:
    return [packet.body for packet in said if packet.name == "PUBLISH"]


def names(said: list[Packet]) -> list[tuple[str, int]]:
    return [(packet.name, packet.packet_id) for packet in said]
