"""Exchanges that select one of many bindings: by a consistent hash, by a modulus, by chance."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.client import Client
from core.model.errors import Invalid
from core.model.message import Message
from core.model.properties import Headers, Native, Properties, Timestamp
from core.routing.binding import Binding
from core.routing.chance import Chance
from core.routing.exchange import Exchange
from core.routing.exchanges.consistent_hash import WINNERS_LIMIT, ConsistentHashExchange
from core.routing.sink import Sink
from tests.core.parts import Recorder, a_client, publish

HASH = "x-consistent-hash"


class Said(Native):
    def __init__(self, properties: Properties) -> None:
        self._properties = properties

    def decode(self) -> Properties:
        return self._properties


def with_sinks(
    kind: str, weights: Iterable[str], arguments: Headers | None = None
) -> tuple[Client, Exchange, list[Recorder]]:
    client = a_client()
    exchange = client.declare_exchange("x", kind, arguments=arguments)
    sinks = []
    for number, weight in enumerate(weights):
        sinks.append(Recorder(f"queue-{number}"))
        client.vhost.bind(exchange, Binding(sinks[-1], weight, {}))
    return client, exchange, sinks


def chosen(exchange: Exchange, key: str, properties: Properties | None = None) -> Sink:
    message = Message(exchange.address(key), b"", 0, Said(properties or Properties()))
    (sink,) = exchange.route(message).sinks
    return sink


def shares(exchange: Exchange, keys: Iterable[str]) -> Counter[str]:
    return Counter(chosen(exchange, key).name for key in keys)


def check_even(counted: Counter[str], weights: dict[str, int]) -> None:
    """Chi-squared, far beyond what chance would do in a million years: degrees of freedom, and seven deviations."""
    count, whole, freedom = counted.total(), sum(weights.values()), len(weights) - 1
    squares = sum((counted[name] - count * w / whole) ** 2 / (count * w / whole) for name, w in weights.items())
    assert squares < freedom + 7 * (2 * freedom) ** 0.5 + 10, (counted, weights)


# Consistent hash


@given(st.lists(st.integers(1, 20), min_size=2, max_size=8), st.text("abcdefghij", max_size=6))
def test_every_sink_gets_its_share_by_weight(weights: list[int], prefix: str) -> None:
    _, exchange, sinks = with_sinks(HASH, [str(weight) for weight in weights])
    counted = shares(exchange, (f"{prefix}{number}" for number in range(1_000)))
    check_even(counted, {sink.name: weight for sink, weight in zip(sinks, weights, strict=True)})


def test_consecutive_numbers_over_twenty_queues_are_spread_evenly() -> None:
    _, exchange, sinks = with_sinks(HASH, ["1"] * 20)
    check_even(shares(exchange, (str(number) for number in range(20_000))), {sink.name: 1 for sink in sinks})


@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.data())
def test_a_sink_that_goes_moves_its_own_values_only_and_takes_them_back_when_it_returns(
    weights: list[int], data: st.DataObject
) -> None:
    client, exchange, sinks = with_sinks(HASH, [str(weight) for weight in weights])
    keys = [f"k{number}" for number in range(300)]
    before = {key: chosen(exchange, key) for key in keys}
    gone = data.draw(st.integers(0, len(sinks) - 1))
    client.vhost.unbind_all(sinks[gone])
    for key in keys:
        after = chosen(exchange, key)
        assert after is not sinks[gone]
        assert after is before[key] or before[key] is sinks[gone]
    client.vhost.bind(exchange, Binding(sinks[gone], str(weights[gone]), {}))
    assert {key: chosen(exchange, key) for key in keys} == before


def test_the_order_of_binding_does_not_matter_to_what_has_a_name() -> None:
    names = ["one", "two", "three"]
    outcomes = []
    for order in (names, names[::-1]):
        client, exchange, _ = with_sinks(HASH, [])
        for name in order:
            client.vhost.bind(exchange, Binding(Recorder(name), "1", {}))
        outcomes.append([chosen(exchange, f"k{number}").name for number in range(100)])
    assert outcomes[0] == outcomes[1]


def test_a_weight_of_its_own_for_one_leaves_the_others_as_they_were_among_themselves() -> None:
    client, exchange, sinks = with_sinks(HASH, ["1", "1", "1"])
    keys = [f"k{number}" for number in range(1_000)]
    before = {key: chosen(exchange, key) for key in keys}
    heavy = Recorder("heavy")
    client.vhost.bind(exchange, Binding(heavy, "3", {}))
    after = {key: chosen(exchange, key) for key in keys}
    assert all(after[key] in {before[key], heavy} for key in keys)
    check_even(Counter(sink.name for sink in after.values()), {**{sink.name: 1 for sink in sinks}, "heavy": 3})


def test_subscriptions_without_a_name_share_too() -> None:
    client, exchange, _ = with_sinks(HASH, [])
    sinks = [Recorder() for _ in range(4)]
    for sink in sinks:
        client.vhost.bind(exchange, Binding(sink, "1", {}))
    counted = Counter(sinks.index(chosen(exchange, f"k{n}")) for n in range(1_000))  # type: ignore[arg-type]
    assert all(counted[number] > 150 for number in range(4))


def test_a_sink_that_is_bound_twice_counts_with_its_oldest_binding() -> None:
    """Asked of RabbitMQ 3.10.8: the second binding is there and has no part in it."""
    client, exchange, (first, second) = with_sinks(HASH, ["1", "1"])
    client.vhost.bind(exchange, Binding(first, "9", {}))
    keys = [f"k{number}" for number in range(2_000)]
    check_even(shares(exchange, keys), {first.name: 1, second.name: 1})
    client.vhost.unbind(exchange, Binding(first, "1", {}).identity)
    check_even(shares(exchange, keys), {first.name: 9, second.name: 1})


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ({"hash-header": "user"}, [{"headers": {"user": n}} for n in range(400)]),
        ({"hash-header": "user"}, [{"headers": {"user": f"u{n}"}} for n in range(400)]),
        ({"hash-header": "user"}, [{"headers": {"user": Timestamp(n)}} for n in range(400)]),
        ({"hash-property": "message_id"}, [{"message_id": f"m{n}"} for n in range(400)]),
        ({"hash-property": "correlation_id"}, [{"correlation_id": f"c{n}"} for n in range(400)]),
        ({"hash-property": "timestamp"}, [{"timestamp_s": n} for n in range(400)]),
    ],
)
def test_the_value_may_come_from_the_message(arguments: Headers, values: list[dict[str, object]]) -> None:
    _, exchange, sinks = with_sinks(HASH, ["1"] * 4, arguments)
    said = []
    for value in values:
        properties = Properties()
        for name, part in value.items():
            setattr(properties, name, part)
        said.append(properties)
    first = [chosen(exchange, "a", properties).name for properties in said]
    assert [chosen(exchange, "b", properties).name for properties in said] == first, "the key has no part in it"
    check_even(Counter(first), {sink.name: 1 for sink in sinks})
    assert len({chosen(exchange, f"k{n}").name for n in range(100)}) == 1, "without the value all go one way"


def test_values_are_remembered_up_to_a_limit() -> None:
    _, exchange, _ = with_sinks(HASH, ["1", "1"], {"hash-property": "message_id"})
    assert isinstance(exchange, ConsistentHashExchange)
    for number in range(WINNERS_LIMIT + 10):
        properties = Properties()
        properties.message_id = f"m{number}"
        chosen(exchange, "", properties)
    assert len(exchange._winners) == 10
    properties.message_id = "x" * 5_000
    chosen(exchange, "", properties)
    assert len(exchange._winners) == 10


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("abc", 'The binding key must be an integer: <<"abc">>'),
        ("", "The binding key must be an integer: <<>>"),
        ("1.5", 'The binding key must be an integer: <<"1.5">>'),
        (" 1", 'The binding key must be an integer: <<" 1">>'),
        ("1_0", 'The binding key must be an integer: <<"1_0">>'),
        ("٣", 'The binding key must be an integer: <<"٣">>'),
        ("0", "The binding key must be greater than 0"),
        ("-0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
        ("1" * 10, "The binding key must have no more than 9 digits"),
    ],
)
def test_a_binding_key_that_is_no_weight_is_refused(key: str, text: str) -> None:
    client, exchange, _ = with_sinks(HASH, ["+2", "007"])
    client.declare_queue("q")
    with pytest.raises(Invalid) as refusal:
        client.bind_queue("q", "x", key, {})
    assert refusal.value.text == text
    assert len(exchange.bindings) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"hash-header": "a", "hash-property": "message_id"}, "hash-header and hash-property are mutually exclusive"),
        ({"hash-header": "a", "hash-property": "zz"}, "hash-header and hash-property are mutually exclusive"),
        ({"hash-property": "app_id"}, "Unsupported property: app_id"),
        ({"hash-property": 3}, "Unsupported property: 3"),
        ({"hash-property": ["message_id"]}, "Unsupported property: ['message_id']"),
        ({"hash-header": 5}, "Invalid argument 5, 'hash-header' must be the name of a header"),
    ],
)
def test_arguments_that_name_nothing_to_hash_are_refused(arguments: Headers, text: str) -> None:
    client = a_client()
    defined = client.vhost.surroundings.usage.defined_bytes
    with pytest.raises(Invalid) as refusal:
        client.declare_exchange("x", HASH, arguments=arguments)
    assert refusal.value.text == text
    assert "x" not in client.vhost.exchanges
    assert client.vhost.surroundings.usage.defined_bytes == defined


# Modulus and chance


@pytest.mark.parametrize("kind", [HASH, "x-modulus-hash", "x-random"])
def test_nobody_bound_means_nobody_reached(kind: str) -> None:
    client, _, _ = with_sinks(kind, [])
    assert not publish(client, "x", "k")


def test_a_modulus_keeps_each_key_with_one_binding_and_uses_all() -> None:
    client, exchange, sinks = with_sinks("x-modulus-hash", ["", "any", "key"])
    keys = [f"k{number}" for number in range(3_000)]
    check_even(shares(exchange, keys), {sink.name: 1 for sink in sinks})
    assert shares(exchange, keys) == shares(exchange, keys)
    client.vhost.unbind_all(sinks[1])
    assert set(shares(exchange, keys)) == {sinks[0].name, sinks[2].name}


def test_chance_chooses_anew_for_each_message_and_by_the_number_of_bindings() -> None:
    client, exchange, sinks = with_sinks("x-random", ["a", "a", "a"])
    client.vhost.bind(exchange, Binding(sinks[0], "b", {}))
    counted = shares(exchange, ["same"] * 4_000)
    check_even(counted, {sinks[0].name: 2, sinks[1].name: 1, sinks[2].name: 1})
    front = client.declare_exchange("front", "fanout")
    client.vhost.bind(front, Binding(exchange, "", {}))
    assert len(shares(front, ["same"] * 50)) == 3, "also behind an exchange that remembers its routes"


def test_chance_asks_for_randomness_once_and_stays_below_its_bound() -> None:
    words = iter(["word"])
    chance = Chance(lambda: next(words))
    numbers = [chance.below(7) for _ in range(7_000)]
    assert not list(words)
    assert set(numbers) == set(range(7))
    check_even(Counter(str(number) for number in numbers), {str(number): 1 for number in range(7)})
    other = Chance(lambda: "another word")
    assert [other.below(7) for _ in range(20)] != numbers[:20]
