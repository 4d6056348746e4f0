"""What the tests of shared subscriptions share: members of one group, and messages for it."""

from typing import Any, Final

from core.model.names import DEFAULT_VHOST
from tests.protocols.mqtt.peer5 import Client5, Packet, ack
from tests.protocols.world import World

SHARED: Final = "$share/g/t/#"
PERSISTENT: Final[dict[str, Any]] = {"clean": False, "session_expiry": 100}


def bodies(said: list[Packet]) -> list[bytes]:
    assert {packet.name for packet in said} <= {"PUBLISH"}
    return [packet.body for packet in said]


def member(world: World, name: str, qos: int = 1, **options: Any) -> Client5:
    client = Client5(world, name, **options)
    client.subscribe((SHARED, qos))
    return client


def feed(world: World, count: int, qos: int = 1, *, first: int = 0) -> None:
    """Publish messages with the bodies `first`, `first + 1`, …, each in a turn of its own."""
    sender = Client5(world, "sender")
    for number in range(first, first + count):
        sender.publish("t/a", b"%d" % number, qos)


def acknowledge(client: Client5, *packets: Packet) -> list[Packet]:
    return client.send(*[ack(0x40, packet.packet_id) for packet in packets])


def assert_nothing_is_left(world: World) -> None:
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    assert vhost.groups == {}
    assert vhost.exchange("amq.topic").bindings == {}
    assert world.broker.surroundings.usage.held_bytes == 0
