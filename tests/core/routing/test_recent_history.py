"""The recent-history exchange (asked of RabbitMQ 3.10.8, as far as it answers)."""

import pytest

from core.client import Client
from core.model.errors import Invalid
from core.model.message import Message, plain_message
from core.model.properties import Headers, Native, Properties, Value
from core.queueing.usage import KEPT_PARTS
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from tests.core.parts import Outcomes, Recorder, a_client, publish


class Said(Native):
    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def decode(self) -> Properties:
        return Properties(self._headers)


def with_history(length: int | None = None) -> tuple[Client, Exchange]:
    client = a_client()
    arguments: Headers = {} if length is None else {"x-recent-history-length": length}
    return client, client.declare_exchange("x", "x-recent-history", arguments=arguments)


def bodies(client: Client, queue: str) -> list[bytes]:
    found: list[bytes] = []
    while True:
        _, entry = client.get(queue)
        if entry is None:
            return found
        found.append(entry.message.body)
        entry.queue.accept(entry)


def bound(client: Client, name: str, key: str = "") -> list[bytes]:
    client.declare_queue(name)
    client.bind_queue(name, "x", key, {})
    return bodies(client, name)


@pytest.mark.parametrize(("length", "kept"), [(None, 20), (3, 3), (1, 1)])
def test_the_last_messages_are_delivered_to_a_queue_when_it_is_bound(length: int | None, kept: int) -> None:
    client, _ = with_history(length)
    for number in range(30):
        publish(client, "x", f"key.{number}", b"%d" % number)
    expected = [b"%d" % number for number in range(30 - kept, 30)]
    assert bound(client, "first") == expected
    assert bound(client, "second") == expected, "they stay"
    publish(client, "x", "k", b"new")
    assert bodies(client, "first") == [b"new"]


def test_an_equal_binding_brings_nothing_and_another_one_brings_all_again() -> None:
    client, _ = with_history()
    publish(client, "x", "k", b"a")
    assert bound(client, "q") == [b"a"]
    assert bound(client, "q") == []
    assert bound(client, "q", "other") == [b"a"]


def test_what_is_kept_is_not_wanted_by_anybody_for_that() -> None:
    """RabbitMQ returns a mandatory message as unroutable and keeps it all the same."""
    client, exchange = with_history()
    outcomes = Outcomes()
    message = plain_message(exchange.address("k"), b"a")
    assert not client.publish(exchange, message, outcomes, 1)
    assert outcomes.said == [(1, "unroutable")]
    transaction = client.begin()
    transaction.publish(exchange, plain_message(exchange.address("k"), b"b"))
    assert client.commit(transaction)
    assert client.counters.unroutable == 2
    assert bound(client, "q") == [b"a", b"b"]


def test_behind_another_exchange_and_in_front_of_one() -> None:
    client, exchange = with_history()
    client.declare_exchange("front", "fanout")
    client.bind_exchange("x", "front", "", {})
    assert not publish(client, "front", "k", b"a")
    client.declare_exchange("behind", "direct")
    client.declare_queue("q")
    client.bind_queue("q", "behind", "k", {})
    publish(client, "x", "other", b"b")
    client.bind_exchange("behind", "x", "", {})
    assert bodies(client, "q") == [b"a"], "each goes by its own key"
    assert client.vhost.exchange("behind").take(plain_message(exchange.address("k"), b"c"))


def test_an_alternate_gets_what_no_binding_selects() -> None:
    client, sink = a_client(), Recorder()
    client.declare_exchange("spare", "fanout")
    client.declare_exchange("x", "x-recent-history", arguments={"alternate-exchange": "spare"})
    client.vhost.bind(client.vhost.exchange("spare"), Binding(sink, "", {}))
    assert publish(client, "x", "k", b"a")
    assert len(sink.taken) == 1
    assert bound(client, "q") == [b"a"]


@pytest.mark.parametrize(("value", "kept"), [(True, False), (False, True), ("true", True), (1, True), (None, True)])
def test_a_header_keeps_a_message_out(value: Value, kept: bool) -> None:
    client, exchange = with_history()
    headers = {"x-recent-history-no-store": value}
    client.publish(exchange, Message(exchange.address("k"), b"a", 0, Said(headers)), None, 0)
    assert bound(client, "q") == ([b"a"] if kept else [])


def test_the_time_to_live_begins_when_the_message_is_delivered() -> None:
    client, exchange = with_history()
    clock = client.vhost.surroundings.clock
    clock.now = 100.0
    message = plain_message(exchange.address("k"), b"a")
    message.expires_at = 105.0
    client.publish(exchange, message, None, 0)
    clock.now = 200.0
    queue = client.declare_queue("q")
    client.bind_queue("q", "x", "", {})
    _, entry = client.get("q")
    assert entry is not None
    assert entry.message.expires_at == 205.0
    queue.accept(entry)
    message = plain_message(exchange.address("k"), b"b")
    message.expires_at = clock.now
    client.publish(exchange, message, None, 0)
    assert bound(client, "other") == [b"a"], "no time at all is not for ever"


def test_the_memory_that_is_kept_is_counted_and_bounded() -> None:
    client, _ = with_history(1_000)
    usage = client.vhost.surroundings.usage
    usage.limit_bytes = 40_000
    for number in range(100):
        publish(client, "x", "k", b"%03d" % number + b"x" * 97)
    assert 0 < usage.kept_bytes == usage.held_bytes <= usage.limit_bytes // KEPT_PARTS
    kept = bound(client, "q")
    assert 10 < len(kept) < 40
    assert kept[-1].startswith(b"099"), "the oldest have gone"
    publish(client, "x", "k", b"x" * 20_000)
    assert usage.kept_bytes == 0
    assert bodies(client, "q") == [b"x" * 20_000], "what is too large to keep is delivered all the same"
    publish(client, "x", "k", b"x")
    bodies(client, "q")
    assert usage.kept_bytes > 0
    client.delete_exchange("x")
    assert usage.kept_bytes == usage.held_bytes == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (-1, "-1"), ("5", '<<"5">>'), ("", "<<>>"), (True, "true"), (1.5, "1.5"), (None, "undefined")],
)
def test_a_length_that_is_none_is_refused(value: Value, shown: str) -> None:
    with pytest.raises(Invalid) as refusal:
        a_client().declare_exchange("x", "x-recent-history", arguments={"x-recent-history-length": value})
    assert refusal.value.text == f"Invalid argument {shown}, 'x-recent-history-length' must be a positive integer"
