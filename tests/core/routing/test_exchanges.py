"""The exchange types, bindings between exchanges, groups of sinks, and the bounds of the caches."""

from decimal import Decimal

import pytest

from core.model.errors import Invalid, Mismatch
from core.model.message import Message, plain_message
from core.model.properties import Headers, Native, Properties, Timestamp
from core.model.widths import Long
from core.routing.binding import Binding
from core.routing.exchange import CACHED_KEY_LIMIT, Exchange
from core.routing.exchanges.headers import MODES, check_arguments, matches
from core.routing.memory import ALL_KEYS_LIMIT, KEYS_LIMIT
from core.routing.sink import Sink
from core.vhost import VirtualHost
from tests.core.parts import Recorder, a_broker


class WithHeaders(Native):
    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def decode(self) -> Properties:
        return Properties(self.headers)


class Counted(Recorder):
    """Counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return self is other

    def __hash__(self) -> int:
        return id(self)


def a_vhost() -> VirtualHost:
    return a_broker().vhosts["/"]


def send(exchange: Exchange, key: str, headers: Headers | None = None) -> Message:
    message = Message(exchange.address(key), b"x", 0, WithHeaders(headers or {}))
    assert exchange.take(message)
    return message


def bind(vhost: VirtualHost, source: Exchange, sink: Sink, key: str = "", arguments: Headers | None = None) -> bool:
    return vhost.bind(source, Binding(sink, key, arguments or {}))


@pytest.mark.parametrize(
    ("kind", "binding_key", "selected", "passed_over"),
    [
        ("direct", "a.b", ["a.b"], ["a", "a.b.c", ""]),
        ("direct", "#", ["#"], ["a"]),
        ("fanout", "whatever", ["", "a", "a.b"], []),
        ("topic", "a.*", ["a.b", "a."], ["a", "a.b.c"]),
        ("headers", "ignored", ["", "a"], []),
    ],
)
def test_each_type_selects_by_its_own_rule(
    kind: str, binding_key: str, selected: list[str], passed_over: list[str]
) -> None:
    vhost, sink = a_vhost(), Recorder()
    exchange = vhost.add_exchange("x", kind)
    bind(vhost, exchange, sink, binding_key)
    for key in selected + passed_over:
        send(exchange, key)
    assert [message.address.key for message in sink.taken] == selected


def test_an_unknown_type_is_a_mismatch_and_creates_nothing() -> None:
    vhost = a_vhost()
    with pytest.raises(Mismatch, match="unknown exchange type 'x-strange'"):
        vhost.add_exchange("x", "x-strange")
    assert "x" not in vhost.exchanges


def test_equal_bindings_are_one_binding() -> None:
    """AMQP 0-9-1 §1.7.2.2"""
    vhost, sink = a_vhost(), Recorder()
    exchange = vhost.add_exchange("x", "direct")
    assert bind(vhost, exchange, sink, "k", {"b": 1, "a": 2})
    assert not bind(vhost, exchange, sink, "k", {"a": 2, "b": 1})
    assert bind(vhost, exchange, sink, "k")
    assert bind(vhost, exchange, sink, "k", {"a": 2})
    assert len(exchange.bindings) == 3
    send(exchange, "k")
    assert len(sink.taken) == 1, "one copy for each sink, whatever the number of bindings that match"


@pytest.mark.parametrize(
    ("arguments", "headers", "expected"),
    [
        ({}, {}, True),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"a": 1, "b": "2"}, {"a": 1, "b": "2", "c": 3}, True),
        ({"a": 1, "b": "2"}, {"a": 1}, False),
        ({"x-match": "any", "a": 1, "b": "2"}, {"a": 1}, True),
        ({"x-match": "any", "a": 1, "b": "2"}, {"a": 2, "b": 2}, False),
        ({"a": None}, {"a": "anything"}, True),
        ({"a": None}, {"b": 1}, False),
        ({"x-match": "any", "a": None}, {"a": None}, True),
        ({"a": 1, "x-kind": "k"}, {"a": 1}, True),
        ({"x-match": "all-with-x", "a": 1, "x-kind": "k"}, {"a": 1}, False),
        ({"x-match": "all-with-x", "a": 1, "x-kind": "k"}, {"a": 1, "x-kind": "k"}, True),
        ({"x-match": "any", "x-kind": "k"}, {"x-kind": "k"}, False),
        ({"x-match": "any-with-x", "x-kind": "k"}, {"x-kind": "k"}, True),
        ({"x-match": "all-with-x"}, {"x-match": "all-with-x"}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": True}, {"a": "true"}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1.0}, {"a": 1}, True),
        ({"a": 1}, {"a": Long(1)}, True),
        ({"a": 5}, {"a": Timestamp(5)}, True),
        ({"a": Timestamp(5)}, {"a": 5.0}, True),
        ({"a": "x"}, {"a": b"x"}, True),
        ({"a": b"x"}, {"a": "x"}, True),
        ({"a": b"\xff"}, {"a": b"\xff"}, True),
        ({"a": b"\xff"}, {"a": "x"}, False),
        ({"a": Decimal(1)}, {"a": 1}, False),
        ({"a": 1}, {"a": Decimal(1)}, False),
        ({"a": Decimal("1.5")}, {"a": Decimal("1.5")}, True),
        ({"a": [1]}, {"a": [1.0]}, False),
        ({"a": [1]}, {"a": [True]}, False),
        ({"a": ["x"]}, {"a": [b"x"]}, False),
        ({"a": [1, "x"]}, {"a": [1, "x"]}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, True),
        ({"a": {"b": 1}}, {"a": "b"}, False),
        ({"a": []}, {"a": ""}, False),
        ({"a": "undefined"}, {"a": None}, False),
        ({"a": 5}, {"a": None}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": 2**40}, False),
        ({"a": Timestamp(5)}, {"a": Timestamp(5)}, True),
        ({"a": [1, {"b": "c"}]}, {"a": [1, {"b": "c"}]}, True),
    ],
)
def test_headers_match_as_in_rabbitmq(arguments: Headers, headers: Headers, expected: bool) -> None:
    """Each line was asked of RabbitMQ 3.10.8, where it has the type."""
    assert matches(arguments, headers) is expected


@pytest.mark.parametrize("mode", ["foo", "", 7, None, ["all"], {"all": 1}, b"all"])
def test_an_unknown_x_match_is_invalid_and_binds_nothing(mode: object) -> None:
    vhost = a_vhost()
    exchange = vhost.add_exchange("x", "headers")
    with pytest.raises(Invalid, match="x-match"):
        bind(vhost, exchange, Recorder(), "", {"x-match": mode})
    assert not exchange.bindings


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_x_match_is_accepted(mode: str) -> None:
    check_arguments({"x-match": mode, "a": 1})


def test_headers_are_looked_at_for_each_message_however_it_gets_there() -> None:
    """A topic exchange in front caches its routes; the headers exchange behind it must still see every message."""
    vhost, sink, always = a_vhost(), Recorder(), Recorder()
    front, behind = vhost.add_exchange("front", "topic"), vhost.add_exchange("behind", "headers")
    bind(vhost, front, behind, "a.#")
    bind(vhost, front, always, "#")
    bind(vhost, behind, sink, "", {"colour": "red"})
    send(front, "a.b", {"colour": "blue"})
    red = send(front, "a.b", {"colour": "red"})
    send(front, "b", {"colour": "red"})
    assert sink.taken == [red]
    assert len(always.taken) == 3


def test_cycles_of_exchanges_end_and_each_sink_gets_one_copy() -> None:
    vhost, sink = a_vhost(), Recorder()
    first, second = vhost.add_exchange("first", "fanout"), vhost.add_exchange("second", "fanout")
    bind(vhost, first, second)
    bind(vhost, second, first)
    bind(vhost, first, first)
    bind(vhost, first, sink)
    bind(vhost, second, sink)
    send(first, "k")
    assert len(sink.taken) == 1


def test_a_chain_of_auto_delete_exchanges_goes_as_a_whole_however_long() -> None:
    """3,000 exchanges, deeper than any stack: deleting the end must not be an accident."""
    vhost, sink = a_vhost(), Recorder()
    before = len(vhost.exchanges)
    behind: Sink = sink
    for number in range(3_000):
        exchange = vhost.add_exchange(f"x{number}", "fanout")
        exchange.auto_delete = True
        bind(vhost, exchange, behind)
        behind = exchange
    assert isinstance(behind, Exchange)
    send(behind, "k")
    assert len(sink.taken) == 1
    vhost.unbind_all(sink)
    assert len(vhost.exchanges) == before
    assert not vhost.bindings_to(sink)


def test_an_auto_delete_exchange_goes_with_its_last_binding_and_not_before_its_first() -> None:
    vhost, sink, other = a_vhost(), Recorder(), Recorder()
    exchange = vhost.add_exchange("x", "direct")
    exchange.auto_delete = True
    first, second = Binding(sink, "a", {}), Binding(other, "a", {})
    assert not vhost.unbind(exchange, first.identity)
    assert "x" in vhost.exchanges
    vhost.bind(exchange, first)
    vhost.bind(exchange, second)
    vhost.unbind(exchange, first.identity)
    assert "x" in vhost.exchanges
    vhost.unbind(exchange, second.identity)
    assert "x" not in vhost.exchanges
    assert exchange.deleted


def test_a_deleted_exchange_takes_its_bindings_in_both_directions_along() -> None:
    vhost, sink = a_vhost(), Recorder()
    front, middle = vhost.add_exchange("front", "fanout"), vhost.add_exchange("middle", "fanout")
    bind(vhost, front, middle)
    bind(vhost, middle, sink)
    send(front, "k")
    vhost.remove_exchange(middle)
    send(front, "k")
    assert len(sink.taken) == 1
    assert not front.bindings
    assert not middle.bindings
    assert not vhost.bindings_to(sink)


class Member(Recorder):
    """One of several subscriptions of the same client: only the strongest gets the copy."""

    def __init__(self, group: object, strength: int) -> None:
        super().__init__()
        self.group = group
        self.strength = strength

    def merged(self, others: list[Sink]) -> Sink:
        best = self
        for other in others:
            assert isinstance(other, Member)
            if other.strength > best.strength:
                best = other
        return best


def test_sinks_of_one_group_get_one_copy_as_they_decide() -> None:
    vhost, client = a_vhost(), object()
    weak, strong, alone = Member(client, 0), Member(client, 2), Recorder()
    topics = vhost.exchange("amq.topic")
    bind(vhost, topics, weak, "a.#")
    bind(vhost, topics, strong, "#.b")
    bind(vhost, topics, alone, "a.b")
    send(topics, "a.b")
    send(topics, "a.c")
    assert [len(sink.taken) for sink in (weak, strong, alone)] == [1, 1, 1]
    assert weak.taken[0].address.key == "a.c"


def test_a_refusing_sink_does_not_keep_the_message_from_others() -> None:
    vhost, sink = a_vhost(), Recorder()
    exchange = vhost.add_exchange("x", "fanout")
    bind(vhost, exchange, Recorder(refuses=True))
    bind(vhost, exchange, sink)
    assert not exchange.take(plain_message(exchange.address("k"), b"x"))
    assert len(sink.taken) == 1


def test_addresses_are_shared_and_their_cache_is_bounded() -> None:
    exchange = a_vhost().exchange("amq.topic")
    assert exchange.address("a.b") is exchange.address("a.b")
    for number in range(2 * KEYS_LIMIT + 10):
        message = plain_message(exchange.address(f"key.{number}"), b"")
        exchange.route(message)
        assert len(exchange._addresses) <= KEYS_LIMIT
        assert len(exchange._routes) <= KEYS_LIMIT


def test_all_exchanges_together_remember_no_more_keys_than_their_limit() -> None:
    vhost = a_vhost()
    exchanges = [vhost.add_exchange(f"x{number}", "direct") for number in range(20)]
    for exchange in exchanges:
        for number in range(KEYS_LIMIT):
            exchange.route(plain_message(exchange.address(f"key.{number}"), b""))
        assert sum(len(each._addresses) + len(each._routes) for each in exchanges) == vhost._site.memory.keys
        assert vhost._site.memory.keys <= ALL_KEYS_LIMIT
    for exchange in exchanges:
        vhost.remove_exchange(exchange)
    assert vhost._site.memory.keys == 0
    assert not vhost._site.memory._holders


def test_what_a_binding_changes_is_no_longer_counted_as_remembered() -> None:
    vhost = a_vhost()
    topics = vhost.exchange("amq.topic")
    send(topics, "a.b")
    send(topics, "a.c")
    assert vhost._site.memory.keys == 4
    bind(vhost, topics, Recorder(), "a.b")
    assert vhost._site.memory.keys == 3
    bind(vhost, topics, Recorder(), "#")
    assert vhost._site.memory.keys == 2, "the addresses stay"


def test_long_keys_are_routed_and_not_kept() -> None:
    """A topic of MQTT may have 65,535 bytes; 16,384 of them would be a gigabyte."""
    vhost, sink = a_vhost(), Recorder()
    topics = vhost.exchange("amq.topic")
    bind(vhost, topics, sink, "#")
    key = "x" * (CACHED_KEY_LIMIT + 1)
    send(topics, key)
    send(topics, key)
    assert len(sink.taken) == 2
    assert sink.taken[0].size_bytes > 3 * len(key), "it counts with the message that it is kept with"
    assert not topics._addresses
    assert not topics._routes
    send(topics, key[1:])
    assert len(topics._routes) == 1


def test_a_route_is_found_once() -> None:
    vhost, sink = a_vhost(), Recorder()
    topics = vhost.exchange("amq.topic")
    bind(vhost, topics, sink, "a.*")
    first = topics.route(plain_message(topics.address("a.b"), b""))
    assert topics.route(plain_message(topics.address("a.b"), b"")) is first
    bind(vhost, topics, Recorder(), "unrelated")
    assert topics.route(plain_message(topics.address("a.b"), b"")) is first, "an exact binding touches only its key"
    bind(vhost, topics, Recorder(), "unrelated.*")
    assert topics.route(plain_message(topics.address("a.b"), b"")) is not first


def test_a_session_with_thousands_of_matching_subscriptions_is_found_in_linear_time() -> None:
    """20,000 sinks of one group: compared pair by pair, that would be 200 million comparisons."""
    vhost, group = a_vhost(), object()
    topics = vhost.exchange("amq.topic")
    for number in range(20_000):
        sink = Counted()
        sink.group = group
        vhost.bind(topics, Binding(sink, "a", {"number": number}))
    Counted.compared = 0
    assert len(topics.route(plain_message(topics.address("a"), b"")).sinks) == 1
    assert Counted.compared < 20_000


def test_an_exchange_knows_those_before_it_once_each() -> None:
    """A walk upstream at each change must not take a step for each of the bindings."""
    vhost = a_vhost()
    source, destination = vhost.add_exchange("source", "direct"), vhost.add_exchange("destination", "direct")
    for number in range(100):
        bind(vhost, source, destination, f"key.{number}")
    assert destination.upstream == {source: 100}
    vhost.remove_exchange(source)
    assert not destination.upstream
