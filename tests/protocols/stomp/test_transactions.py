"""BEGIN, COMMIT and ABORT over SEND, ACK and NACK."""

import pytest

from core.model.message import plain_message
from core.queueing.stock import REJECT_PUBLISH
from core.queueing.transaction import BYTES_LIMIT, OPERATIONS_LIMIT
from protocols.stomp.errors import PeerError
from protocols.stomp.transactions import TRANSACTIONS_LIMIT
from tests.protocols.stomp.peer import Answer, StompPeer, bodies, frame, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def begun(world: World, version: str = "1.2") -> StompPeer:
    peer = StompPeer(world, version)
    assert peer.say("BEGIN", {"transaction": "t"}) == []
    return peer


def holding(world: World, ack: str = "client-individual") -> tuple[StompPeer, list[Answer]]:
    """Return a peer with an open transaction, and the messages 0 to 3 of `/queue/q` that it has."""
    sender = StompPeer(world)
    for number in range(4):
        sender.send("/queue/q", b"%d" % number)
    peer = begun(world)
    return peer, peer.subscribe("/queue/q", ack)


def left(world: World) -> tuple[int, int]:
    queue = world.broker.vhosts["/"].queues["q"]
    return queue.ready_count, queue.unsettled_count


def test_a_commit_sends_everything_in_order(world: World) -> None:
    watcher = StompPeer(world)
    watcher.subscribe("/topic/#")
    peer = begun(world)
    for number in range(3):
        assert peer.send("/topic/t,/topic/u", b"%d" % number, transaction="t") == []
    peer.send("/topic/t", b"outside")
    assert bodies(watcher.heard()) == [b"outside"]
    (receipt,) = peer.say("COMMIT", {"transaction": "t", "receipt": "r"})
    assert receipt["receipt-id"] == "r"
    assert bodies(watcher.heard()) == [b"0", b"0", b"1", b"1", b"2", b"2"]


def test_an_abort_sends_nothing(world: World) -> None:
    peer = begun(world)
    peer.subscribe("/topic/#")
    peer.send("/topic/t", transaction="t")
    (receipt,) = peer.say("ABORT", {"transaction": "t", "receipt": "r"})
    assert receipt.command == "RECEIPT"


def test_a_send_in_a_transaction_has_its_receipt_at_once(world: World) -> None:
    (receipt,) = begun(world).send("/queue/q", transaction="t", receipt="r")
    assert receipt["receipt-id"] == "r"
    assert left(world) == (0, 0)


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_acknowledgement_counts_when_its_transaction_commits(world: World, command: str) -> None:
    peer, messages = holding(world)
    peer.ack(messages[1], command, transaction="t", requeue="false")
    assert left(world) == (0, 4)
    peer.say("COMMIT", {"transaction": "t"})
    assert left(world) == (0, 3)


def test_a_nack_requeues_when_its_transaction_commits(world: World) -> None:
    peer, messages = holding(world)
    peer.nack(messages[1], transaction="t")
    (again,) = peer.say("COMMIT", {"transaction": "t"})
    assert (again.body, again["redelivered"]) == (b"1", "true")


def test_an_aborted_acknowledgement_can_be_said_again(world: World) -> None:
    peer, messages = holding(world)
    peer.ack(messages[1], transaction="t")
    peer.say("ABORT", {"transaction": "t"})
    assert left(world) == (0, 4)
    assert peer.ack(messages[1]) == []
    assert left(world) == (0, 3)


def test_an_acknowledgement_in_a_transaction_cannot_be_said_again_outside(world: World) -> None:
    peer, messages = holding(world)
    message = messages[1]
    peer.ack(message, transaction="t")
    refused(peer.ack(message), "Invalid header")
    assert left(world) == (4, 0)


def test_cumulative_acknowledgements_survive_aborts_in_any_order(world: World) -> None:
    peer, messages = holding(world, "client")
    peer.say("BEGIN", {"transaction": "u"})
    peer.ack(messages[0], transaction="t")
    peer.ack(messages[2], transaction="u")
    peer.say("ABORT", {"transaction": "t"})
    peer.say("ABORT", {"transaction": "u"})
    assert peer.ack(messages[1]) == []
    assert left(world) == (0, 2)
    peer.hang_up()
    assert bodies(StompPeer(world).subscribe("/queue/q")) == [b"2", b"3"]


def test_an_abort_after_unsubscribing_gives_the_messages_back(world: World) -> None:
    peer, messages = holding(world)
    peer.ack(messages[0], transaction="t")
    peer.say("UNSUBSCRIBE", {"id": "0"})
    assert left(world) == (3, 1)
    peer.say("ABORT", {"transaction": "t"})
    assert left(world) == (4, 0)


def test_a_commit_after_unsubscribing_settles(world: World) -> None:
    peer, messages = holding(world)
    peer.ack(messages[0], transaction="t")
    peer.say("UNSUBSCRIBE", {"id": "0"})
    peer.say("COMMIT", {"transaction": "t"})
    assert left(world) == (3, 0)


def test_the_end_of_the_connection_aborts(world: World) -> None:
    peer, messages = holding(world)
    peer.send("/queue/other", transaction="t")
    peer.ack(messages[0], transaction="t")
    peer.hang_up()
    assert left(world) == (4, 0)
    assert world.broker.vhosts["/"].queues["other"].ready_count == 0


def test_a_name_is_free_again_after_the_end(world: World) -> None:
    peer = begun(world)
    for end in ("COMMIT", "ABORT"):
        assert peer.say(end, {"transaction": "t"}) == []
        assert peer.say("BEGIN", {"transaction": "t"}) == []


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_names_are_compared_without_their_escapes(world: World, version: str) -> None:
    peer = StompPeer(world, version)
    peer.say("BEGIN", {"transaction": "a\\cb"})
    assert peer.send("/queue/q", transaction="a:b") == []
    assert peer.say("COMMIT", {"transaction": "a\\cb"}) == []
    assert left(world) == (1, 0)


@pytest.mark.parametrize(
    ("command", "headers", "message"),
    [
        ("BEGIN", {}, "Missing header"),
        ("COMMIT", {}, "Missing header"),
        ("ABORT", {}, "Missing header"),
        ("BEGIN", {"transaction": "t"}, "Bad transaction"),
        ("COMMIT", {"transaction": "u"}, "Bad transaction"),
        ("ABORT", {"transaction": "u"}, "Bad transaction"),
        ("SEND", {"transaction": "u", "destination": "/queue/q"}, "Bad transaction"),
    ],
)
def test_a_bad_transaction_is_an_error(world: World, command: str, headers: dict[str, str], message: str) -> None:
    peer = begun(world)
    refused(peer.say(command, headers), message)
    assert peer.closed


def test_an_acknowledgement_in_an_unknown_transaction_settles_nothing(world: World) -> None:
    peer, messages = holding(world)
    refused(peer.ack(messages[0], transaction="u"), "Bad transaction")
    assert left(world) == (4, 0)


def test_a_full_queue_refuses_a_commit(world: World) -> None:
    peer = begun(world)
    peer.send("/queue/q", transaction="t")
    queue = world.broker.vhosts["/"].queues["q"]
    queue.limit_entries, queue.overflow = 0, REJECT_PUBLISH
    refused(peer.say("COMMIT", {"transaction": "t", "receipt": "r"}), "Message refused")


def test_a_commit_that_is_refused_has_done_nothing(world: World) -> None:
    peer, messages = holding(world)
    peer.send("/queue/full", transaction="t")
    peer.ack(messages[0], transaction="t")
    full = world.broker.vhosts["/"].queues["full"]
    full.limit_entries, full.overflow = 0, REJECT_PUBLISH
    refused(peer.say("COMMIT", {"transaction": "t"}), "Message refused")
    assert left(world) == (4, 0)
    assert full.ready_count == 0


def test_open_transactions_have_a_limit(world: World) -> None:
    peer = begun(world)
    for number in range(TRANSACTIONS_LIMIT - 1):
        assert peer.say("BEGIN", {"transaction": str(number)}) == []
    refused(peer.say("BEGIN", {"transaction": "more"}), "Bad transaction", str(TRANSACTIONS_LIMIT))


def test_bytes_in_open_transactions_have_a_limit(world: World) -> None:
    open_transactions = begun(world).session.transactions
    open_transactions.begin("u")
    exchange = world.broker.vhosts["/"].exchanges["amq.topic"]
    body = bytes(BYTES_LIMIT // 4)
    for name in ("t", "u", "t", "u"):
        open_transactions.publish(name, exchange, plain_message(exchange.address("t"), body))
    with pytest.raises(PeerError, match=f"more than {BYTES_LIMIT} bytes"):
        open_transactions.publish("u", exchange, plain_message(exchange.address("t"), b"x"))


def test_operations_in_a_transaction_have_a_limit(world: World) -> None:
    """What an acknowledgement that is over the limit would have settled is not lost."""
    peer, messages = holding(world, "client")
    data = frame("SEND", {"destination": "/topic/t", "transaction": "t"})
    assert peer.wire.send(data * (OPERATIONS_LIMIT - 2)) == b""
    refused(peer.ack(messages[3], transaction="t"), "resource_error", str(OPERATIONS_LIMIT))
    assert left(world) == (4, 0)
