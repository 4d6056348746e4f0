"""`$SYS`: what the broker says about itself, in Mosquitto's topics and formats."""

import math
from typing import Any, Final

import pytest

from core.access import NamePattern
from core.model.errors import Denied
from core.model.message import Address, plain_message
from core.model.names import DEFAULT_VHOST, TOPIC_SPACE
from protocols.mqtt.load import Load
from protocols.mqtt.status import EXPIRY_S, Status
from tests.protocols.mqtt.peer import Client, Publish, Will, puback
from tests.protocols.mqtt.peer5 import Client5, subscribe5
from tests.protocols.mqtt.queue_rig import core, put, queue
from tests.protocols.world import World

INTERVAL_S: Final = 10
MEMORY_BYTES: Final = [1_000_000]

# What Mosquitto 2.0.11 has below $SYS/broker.
LOADS: Final = (
    "load/messages/received",
    "load/messages/sent",
    "load/publish/received",
    "load/publish/sent",
    "load/publish/dropped",
    "load/bytes/received",
    "load/bytes/sent",
    "load/sockets",
    "load/connections",
)
TREE: Final = {
    "version",
    "uptime",
    "clients/total",
    "clients/maximum",
    "clients/connected",
    "clients/active",
    "clients/disconnected",
    "clients/inactive",
    "clients/expired",
    "messages/received",
    "messages/sent",
    "messages/stored",
    "publish/messages/received",
    "publish/messages/sent",
    "publish/messages/dropped",
    "publish/bytes/received",
    "publish/bytes/sent",
    "bytes/received",
    "bytes/sent",
    "store/messages/count",
    "store/messages/bytes",
    "store/commits/count",  # ours
    "store/commits/messages",
    "retained messages/count",
    "subscriptions/count",
    "shared_subscriptions/count",
    "heap/current",
    "heap/maximum",
} | {f"{name}/{span}" for name in LOADS for span in ("1min", "5min", "15min")}


@pytest.fixture
def world() -> World:
    world = World()
    MEMORY_BYTES[0] = 1_000_000
    world.broker.clock.now = 5_000.0
    Status(world.broker, INTERVAL_S, lambda: MEMORY_BYTES[0]).start()
    return world


class NotStatus(NamePattern):
    def matches(self, name: str) -> bool:
        return not name.startswith("$SYS")


def said(messages: list[Any]) -> dict[str, str]:
    """Return what came, by topic below the root; each topic once."""
    found = {message.topic.removeprefix("$SYS/broker/"): message.body.decode() for message in messages}
    assert len(found) == len(messages)
    return found


def tree(world: World) -> dict[str, str]:
    """Return what is retained, as a client that comes and goes reads it."""
    reader = Client(world, "reader")
    found = said(reader.subscribe(("$SYS/#", 0)))
    reader.disconnect()
    return found


def test_the_tree_is_mosquittos(world: World) -> None:
    found = tree(world)
    assert set(found) == TREE
    assert found["version"] == "dragoman version 0.0.0"
    assert found["uptime"] == "0 seconds"
    assert found["load/sockets/5min"] == "0.00"


def test_it_is_retained_and_live(world: World) -> None:
    client = Client(world)
    [retained] = client.subscribe(("$SYS/broker/uptime", 2))
    assert retained == Publish("$SYS/broker/uptime", b"0 seconds", 2, 1, retain=True)
    world.advance(INTERVAL_S)
    [live] = client.take()
    assert live == Publish("$SYS/broker/uptime", b"10 seconds", 2, 2)


def test_only_what_has_changed_is_published(world: World) -> None:
    client = Client(world)
    client.subscribe(("$SYS/#", 0))
    world.advance(60 * INTERVAL_S)
    client.take()
    world.advance(INTERVAL_S - 1)
    assert client.take() == []
    world.advance(1)
    changed = set(said(client.take()))
    assert {"uptime", "messages/sent", "bytes/sent", "load/bytes/sent/1min"} <= changed
    assert not changed & {"version", "clients/total", "clients/maximum", "messages/received", "heap/current"}


def test_clients_are_counted(world: World) -> None:
    for name in ("a", "b"):
        Client(world, name)
    Client(world, "kept", clean=False).hang_up()
    world.advance(INTERVAL_S)
    found = tree(world)
    assert (found["clients/connected"], found["clients/active"]) == ("2", "2")
    assert (found["clients/disconnected"], found["clients/inactive"]) == ("1", "1")
    assert (found["clients/total"], found["clients/maximum"], found["clients/expired"]) == ("3", "3", "0")
    for wire in world.wires:
        wire.hang_up()
    world.advance(world.broker.session_expiry_limit_s + INTERVAL_S)
    found = tree(world)
    assert (found["clients/total"], found["clients/maximum"], found["clients/expired"]) == ("0", "3", "1")


def test_packets_and_bytes_are_counted_both_ways(world: World) -> None:
    """As exactly as a client counts them; of PUBLISH the whole packets."""
    before = tree(world)
    assert before["messages/received"] == "0"
    world = World()
    Status(world.broker, INTERVAL_S, lambda: 0).start()
    client = Client(world)  # CONNECT 15, CONNACK 4
    client.subscribe(("a", 2))  # SUBSCRIBE 8, SUBACK 5
    client.send(bytes.fromhex("c000"))  # 2, 2
    client.publish("a", b"0")  # 6, 6
    client.publish("a", b"1", 1)  # 8; PUBACK 4, PUBLISH 8
    client.send(bytes.fromhex("40020001"))  # PUBACK 4
    big = b"x" * 20_000
    client.publish("a", big, 2)  # 20,009 and PUBREL 4; PUBREC 4, PUBCOMP 4, PUBLISH 20,009
    world.advance(INTERVAL_S)
    found = tree(world)
    assert found["messages/received"] == "8"
    assert found["publish/messages/received"] == "3"
    assert found["bytes/received"] == str(15 + 8 + 2 + 6 + 8 + 4 + 20_009 + 4)
    assert found["publish/bytes/received"] == str(6 + 8 + 20_009)
    assert found["messages/sent"] == "9"
    assert found["publish/messages/sent"] == "3"
    assert found["bytes/sent"] == str(4 + 5 + 2 + 6 + 4 + 8 + 4 + 20_009 + 4)
    assert found["publish/bytes/sent"] == str(6 + 8 + 20_009)


def test_subscriptions_and_messages_are_counted(world: World) -> None:
    sender, keeper = Client(world, "sender"), Client(world, "keeper", clean=False)
    keeper.subscribe(("a", 1), ("b/#", 0), ("$share/g/a", 0))
    keeper.hang_up()
    world.advance(INTERVAL_S)
    before = tree(world)
    assert (before["subscriptions/count"], before["shared_subscriptions/count"]) == ("2", "1")
    sender.publish("a", b"x", 1)
    sender.publish("kept", b"xyz", retain=True)
    world.advance(INTERVAL_S)
    found = tree(world)
    assert int(found["retained messages/count"]) == int(before["retained messages/count"]) + 1
    assert int(found["store/messages/count"]) == int(before["store/messages/count"]) + 2
    assert found["messages/stored"] == found["store/messages/count"]
    assert int(found["store/messages/bytes"]) > int(before["store/messages/bytes"])


def test_what_comes_back_to_a_queue_later_is_stored(world: World) -> None:
    core(world).declare_queue("jobs")
    put(world, b"x")
    world.advance(INTERVAL_S)
    stored = tree(world)["messages/stored"]
    entry = queue(world).get()
    assert entry is not None
    queue(world).requeue_later(entry, 10 * INTERVAL_S)
    world.advance(INTERVAL_S)
    assert tree(world)["messages/stored"] == stored


def test_what_is_dropped_is_counted(world: World) -> None:
    Client(world).publish("$SYS/broker/uptime", b"never", 1)
    world.advance(INTERVAL_S)
    assert tree(world)["publish/messages/dropped"] == "1"


def test_memory_is_told_with_its_maximum(world: World) -> None:
    for size in (3_000_000, 2_000_000):
        MEMORY_BYTES[0] = size
        world.advance(INTERVAL_S)
    found = tree(world)
    assert (found["heap/current"], found["heap/maximum"]) == ("2000000", "3000000")


def test_loads_are_exponential_averages() -> None:
    load = Load()
    load.update(60, 10.0)  # 360 a minute
    expected = [360 * (1 - math.exp(-10 / (60 * minutes))) for minutes in (1, 5, 15)]
    assert load.texts() == [(f"{m}min", f"{e:.2f}") for m, e in zip((1, 5, 15), expected, strict=True)]
    for _ in range(1_000):
        load.update(60, 10.0)
    assert load.texts() == [("1min", "0.00"), ("5min", "0.00"), ("15min", "0.00")]
    steady = Load()
    for turn in range(1, 2_000):
        steady.update(6 * turn, 1.0)
    assert dict(steady.texts())["1min"] == "360.00"


def test_loads_follow_what_happens(world: World) -> None:
    for number in range(6):
        Client(world, f"c{number}").disconnect()
    world.advance(INTERVAL_S)
    found = tree(world)
    for name in ("sockets", "connections"):
        assert found[f"load/{name}/1min"] == f"{36 * (1 - math.exp(-1 / 6)):.2f}"


def test_wildcards_at_the_beginning_do_not_reach_it(world: World) -> None:
    """[MQTT-4.7.2-1]"""
    client = Client(world)
    assert client.subscribe(("#", 0), ("+/broker/#", 0)) == []
    world.advance(INTERVAL_S)
    assert client.take() == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_clients_do_not_publish_to_it(world: World, qos: int) -> None:
    """As in Mosquitto: acknowledged and dropped, and MQTT 5.0 says that it was."""
    watcher = Client(world, "watcher")
    watcher.subscribe(("$SYS/#", 0))
    old, new = Client(world, "old"), Client5(world, "new")
    assert len(old.publish("$SYS/broker/uptime", b"never", qos, retain=True)) == qos
    answers = new.publish("$SYS/broker/uptime", b"never", qos, retain=True)
    assert [packet.codes for packet in answers[:1]] == ([b"\x87"] if qos else [])
    assert not new.closed
    Client(world, "dead", will=Will("$SYS/broker/uptime", b"never")).hang_up()
    assert watcher.take() == []
    assert tree(world)["uptime"] == "0 seconds"


def test_reading_it_needs_the_permission_to_read_it(world: World) -> None:
    user = world.broker.users["guest"]
    user.permissions[DEFAULT_VHOST].read_topics = NotStatus()
    [suback, *rest] = Client5(world, "c").send(subscribe5(("$SYS/#", 0)))
    assert (suback.codes, rest) == (b"\x87", [])


def test_queues_and_exchanges_of_other_protocols_do_not_get_it(world: World) -> None:
    broker = world.broker
    client = broker.open(broker.users["guest"], DEFAULT_VHOST, "amqp", "test")
    queue = client.declare_queue("everything")
    client.bind_queue("everything", TOPIC_SPACE, "#", {})
    client.bind_queue("everything", TOPIC_SPACE, "$SYS.#", {})
    world.advance(INTERVAL_S)
    assert queue.ready_count == 0


@pytest.mark.parametrize("key", ["$SYS", "$SYS.broker.uptime", "$SYS.anything"])
def test_clients_of_other_protocols_do_not_publish_to_it(world: World, key: str) -> None:
    broker = world.broker
    client = broker.open(broker.users["guest"], DEFAULT_VHOST, "amqp", "test")
    with pytest.raises(Denied, match="broker's own"):
        client.target(TOPIC_SPACE, key)
    assert client.target(TOPIC_SPACE, "$SYSTEM.x").address.key == "$SYSTEM.x"
    assert client.target("amq.direct", key).address.key == key


def test_no_other_way_leads_to_it(world: World) -> None:
    """Carbon copies and exchanges that lead to the topic space."""
    watcher = Client(world, "watcher")
    watcher.subscribe(("$SYS/#", 0))
    broker = world.broker
    client = broker.open(broker.users["guest"], DEFAULT_VHOST, "amqp", "test")
    client.declare_exchange("way", "topic")
    client.bind_exchange(TOPIC_SPACE, "way", "#", {})
    target = client.target("way", "$SYS.broker.uptime")
    assert not client.publish(target.exchange, plain_message(target.address, b"never"), None, 0)
    target = client.target(TOPIC_SPACE, "elsewhere")
    message = plain_message(target.address, b"never")
    message.also_to = ("$SYS.broker.uptime",)
    assert not client.publish(target.exchange, message, None, 0)
    assert watcher.take() == []


def test_a_session_with_several_subscriptions_gets_one_copy(world: World) -> None:
    """[MQTT-3.3.5-1]"""
    client = Client(world)
    client.subscribe(("$SYS/broker/uptime", 0), ("$SYS/#", 1), ("$share/g/$SYS/broker/+", 0))
    client.send(*(puback(number) for number in range(1, 100)))
    world.advance(INTERVAL_S)
    uptimes = [(found.qos, found.body) for found in client.take() if found.topic == "$SYS/broker/uptime"]  # type: ignore[union-attr]
    assert sorted(uptimes) == [(0, b"10 seconds"), (1, b"10 seconds")]  # the shared one is a subscription of its own


def test_a_client_that_is_away_finds_no_old_figures(world: World) -> None:
    client = Client(world, clean=False)
    client.subscribe(("$SYS/broker/uptime", 1))
    client.send(puback(1))
    client.hang_up()
    world.advance(EXPIRY_S + 10 * INTERVAL_S)
    back = Client(world, clean=False)
    ages = [world.broker.clock.now - 5_000.0 - int(found.body.split()[0]) for found in back.greeted]  # type: ignore[union-attr]
    assert ages == [50, 40, 30, 20, 10, 0]


def test_there_may_be_no_room_to_retain_it(world: World) -> None:
    vhost = world.broker.vhosts[DEFAULT_VHOST]
    client = Client(world)
    client.subscribe(("$SYS/broker/uptime", 0))
    vhost.retained.keep(plain_message(Address(TOPIC_SPACE, "big"), b"x" * 100))
    world.broker.surroundings.usage.limit_bytes = 1
    world.advance(INTERVAL_S)
    assert said(client.take()) == {"uptime": "10 seconds"}
    assert world.broker.counters.dropped["retained_limit"] > 0
