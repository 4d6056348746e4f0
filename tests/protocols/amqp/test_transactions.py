"""Class tx: what waits for commit, and what a rollback brings back."""

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, bodies
from tests.protocols.world import World

Basic, Tx = commands.Basic, commands.Tx


@pytest.fixture
def peer() -> AmqpPeer:
    peer = AmqpPeer(World())
    peer.queue("q")
    peer.publish("", "q", b"0")
    peer.publish("", "q", b"1")
    peer.call(Tx.Select(), Tx.SelectOk)
    return peer


def test_a_publish_waits_for_commit(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"2")
    assert peer.counts("q") == (2, 0)
    peer.call(Tx.Commit(), Tx.CommitOk)
    assert peer.counts("q") == (3, 0)
    peer.call(Tx.Commit(), Tx.CommitOk)
    assert peer.counts("q") == (3, 0)


def test_a_rolled_back_publish_never_was(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"2")
    peer.call(Tx.Rollback(), Tx.RollbackOk)
    peer.call(Tx.Commit(), Tx.CommitOk)
    assert peer.counts("q") == (2, 0)


def test_a_settlement_waits_for_commit(peer: AmqpPeer) -> None:
    peer.consume("q")
    peer.send(Basic.Ack(1), Basic.Reject(2, requeue=False))
    peer.send(Tx.Commit())
    peer.wire.hang_up()
    assert AmqpPeer(peer.wire.world).counts("q") == (0, 0)


def test_without_a_commit_a_settlement_never_was(peer: AmqpPeer) -> None:
    peer.consume("q")
    peer.send(Basic.Ack(2, multiple=True))
    peer.wire.hang_up()
    assert bodies(AmqpPeer(peer.wire.world).consume("q")) == [b"0", b"1"]


def test_a_rollback_makes_deliveries_unsettled_again(peer: AmqpPeer) -> None:
    assert bodies(peer.consume("q")) == [b"0", b"1"]
    peer.send(Basic.Ack(2, multiple=True))
    (close,) = peer.send(Basic.Ack(1), channel=1)
    assert close.reply_code == 406


def test_a_delivery_can_be_settled_after_a_rollback(peer: AmqpPeer) -> None:
    peer.consume("q")
    peer.send(Basic.Ack(2, multiple=True))
    assert [type(item) for item in peer.send(Tx.Rollback())] == [Tx.RollbackOk]
    assert peer.send(Basic.Ack(2, multiple=True)) == []
    peer.call(Tx.Commit(), Tx.CommitOk)
    peer.wire.hang_up()
    assert AmqpPeer(peer.wire.world).counts("q") == (0, 0)


def test_unwanted_messages_come_back_at_commit(peer: AmqpPeer) -> None:
    assert peer.publish("amq.topic", "nowhere", b"back", mandatory=True) == []
    returned, answer = peer.send(Tx.Commit())
    assert (returned.body, returned.method.reply_code) == (b"back", 312)
    assert isinstance(answer, Tx.CommitOk)
    assert [type(item) for item in peer.send(Tx.Commit())] == [Tx.CommitOk]


def test_a_refused_publish_fails_the_commit(peer: AmqpPeer) -> None:
    peer.queue("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    peer.publish("", "full", b"x")
    (close,) = peer.send(Tx.Commit())
    assert (close.reply_code, close.reply_text) == (406, "PRECONDITION_FAILED - partial tx completion")


def test_a_commit_that_fails_has_done_nothing(peer: AmqpPeer) -> None:
    """RabbitMQ has given the other queues their messages by then."""
    peer.queue("full", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    peer.consume("q")
    before = peer.counts("q")
    peer.send(Basic.Ack(1))
    for key in ("q", "full", "full", "full"):
        peer.publish("", key, b"x")
    peer.publish("", "nowhere", b"x", mandatory=True)
    (close,) = peer.send(Tx.Commit())
    assert (close.reply_code, close.class_id, close.method_id) == (406, 90, 20)
    peer.send(commands.Channel.CloseOk(), commands.Channel.Open())
    assert before == (0, 1)
    assert peer.counts("full") == (0, 0)
    assert peer.counts("q") == (2, 0)  # what was acknowledged is ready again, and nothing is new


def test_a_mandatory_message_is_routed_once(peer: AmqpPeer) -> None:
    peer.send(commands.Exchange.Declare(exchange="r", exchange_type="x-random", nowait=True))
    for name in ("r1", "r2"):
        peer.queue(name)
        peer.send(commands.Queue.Bind(queue=name, exchange="r", nowait=True))
    peer.publish("r", "", b"x", mandatory=True)
    peer.call(Tx.Commit(), Tx.CommitOk)
    assert peer.counts("r1")[0] + peer.counts("r2")[0] == 1


def test_selecting_twice_changes_nothing(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"2")
    peer.call(Tx.Select(), Tx.SelectOk)
    peer.call(Tx.Commit(), Tx.CommitOk)
    assert peer.counts("q") == (3, 0)
