"""Messages that are routed by more keys than their own (CC and BCC in AMQP)."""

import pytest

from core.client import Client
from core.model.message import Message, plain_message
from core.routing.binding import Binding
from core.routing.composite import ForwardingRule, ForwardTarget
from core.routing.exchange import Exchange
from core.routing.pattern import parse_binding_key
from core.routing.sink import Sink
from tests.core.parts import Only, Recorder, a_broker, a_client, a_user


def send(client: Client, exchange: str, key: str, *also: str) -> bool:
    target = client.target(exchange, key)
    message = plain_message(target.address, b"body")
    message.also_to = also
    return client.publish(target.exchange, message, None, 0)


def with_bindings(kind: str, *keys: str) -> tuple[Client, Exchange, list[Recorder]]:
    client = a_client()
    exchange = client.declare_exchange("x", kind)
    sinks = [Recorder(key) for key in keys]
    for sink in sinks:
        client.vhost.bind(exchange, Binding(sink, sink.name, {}))
    return client, exchange, sinks


def counts(sinks: list[Recorder]) -> list[int]:
    return [len(sink.taken) for sink in sinks]


def test_each_key_selects_and_the_message_keeps_its_own() -> None:
    client, _, sinks = with_bindings("direct", "a", "b", "c")
    assert send(client, "x", "a", "b")
    assert send(client, "x", "nobody's", "c")
    assert not send(client, "x", "nobody's", "nobody's either")
    assert counts(sinks) == [1, 1, 1]
    assert [sink.taken[0].address.key for sink in sinks] == ["a", "a", "nobody's"]


def test_a_sink_gets_one_copy_however_many_keys_lead_to_it() -> None:
    client, exchange, sinks = with_bindings("topic", "a.*", "#")
    behind = client.declare_exchange("behind", "fanout")
    client.vhost.bind(exchange, Binding(behind, "*.c", {}))
    client.vhost.bind(behind, Binding(sinks[0], "", {}))
    send(client, "x", "a.b", "a.c", "a.b", "x.c")
    assert counts(sinks) == [1, 1]


def test_copies_do_not_stay_in_the_routes_of_their_keys() -> None:
    client, exchange, sinks = with_bindings("direct", "a", "b")
    send(client, "x", "a", "b")
    send(client, "x", "a")
    assert counts(sinks) == [2, 1]
    assert exchange.route(plain_message(exchange.address("a"), b"")) is exchange._routes["a"]


def test_queues_of_the_default_exchange() -> None:
    client = a_client()
    for name in ("a", "b", "c"):
        client.declare_queue(name)
    assert send(client, "", "a", "b", "missing")
    assert [client.find_queue(name).ready_count for name in ("a", "b", "c")] == [1, 1, 0]


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-random", "x-modulus-hash"])
def test_an_exchange_that_selects_one_binding_selects_one_for_all_keys(kind: str) -> None:
    """Asked of RabbitMQ 3.10.8 for the consistent hash."""
    client, exchange, _ = with_bindings(kind)
    sinks = [Recorder(str(number)) for number in range(5)]
    for sink in sinks:
        client.vhost.bind(exchange, Binding(sink, "1", {}))
    for number in range(20):
        send(client, "x", f"k{number}", "a", "b", "c", "d")
    assert sum(counts(sinks)) == 20


def test_the_alternate_is_for_what_no_key_selects() -> None:
    client, spare = a_client(), Recorder()
    exchange = client.declare_exchange("x", "direct", arguments={"alternate-exchange": "spare"})
    client.vhost.bind(client.declare_exchange("spare", "fanout"), Binding(spare, "", {}))
    own = Recorder()
    client.vhost.bind(exchange, Binding(own, "a", {}))
    send(client, "x", "nobody's", "a")
    send(client, "x", "nobody's", "nobody's either")
    assert (len(own.taken), len(spare.taken)) == (1, 1)


def test_a_history_keeps_one_copy() -> None:
    client, exchange, sinks = with_bindings("x-recent-history", "")
    send(client, "x", "a", "b")
    late = Recorder()
    client.vhost.bind(exchange, Binding(late, "", {}))
    assert counts([*sinks, late]) == [1, 1]


def test_topic_permission_is_asked_for_the_messages_own_key() -> None:
    """As in RabbitMQ, which checks the exchange and the routing key of basic.publish."""
    broker = a_broker()
    client = a_client(broker, a_user(write_topics=Only("allowed")))
    client.declare_queue("q")
    client.bind_queue("q", "amq.topic", "other", {})
    assert send(client, "amq.topic", "allowed", "other")


# Forwarding rules


def rule(name: str, pattern: str, target: str, *, keep: bool) -> ForwardingRule:
    return ForwardingRule(name, "x", parse_binding_key(pattern), [ForwardTarget("", target)], keep=keep)


def with_rules(*rules: ForwardingRule) -> tuple[Client, list[Recorder]]:
    client, _, sinks = with_bindings("direct", "a", "b", "c")
    for each in rules:
        client.vhost.forwarding.add(each)
    client.declare_queue("copies")
    return client, sinks


def copies(client: Client) -> int:
    return client.find_queue("copies").ready_count


def test_a_rule_forwards_once_whichever_of_the_keys_it_matches() -> None:
    client, sinks = with_rules(rule("r", "#", "copies", keep=True))
    send(client, "x", "a", "b")
    assert counts(sinks) == [1, 1, 0]
    assert copies(client) == 1
    _, entry = client.get("copies")
    assert entry is not None
    assert entry.message.also_to == (), "a copy goes to its target and nowhere else"


def test_a_rule_that_does_not_keep_takes_its_key_only() -> None:
    client, sinks = with_rules(rule("r", "b", "copies", keep=False))
    send(client, "x", "a", "b", "c")
    assert counts(sinks) == [1, 0, 1]
    assert copies(client) == 1


def test_a_sink_that_a_rule_and_a_free_key_lead_to_gets_one_copy() -> None:
    client, sinks = with_rules(rule("r", "b", "copies", keep=True), rule("s", "c", "copies", keep=True))
    client.vhost.bind(client.vhost.exchange("x"), Binding(sinks[0], "b", {}))
    client.vhost.bind(client.vhost.exchange("x"), Binding(sinks[1], "c", {}))
    send(client, "x", "a", "b", "c")
    assert counts(sinks) == [1, 1, 1]
    assert copies(client) == 2, "one by each rule"


class Member(Recorder):
    """One of the subscriptions of the same client."""

    def merged(self, others: list[Sink]) -> Sink:
        return self


def test_a_group_gets_one_copy_of_all_keys_together() -> None:
    client, _ = with_rules(rule("r", "b", "copies", keep=True))
    members = [Member("one"), Member("two")]
    for member, key in zip(members, ("a", "b"), strict=True):
        member.group = client
        client.vhost.bind(client.vhost.exchange("x"), Binding(member, key, {}))
    send(client, "x", "a", "b")
    assert sum(counts([*members])) == 1


def test_an_exchange_that_takes_a_message_routes_its_copies_too() -> None:
    _, exchange, sinks = with_bindings("direct", "a", "b")
    message = Message(exchange.address("a"), b"x", 0, plain_message(exchange.address("a"), b"").native)
    message.also_to = ("b",)
    assert exchange.take(message)
    assert counts(sinks) == [1, 1]
