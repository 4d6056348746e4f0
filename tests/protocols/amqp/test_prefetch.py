"""How much a consumer is given: prefetch, and the room in its connection's output."""

from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, bodies, filled, message_frames, method
from tests.protocols.world import World

Basic = commands.Basic


def test_a_consumer_holds_no_more_than_its_prefetch(peer: AmqpPeer) -> None:
    filled(peer, 9)
    peer.send(Basic.Qos(prefetch_count=3))
    assert bodies(peer.consume("q")) == [b"0", b"1", b"2"]
    assert bodies(peer.send(Basic.Ack(1))) == [b"3"]
    assert bodies(peer.send(Basic.Ack(4, True))) == [b"4", b"5", b"6"]


def test_a_prefetch_is_for_consumers_that_start_after_it(peer: AmqpPeer) -> None:
    filled(peer, 5)
    peer.send(Basic.Qos(prefetch_count=1))
    assert bodies(peer.consume("q", "a")) == [b"0"]
    peer.send(Basic.Qos(prefetch_count=0))
    assert bodies(peer.consume("q", "b")) == [b"1", b"2", b"3", b"4"]


def test_a_shared_prefetch_is_for_all_consumers_of_the_channel(peer: AmqpPeer) -> None:
    peer.queue("other")
    peer.send(Basic.Qos(0, 2, True))
    peer.consume("q", "a")
    peer.consume("other", "b")
    sender = AmqpPeer(peer.wire.world)
    for queue in ("q", "other"):
        for number in range(3):
            sender.publish("", queue, queue.encode() + b"%d" % number)
    assert bodies(peer.take()) == [b"q0", b"q1"]
    more = [bodies(peer.send(Basic.Ack(tag))) for tag in (1, 2)]
    assert sorted(more) == [[b"other0"], [b"q2"]]
    answer, *received = peer.send(Basic.Qos(0, 0, True))
    assert isinstance(answer, Basic.QosOk)
    assert bodies(received) == [b"other1", b"other2"]


def test_a_shared_prefetch_counts_what_is_held_already(peer: AmqpPeer) -> None:
    filled(peer, 2)
    peer.consume("q")
    peer.send(Basic.Qos(0, 2, True))
    filled(peer, 2)
    assert peer.take() == []
    assert bodies(peer.send(Basic.Ack(2, True))) == [b"0", b"1"]


def test_a_consumer_that_does_not_settle_has_no_prefetch(peer: AmqpPeer) -> None:
    filled(peer, 3)
    peer.send(Basic.Qos(0, 1, True), Basic.Qos(0, 1, False))
    assert len(peer.consume("q", no_ack=True)) == 3


def test_a_full_connection_gets_nothing_more_until_it_is_relieved(world: World, peer: AmqpPeer) -> None:
    sender = AmqpPeer(world)
    peer.consume("q", no_ack=True)
    connection = peer.wire.connection
    body = bytes(100_000)
    for _ in range(30):
        sender.wire.connection.receive(message_frames("", "q", body))
    assert connection.congested
    delivered = connection.output_bytes // len(body)
    assert 10 <= delivered < 15
    connection.take_output()
    world.broker.run()
    assert connection.take_output() == []
    connection.sent(0)
    world.broker.run()
    assert connection.output_bytes > 10 * len(body)
    assert not peer.wire.outlet.failures


def test_a_consumer_that_starts_on_a_full_connection_waits_too(world: World, peer: AmqpPeer) -> None:
    filled(peer, 1)
    connection = peer.wire.connection
    connection.write(bytes(2 << 20))
    connection.receive(method(Basic.Consume(queue="q", consumer_tag="t")))
    world.broker.run()
    assert b"".join(connection.take_output()).endswith(method(Basic.ConsumeOk("t")))
    connection.sent(0)
    assert bodies(peer.take()) == [b"0"]


def test_what_a_client_does_not_read_it_cannot_ask_for_again_and_again(world: World, peer: AmqpPeer) -> None:
    """One chunk may hold thousands of basic.get, each with a large answer."""
    connection = peer.wire.connection
    peer.publish("", "q", bytes(8 << 20))
    connection.receive(b"".join([method(Basic.Get(queue="q")) + method(Basic.Nack(0, True, True)) for _ in range(50)]))
    assert 64 << 20 < connection.output_bytes < 80 << 20
    answered = 0
    while connection.output_bytes:
        output = b"".join(connection.take_output())
        answered += output.count(b"\x00\x3c\x00\x47")
        assert len(output) < 80 << 20
        connection.sent(0)
    assert answered == 50
    assert peer.counts("q") == (1, 0)
