"""What connected clients learn when the permissions of their user change: nothing they were allowed once is relied on."""

from typing import Final

import pytest
from pamqp import commands

from core.access import EVERYTHING, NOTHING, Permission, User
from protocols.connection import Connection, Outlet, Peer
from tests.protocols.amqp.peer import AmqpPeer, Delivered, message_frames
from tests.protocols.mqtt.peer import Answer, Client, Will, publish
from tests.protocols.mqtt.peer5 import Client5
from tests.protocols.stomp.peer import StompPeer, refused
from tests.protocols.world import World

ALL: Final = Permission(EVERYTHING, EVERYTHING, EVERYTHING)
READ_ONLY: Final = Permission(EVERYTHING, NOTHING, EVERYTHING)
REASON: Final = "user 'guest' is deleted"
NOT_AUTHORIZED: Final = 0x87
ADMINISTRATIVE_ACTION: Final = 0x98


@pytest.fixture
def world() -> World:
    return World()


def tell(world: World, user: User | None = None) -> None:
    """Have every machine learn of a change, as the gateway does."""
    for wire in list(world.wires):
        if not wire.closed:
            wire.connection.permissions_changed(user or world.broker.users["guest"], REASON)
    world.turn()


def permit(world: World, permission: Permission) -> None:
    world.broker.users["guest"].permissions["/"] = permission
    tell(world)


def forbid(world: World) -> None:
    world.broker.users["guest"].permissions.clear()
    tell(world)


# Who may no longer write


def test_amqp_a_publish_that_went_before_is_refused(world: World) -> None:
    peer = AmqpPeer(world)
    peer.queue("q")
    peer.publish("", "q", b"1")
    permit(world, READ_ONLY)
    (close,) = peer.publish("", "q", b"2")
    assert isinstance(close, commands.Channel.Close)
    assert close.reply_code == 403
    assert AmqpPeer(world).counts("q") == (1, 0)


def test_amqp_a_message_whose_body_was_on_its_way_still_arrives(world: World) -> None:
    """It was allowed when its method came."""
    peer = AmqpPeer(world)
    peer.queue("q")
    frames = message_frames("", "q", b"1")
    assert peer.send(frames[:-5]) == []
    permit(world, READ_ONLY)
    assert peer.send(frames[-5:]) == []
    assert peer.counts("q") == (1, 0)


def test_amqp_a_user_id_is_checked_again_when_the_tags_change(world: World) -> None:
    guest = world.broker.users["guest"]
    guest.tags = ("impersonator",)
    peer = AmqpPeer(world)
    peer.queue("q")
    assert peer.publish("", "q", b"1", user_id="bob") == []
    guest.tags = ()
    tell(world)
    (close,) = peer.publish("", "q", b"2", user_id="bob")
    assert close.reply_code == 406


@pytest.mark.parametrize("topic", ["a/b", "$queue/q"])
def test_mqtt_a_publish_that_went_before_is_dropped(world: World, topic: str) -> None:
    client = Client(world)
    assert client.publish(topic, b"1", 1) == [Answer("PUBACK", 1)]
    before = world.broker.counters.published
    permit(world, READ_ONLY)
    assert client.publish(topic, b"2", 1) == [Answer("PUBACK", 1)]
    assert world.broker.counters.published == before
    assert client.notes[-1][0] == "publish denied"
    permit(world, ALL)
    client.publish(topic, b"3", 1)
    assert world.broker.counters.published == before + 1


@pytest.mark.parametrize("topic", ["a/b", "$queue/q"])
def test_mqtt_5_a_publish_that_went_before_is_told_that_it_is_not_authorized(world: World, topic: str) -> None:
    client = Client5(world)
    client.publish(topic, b"1", 1)
    permit(world, READ_ONLY)
    (puback,) = client.publish(topic, b"2", 1)
    assert puback.codes == bytes([NOT_AUTHORIZED])


@pytest.mark.parametrize("receipts", [False, True])
def test_stomp_a_send_that_went_before_is_refused(world: World, receipts: bool) -> None:
    peer = StompPeer(world)
    for number in range(4):  # a head that comes again and again is looked up in other ways than the first time
        said = {"receipt": str(number)} if receipts else {}
        peer.send("/queue/q", b"x", **said)
    permit(world, READ_ONLY)
    refused(peer.send("/queue/q", b"y", **({"receipt": "9"} if receipts else {})), "access_refused")
    assert AmqpPeer(world).counts("q") == (4, 0)


def test_consumers_that_are_there_stay(world: World) -> None:
    """As in RabbitMQ: who may read is asked when something is subscribed to."""
    amqp, mqtt, stomp = AmqpPeer(world), Client(world), StompPeer(world)
    amqp.queue("q")
    amqp.consume("q", no_ack=True)
    mqtt.subscribe(("t", 0))
    stomp.subscribe("/topic/t")
    permit(world, Permission(EVERYTHING, EVERYTHING, NOTHING))
    writer = Client(world, "writer")
    writer.publish("t", b"x")
    writer.publish("$queue/q", b"x")
    assert [item.body for item in amqp.take() if isinstance(item, Delivered)] == [b"x"]
    assert len(mqtt.take()) == len(stomp.heard()) == 1
    (close,) = amqp.send(commands.Basic.Consume(queue="q"))
    assert close.reply_code == 403


# Who may not be in the virtual host any more


def test_amqp_is_told_320_and_its_entries_go_back(world: World) -> None:
    peer = AmqpPeer(world)
    peer.queue("q")
    peer.publish("", "q", b"1")
    peer.consume("q")
    forbid(world)
    close = peer.take()[-1]
    assert isinstance(close, commands.Connection.Close)
    assert (close.reply_code, close.reply_text) == (320, f"CONNECTION_FORCED - {REASON}")
    assert (close.class_id, close.method_id) == (0, 0)
    world.broker.users["guest"].permissions["/"] = ALL
    assert AmqpPeer(world).counts("q") == (1, 0)
    assert peer.send(commands.Basic.Get(queue="q")) == []  # nothing is heard but close-ok
    peer.send(commands.Connection.CloseOk(), channel=0)
    assert peer.wire.closed


def test_amqp_says_the_confirms_that_are_due_before_it_closes(world: World) -> None:
    peer = AmqpPeer(world)
    peer.call(commands.Confirm.Select(), commands.Confirm.SelectOk)
    peer.wire.connection.receive(message_frames("amq.direct", "k", b"1"))
    world.broker.users["guest"].permissions.clear()
    tell(world)
    assert [type(item) for item in peer.take()] == [commands.Basic.Ack, commands.Connection.Close]


def test_mqtt_5_is_told_of_an_administrative_action(world: World) -> None:
    client = Client5(world)
    forbid(world)
    (disconnect,) = client.take()
    assert (disconnect.name, disconnect.codes) == ("DISCONNECT", bytes([ADMINISTRATIVE_ACTION]))
    assert disconnect.said["reason_string"] == REASON
    assert client.closed


def test_mqtt_is_closed_and_its_will_is_not_published(world: World) -> None:
    client = Client(world, will=Will("gone", b"x"))
    published = world.broker.counters.published
    forbid(world)
    assert (client.take(), client.closed) == ([], True)
    assert world.broker.counters.published == published
    assert ("connection closed", REASON) in client.notes


def test_stomp_is_told_by_an_error(world: World) -> None:
    peer = StompPeer(world)
    forbid(world)
    refused(peer.heard(), "Connection closed", REASON)
    assert peer.closed


def test_who_is_somebody_else_or_on_the_way_out_hears_nothing(world: World) -> None:
    amqp, mqtt, stomp = AmqpPeer(world), Client(world), StompPeer(world)
    stranger = User("guest")  # of that name, and of another time
    tell(world, stranger)
    assert (amqp.take(), mqtt.take(), stomp.heard()) == ([], [], [])
    machines: list[Connection] = [amqp.wire.connection, mqtt.wire.connection, stomp.wire.connection]
    amqp.send(commands.Connection.Close(200, "bye", 0, 0), channel=0)
    mqtt.disconnect()
    stomp.say("DISCONNECT")
    world.broker.users["guest"].permissions.clear()
    for machine in machines:
        machine.permissions_changed(world.broker.users["guest"], REASON)
    assert (amqp.take(), mqtt.take(), stomp.heard()) == ([], [], [])


def test_who_has_not_logged_in_yet_hears_nothing_and_is_refused_then(world: World) -> None:
    from protocols.mqtt.connection import MqttConnection
    from protocols.stomp.connection import StompConnection

    for machine in (MqttConnection, StompConnection):
        wire = world.connect(machine)
        forbid(world)
        assert (wire.take(), wire.closed) == (b"", False)
    assert Client(world).connack == b"\x00\x05"


def test_a_machine_without_a_user_has_nothing_to_ask(world: World) -> None:
    connection = Connection(world.broker, Outlet(), Peer("p", loopback=True, encrypted=False), "none")
    connection.permissions_changed(User("guest"), REASON)
    assert not connection.closed
    assert connection.take_output() == []


def test_a_publish_of_the_same_turn_comes_before_the_change(world: World) -> None:
    client = Client(world)
    client.subscribe(("t", 0))
    client.wire.connection.receive(publish("t", b"x"))
    world.broker.users["guest"].permissions.clear()
    tell(world)
    assert [item.body for item in client.take() if not isinstance(item, Answer)] == [b"x"]
