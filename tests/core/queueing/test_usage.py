"""What many connections add up to: unfinished and unsent bytes, what is defined, and what a message counts."""

from contextlib import suppress

import pytest

from core.client import Client
from core.model.errors import BrokerError, Invalid, Limit
from core.model.message import DECODED_LIMIT_BYTES, Address, Message, plain_message
from core.model.properties import Native, Properties, cost_of
from core.queueing.usage import ENTRY_COST_BYTES, Usage
from core.routing.pattern import Pattern, Token
from tests.core.parts import Holder, Recorder, a_broker, a_client


class Large(Native):
    """Properties of a size that a test chooses."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.decoded = 0

    def decode(self) -> Properties:
        self.decoded += 1
        return Properties()


def held(client: Client) -> int:
    return client.vhost.surroundings.usage.held_bytes


def test_the_properties_of_a_message_count_as_much_as_its_body() -> None:
    client, consumer = a_client(), Holder()
    queue = client.declare_queue("q")
    message = Message(client.target("", "q").address, b"body", 0, Large(1_000))
    queue.take(message)
    assert held(client) == 1_004 + ENTRY_COST_BYTES
    client.consume("q", consumer)
    queue.run()
    assert held(client) == 1_004 + ENTRY_COST_BYTES
    queue.requeue(consumer.held[0])
    queue.remove(consumer)
    assert (held(client), queue.ready_bytes) == (1_004 + ENTRY_COST_BYTES, 4), "the queue's own limit is of bodies"
    assert queue.purge() == 1
    assert held(client) == 0


@pytest.mark.parametrize(("size", "times"), [(DECODED_LIMIT_BYTES, 1), (DECODED_LIMIT_BYTES + 1, 2)])
def test_large_properties_are_not_kept_decoded(size: int, times: int) -> None:
    native = Large(size)
    message = Message(Address("", "q"), b"", 0, native)
    assert message.properties.headers == message.properties.headers
    assert native.decoded == times


def test_an_open_transaction_counts_until_it_is_committed() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    transaction = client.begin()
    target = client.target("", "q")
    for _ in range(3):
        transaction.publish(target.exchange, plain_message(target.address, b"1234"))
    usage = client.vhost.surroundings.usage
    assert usage.unfinished_bytes == usage.held_bytes == 3 * (4 + ENTRY_COST_BYTES)
    client.commit(transaction)
    assert usage.unfinished_bytes == 0
    assert usage.held_bytes == 3 * (4 + ENTRY_COST_BYTES), "the same again, by the queue now"
    queue.purge()
    assert usage.held_bytes == 0


def test_a_transaction_that_is_given_up_counts_no_more() -> None:
    client = a_client()
    transaction = client.begin()
    target = client.target("", "q")
    transaction.publish(target.exchange, plain_message(target.address, b"1234"))
    transaction.release()
    transaction.release()
    assert held(client) == client.vhost.surroundings.usage.unfinished_bytes == 0


def test_all_open_transactions_together_cannot_raise_the_alarm() -> None:
    """They could never end: an alarm stops their clients before the commit."""
    broker = a_broker()
    broker.surroundings.usage.limit_bytes = 100_000
    refused = 0
    for number in range(10):
        client = a_client(broker)
        transaction = client.begin()
        target = client.target("", f"q{number}")
        try:
            transaction.publish(target.exchange, plain_message(target.address, bytes(20_000)))
        except Limit:
            refused += 1
    assert refused == 8
    assert not broker.alarm


def test_what_is_defined_has_a_limit_and_is_counted_back() -> None:
    client = a_client()
    usage = client.vhost.surroundings.usage
    before = usage.defined_bytes
    usage.limit_bytes = before + 50_000
    made: list[str] = []
    with suppress(Limit):
        for number in range(1_000):
            client.declare_queue(f"q{number}")
            made.append(f"q{number}")
    assert 5 <= len(made) <= 50
    assert set(client.vhost.queues) == set(made), "what did not fit has left nothing"
    for name in made:
        client.delete_queue(name)
    assert usage.defined_bytes == before


@pytest.mark.parametrize("what", ["exchange", "binding", "arguments", "subscription"])
def test_every_definition_has_its_share_of_the_limit(what: str) -> None:
    client = a_client()
    client.declare_queue("q")
    usage = client.vhost.surroundings.usage
    usage.limit_bytes = usage.defined_bytes + 100_000

    def define(number: int) -> None:
        match what:
            case "exchange":
                client.declare_exchange(f"x{number}", "topic")
            case "binding":
                client.bind_queue("q", "amq.topic", f"key.{number}", {})
            case "arguments":
                client.bind_queue("q", "amq.headers", "", {"number": number, "more": ["x" * 100] * 100})
            case _:
                words = tuple(Token(0, word) for word in ("a",) * 127)
                client.subscribe(Pattern(words), ".".join(["a"] * 127), Recorder())

    def define_many() -> None:
        for number in range(1_000):
            define(number)

    with pytest.raises(Limit):
        define_many()


def test_a_binding_that_exists_or_is_refused_costs_nothing() -> None:
    client = a_client()
    client.declare_queue("q")
    usage = client.vhost.surroundings.usage
    client.bind_queue("q", "amq.headers", "", {})
    before = usage.defined_bytes
    client.bind_queue("q", "amq.headers", "", {})
    with pytest.raises(Invalid):
        client.bind_queue("q", "amq.headers", "", {"x-match": "none"})
    assert usage.defined_bytes == before


def test_deleting_an_exchange_counts_back_all_that_led_to_it_and_from_it() -> None:
    client = a_client()
    usage = client.vhost.surroundings.usage
    client.declare_queue("q")
    before = usage.defined_bytes
    client.declare_exchange("x", "fanout", arguments={"note": "x" * 1_000})
    client.bind_exchange("x", "amq.topic", "a.#", {})
    client.bind_queue("q", "x", "", {})
    assert usage.defined_bytes > before + 1_000
    client.delete_exchange("x")
    assert usage.defined_bytes == before


def test_the_cost_of_a_value_grows_with_all_that_is_in_it() -> None:
    deep: list[object] = []
    for _ in range(5_000):  # deeper than the stack
        deep = [deep]
    assert cost_of(deep) > 5_000
    assert cost_of({"name": ["text" * 100, b"octets", None, 1]}) > 400


def test_unfinished_bytes_are_refused_before_they_are_counted() -> None:
    usage = Usage(1_000)
    usage.hold_unfinished(500)
    with pytest.raises(BrokerError):
        usage.hold_unfinished(1)
    usage.release_unfinished(500)
    assert (usage.held_bytes, usage.unfinished_bytes) == (0, 0)


def test_unsent_output_beyond_its_part_of_the_limit_is_a_crowd() -> None:
    usage = Usage(1_000)
    usage.unsent_bytes = 250
    assert not usage.crowded
    usage.unsent_bytes = 251
    assert usage.crowded
