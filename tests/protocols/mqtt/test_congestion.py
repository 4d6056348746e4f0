"""Subscribers that do not read as fast as others publish."""

import pytest

from core.model.message import Address, Message, plain_message
from core.model.properties import Native, Properties
from protocols.connection import DIRECT_LIMIT_BYTES, HIGH_WATER_BYTES
from protocols.mqtt.connection import MqttConnection
from protocols.mqtt.deliveries import IN_FLIGHT_LIMIT
from protocols.mqtt.session import MqttSession
from tests.protocols.mqtt.peer import Client, Publish, puback, publish, read, subscribe
from tests.protocols.world import World

BODY = bytes(10_000)


class Undecodable(Native):
    """Properties that cannot be decoded, which is a bug of whoever accepted them."""

    def decode(self) -> Properties:
        raise RuntimeError("a bug")


def slow(world: World, qos: int) -> MqttConnection:
    """Return a subscriber whose output is taken by nobody but the test."""
    connection = Client(world, "slow").wire.connection
    connection.receive(subscribe(("a", qos)))
    connection.take_output()
    connection.sent(0)
    return connection


def bodies(data: bytes) -> list[bytes]:
    return [said.body for said in read(data) if isinstance(said, Publish)]


def test_a_full_output_holds_back_qos_1_until_it_is_relieved(world: World) -> None:
    sender, connection = Client(world, "sender").wire.connection, slow(world, 1)
    sent = [b"%d" % number + BODY for number in range(300)]
    for number, body in enumerate(sent):
        sender.receive(publish("a", body, 1, number + 1))
        world.broker.run()
    assert connection.congested
    assert HIGH_WATER_BYTES < connection.output_bytes < HIGH_WATER_BYTES + 2 * len(BODY)
    got: list[bytes] = []
    while len(got) < 300:
        data = b"".join(connection.take_output())
        assert data
        got += bodies(data)
        connection.sent(0)
        world.broker.run()
    assert got == sent


def test_a_full_output_drops_qos_0_beyond_the_limit_and_counts(world: World) -> None:
    sender, connection = Client(world, "sender").wire.connection, slow(world, 0)
    body = bytes(1 << 20)
    for _ in range(20):
        sender.receive(publish("a", body))
    assert DIRECT_LIMIT_BYTES < connection.output_bytes < DIRECT_LIMIT_BYTES + (2 << 20)
    dropped = world.broker.counters.dropped["slow_subscriber"]
    assert len(bodies(b"".join(connection.take_output()))) == 20 - dropped
    connection.sent(0)
    sender.receive(publish("a", b"again"))
    assert bodies(b"".join(connection.take_output())) == [b"again"]


def test_no_more_than_the_window_is_in_flight(world: World) -> None:
    sender, receiver = Client(world, "sender"), Client(world, "receiver")
    receiver.subscribe(("a", 1))
    sender.send(*[publish("a", b"%d" % number, 1, number + 1) for number in range(IN_FLIGHT_LIMIT + 10)])
    assert len(receiver.take()) == IN_FLIGHT_LIMIT
    assert [said.packet_id for said in receiver.send(puback(5), puback(3)) if isinstance(said, Publish)] == [
        IN_FLIGHT_LIMIT + 1,
        IN_FLIGHT_LIMIT + 2,
    ]
    rest = receiver.send(*[puback(number) for number in range(1, IN_FLIGHT_LIMIT + 3)])
    assert [said.body for said in rest if isinstance(said, Publish)] == [
        b"%d" % number for number in range(IN_FLIGHT_LIMIT + 2, IN_FLIGHT_LIMIT + 10)
    ]


def test_one_slow_subscriber_does_not_hold_up_another(world: World) -> None:
    sender, connection, quick = Client(world, "sender"), slow(world, 1), Client(world, "quick")
    quick.subscribe(("a", 1))
    for number in range(200):
        sender.wire.connection.receive(publish("a", BODY, 1, number + 1))
        world.broker.run()
        assert bodies(b"".join(quick.wire.connection.take_output())) == [BODY]
        quick.wire.connection.sent(0)
    assert connection.congested


def test_a_bug_in_one_delivery_costs_that_connection_and_not_the_publisher(world: World) -> None:
    receiver = Client(world, "receiver")
    receiver.subscribe(("a", 1))
    session = world.broker.vhosts["/"].sessions["receiver"]
    assert isinstance(session, MqttSession)
    broken = plain_message(Address("amq.topic", "a"), b"x", 1)
    broken.address.encoded.clear()
    assert session.deliveries.keep(broken, session.subscriptions["a"])
    assert [type(error) for error in receiver.wire.outlet.failures] == [IndexError]


def test_a_bug_in_a_direct_subscription_costs_that_connection_and_not_the_publisher(world: World) -> None:
    receivers = [Client(world, "one"), Client(world, "two")]
    for receiver in receivers:
        receiver.subscribe(("a/#", 0))
    message = Message(Address("amq.topic", "a"), b"x", 0, Undecodable())
    assert world.broker.vhosts["/"].exchange("amq.topic").take(message)
    assert [str(error) for receiver in receivers for error in receiver.wire.outlet.failures] == ["a bug", "a bug"]


@pytest.mark.parametrize("clean", [True, False])
def test_a_congested_connection_can_end(world: World, clean: bool) -> None:
    sender = Client(world, "sender").wire.connection
    receiver = Client(world, "receiver", clean=clean)
    receiver.wire.connection.receive(subscribe(("a", 1)))
    for number in range(200):
        sender.receive(publish("a", BODY, 1, number + 1))
    receiver.hang_up()
    back = Client(world, "receiver", clean=clean)
    count = len(back.greeted) + len(back.take())
    assert count == (0 if clean else 200)
