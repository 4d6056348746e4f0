"""Transactions: nothing before the commit, everything at it, and limits on what they hold."""

import pytest

from core.client import Client
from core.model.errors import Limit
from core.model.message import plain_message
from core.queueing.credit import Credit
from core.queueing.stock import REJECT_PUBLISH
from core.queueing.transaction import ACCEPT, BYTES_LIMIT, DISCARD, OPERATIONS_LIMIT, REQUEUE, Transaction
from tests.core.parts import Holder, a_broker, a_client, run


def add(client: Client, transaction: Transaction, queue: str, body: bytes) -> None:
    target = client.target("", queue)
    transaction.publish(target.exchange, plain_message(target.address, body))


def test_a_transaction_acts_only_when_it_is_committed() -> None:
    client = a_client()
    transaction = client.begin()
    queue = client.declare_queue("q")
    add(client, transaction, "q", b"1")
    add(client, transaction, "q", b"2")
    assert queue.ready_count == 0
    assert client.counters.published == 0
    assert client.commit(transaction)
    assert queue.ready_count == 2
    assert client.counters.published == 2


def test_settlements_are_done_at_the_commit() -> None:
    broker = a_broker()
    client, consumer = a_client(broker), Holder(credit=3)
    transaction = client.begin()
    queue = client.declare_queue("q")
    client.consume("q", consumer)
    for body in (b"1", b"2", b"3"):
        queue.take(plain_message(client.target("", "q").address, body))
    for entry, outcome in zip(consumer.held, (ACCEPT, REQUEUE, DISCARD), strict=True):
        transaction.settle(entry, outcome)
    assert queue.unsettled_count == 3
    assert client.commit(transaction)
    run(broker)
    assert consumer.bodies == [b"1", b"2", b"3", b"2"]
    assert queue.unsettled_count == 1
    assert client.counters.dropped == {"rejected": 1}


def test_a_refusal_is_told_and_nothing_happens() -> None:
    client = a_client()
    full, free = client.declare_queue("full"), client.declare_queue("free")
    full.limit_entries, full.overflow = 2, REJECT_PUBLISH
    add(client, transaction := client.begin(), "full", b"1")
    add(client, transaction, "full", b"2")
    assert client.commit(transaction)
    free.take(plain_message(client.target("", "free").address, b"3"))
    entry = free.get()
    assert entry is not None
    add(client, transaction := client.begin(), "free", b"4")
    add(client, transaction, "full", b"5")
    transaction.settle(entry, ACCEPT)
    assert not client.commit(transaction)
    assert (full.ready_count, free.ready_count, free.unsettled_count) == (2, 0, 1)
    assert client.counters.published == 2


def test_the_share_of_each_queue_counts_as_a_whole() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    queue.limit_entries, queue.limit_bytes, queue.overflow = 3, 5, REJECT_PUBLISH
    for bodies, fits in (([b"1", b"2", b"3", b"4"], False), ([b"123", b"456"], False), ([b"123", b"45"], True)):
        transaction = client.begin()
        for body in bodies:
            add(client, transaction, "q", body)
        assert client.commit(transaction) is fits
    assert queue.ready_count == 2


@pytest.mark.parametrize(("credit", "shared", "fits"), [(2, 5, True), (1, 5, False), (5, 1, False)])
def test_what_a_consumer_takes_at_once_needs_no_room(credit: int, shared: int, fits: bool) -> None:
    client, consumer = a_client(), Holder(credit=credit)
    consumer.shared = Credit(shared)
    queue = client.declare_queue("q")
    queue.limit_entries, queue.overflow = 0, REJECT_PUBLISH
    client.consume("q", consumer)
    transaction = client.begin()
    add(client, transaction, "q", b"1")
    add(client, transaction, "q", b"2")
    assert client.commit(transaction) is fits
    assert consumer.bodies == [b"1", b"2"] * fits


def test_an_unroutable_message_is_counted_at_the_commit() -> None:
    client = a_client()
    transaction = client.begin()
    add(client, transaction, "nobody", b"1")
    assert client.counters.unroutable == 0
    assert client.commit(transaction)
    assert client.counters.unroutable == 1


def test_an_exchange_that_was_replaced_meanwhile_gets_the_message() -> None:
    client = a_client()
    transaction = client.begin()
    queue = client.declare_queue("q")
    client.declare_exchange("x", "direct")
    target = client.target("x", "k")
    transaction.publish(target.exchange, plain_message(target.address, b"1"))
    client.delete_exchange("x")
    client.declare_exchange("x", "fanout")
    client.bind_queue("q", "x", "", {})
    assert client.commit(transaction)
    assert queue.ready_count == 1


def test_an_exchange_that_is_gone_at_the_commit_costs_its_message_only() -> None:
    client = a_client()
    transaction = client.begin()
    queue = client.declare_queue("q")
    client.declare_exchange("x", "direct")
    target = client.target("x", "k")
    transaction.publish(target.exchange, plain_message(target.address, b"1"))
    add(client, transaction, "q", b"2")
    client.delete_exchange("x")
    assert client.commit(transaction)
    assert queue.ready_count == 1
    assert client.counters.unroutable == 1


def test_operations_are_limited_and_the_one_too_many_is_not_added() -> None:
    client, consumer = a_client(), Holder()
    transaction = client.begin()
    client.declare_queue("q")
    client.consume("q", consumer)
    add(client, client.begin(), "q", b"")
    target = client.target("", "q")
    message = plain_message(target.address, b"")
    client.publish(target.exchange, message, None, 0)
    for _ in range(OPERATIONS_LIMIT - 1):
        transaction.publish(target.exchange, message)
    transaction.settle(consumer.held[0], ACCEPT)
    with pytest.raises(Limit, match=f"more than {OPERATIONS_LIMIT} operations"):
        transaction.publish(target.exchange, message)
    with pytest.raises(Limit, match=f"more than {OPERATIONS_LIMIT} operations"):
        transaction.settle(consumer.held[0], ACCEPT)
    assert len(transaction.publishes) + len(transaction.settlements) == OPERATIONS_LIMIT


def test_bytes_are_limited_and_smaller_messages_still_fit() -> None:
    client = a_client()
    transaction = client.begin()
    client.declare_queue("q")
    quarter = bytes(BYTES_LIMIT // 4)
    for _ in range(3):
        add(client, transaction, "q", quarter)
    add(client, transaction, "q", quarter[:-1])
    with pytest.raises(Limit, match=f"more than {BYTES_LIMIT} bytes"):
        add(client, transaction, "q", b"22")
    add(client, transaction, "q", b"1")
    assert transaction.bytes == BYTES_LIMIT
    assert len(transaction.publishes) == 5
