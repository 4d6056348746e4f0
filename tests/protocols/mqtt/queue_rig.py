"""What the tests of queues from MQTT share: one queue, seen from the core."""

from typing import Any, Final

from core.client import Client as CoreClient
from core.model.message import plain_message
from core.model.names import DEFAULT_EXCHANGE, DEFAULT_VHOST
from core.queueing.queue import Queue
from tests.protocols.mqtt.peer5 import Packet
from tests.protocols.world import World

JOBS: Final = "$queue/jobs"
PERSISTENT: Final[dict[str, Any]] = {"clean": False, "session_expiry": 100}


def core(world: World, user: str = "guest") -> CoreClient:
    return world.broker.open(world.broker.users[user], DEFAULT_VHOST, "amqp", "test")


def queue(world: World, name: str = "jobs") -> Queue:
    return world.broker.vhosts[DEFAULT_VHOST].queue(name)


def put(world: World, *texts: bytes, name: str = "jobs", qos: int = 0) -> None:
    """Publish to a queue as an AMQP client does."""
    client = core(world)
    target = client.target(DEFAULT_EXCHANGE, name)
    for text in texts:
        assert client.publish(target.exchange, plain_message(target.address, text, qos), None, 0)


def bodies(said: list[Packet]) -> list[bytes]:
    assert {packet.name for packet in said} <= {"PUBLISH"}
    return [packet.body for packet in said]


def held(world: World) -> tuple[int, int]:
    """Return how many entries of the queue are ready, and how many are lent."""
    return queue(world).ready_count, queue(world).unsettled_count
