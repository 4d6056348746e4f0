"""Forwarding rules: copies to other places, with or without the original, and the end of cycles."""

import itertools

from core.broker import Broker
from core.client import Client
from core.model.message import Message, plain_message
from core.queueing.stock import REJECT_PUBLISH
from core.routing.composite import COPIES_LIMIT, HOPS_LIMIT, ForwardingRule, ForwardTarget
from core.routing.pattern import parse_binding_key
from tests.core.parts import Outcomes, a_broker, a_client, publish


def rule(name: str, pattern: str, *targets: str, keep: bool, exchange: str = "") -> ForwardingRule:
    """A rule from queue to queue; a target with a slash is EXCHANGE/KEY."""
    places = [ForwardTarget(*target.split("/")) if "/" in target else ForwardTarget("", target) for target in targets]
    return ForwardingRule(name, exchange, parse_binding_key(pattern), places, keep=keep)


def with_rules(*rules: ForwardingRule) -> tuple[Broker, Client]:
    broker = a_broker()
    for each in rules:
        broker.vhosts["/"].forwarding.add(each)
    client = a_client(broker)
    for name in ("a", "b", "c"):
        client.declare_queue(name)
    return broker, client


def counts(client: Client) -> dict[str, int]:
    return {name: client.find_queue(name).ready_count for name in ("a", "b", "c")}


def test_a_rule_that_keeps_delivers_the_original_and_the_copies() -> None:
    _, client = with_rules(rule("r", "a", "b", "c", keep=True))
    assert publish(client, "", "a")
    assert counts(client) == {"a": 1, "b": 1, "c": 1}


def test_a_rule_that_does_not_keep_delivers_only_the_copies() -> None:
    _, client = with_rules(rule("r", "a", "b", keep=False))
    publish(client, "", "a")
    assert counts(client) == {"a": 0, "b": 1, "c": 0}


def test_a_rule_applies_to_the_keys_that_it_matches_and_to_no_other() -> None:
    _, client = with_rules(rule("r", "orders.*", "b", keep=True, exchange="amq.topic"))
    assert publish(client, "amq.topic", "orders.new")
    assert not publish(client, "amq.topic", "orders")
    assert not publish(client, "amq.topic", "orders.new.urgent")
    assert counts(client) == {"a": 0, "b": 1, "c": 0}


def test_the_copy_is_aimed_at_its_target_and_shares_the_rest() -> None:
    _, client = with_rules(rule("r", "a", "b", keep=True))
    address = client.target("", "a").address
    message = Message(address, b"body", 1, plain_message(address, b"").native)
    message.expires_at = 50.0
    client.publish(client.target("", "a").exchange, message, None, 0)
    _, entry = client.get("b")
    assert entry is not None
    copy = entry.message
    assert (copy.address.exchange, copy.address.key) == ("", "b")
    assert copy.body is message.body
    assert (copy.qos, copy.expires_at, copy.native) == (1, 50.0, message.native)
    assert message.address is address, "the original is as it was"


def test_two_rules_both_forward_and_the_original_stays_only_if_both_keep_it() -> None:
    for first_keeps in (True, False):
        for second_keeps in (True, False):
            _, client = with_rules(rule("r1", "a", "b", keep=first_keeps), rule("r2", "#", "c", keep=second_keeps))
            publish(client, "", "a")
            after = counts(client)
            assert after["a"] == int(first_keeps and second_keeps)
            assert after["b"] == (1 if second_keeps else 0), "the copy in b is itself matched by r2"
            assert after["c"] == 2, "from a by r2, and from b by r2; the copies in c are r2's own"


def test_cycles_of_rules_end_where_they_began() -> None:
    _, client = with_rules(rule("r1", "a", "b", keep=False), rule("r2", "b", "a", keep=False))
    publish(client, "", "a")
    assert counts(client) == {"a": 1, "b": 0, "c": 0}


def test_a_rule_that_points_at_itself_delivers() -> None:
    _, client = with_rules(rule("r", "a", "a", "b", keep=False))
    publish(client, "", "a")
    assert counts(client) == {"a": 1, "b": 1, "c": 0}


def test_a_missing_target_is_counted_and_harms_nobody() -> None:
    broker, client = with_rules(rule("r", "a", "nowhere/k", "nobody", "b", keep=True))
    publish(client, "", "a")
    assert counts(client) == {"a": 1, "b": 1, "c": 0}
    assert broker.counters.dropped == {"forward_target_missing": 1}
    assert broker.counters.unroutable == 1


def test_a_target_that_appears_later_is_found() -> None:
    broker, client = with_rules(rule("r", "a", "later/k", keep=True))
    publish(client, "", "a")
    client.declare_exchange("later", "fanout")
    client.bind_queue("b", "later", "", {})
    publish(client, "", "a")
    assert counts(client) == {"a": 2, "b": 1, "c": 0}
    assert broker.counters.dropped == {"forward_target_missing": 1}


def test_a_refusal_by_a_target_reaches_the_publisher() -> None:
    _, client = with_rules(rule("r", "a", "b", keep=True))
    full = client.find_queue("b")
    full.limit_entries, full.overflow = 0, REJECT_PUBLISH
    target, outcomes = client.target("", "a"), Outcomes()
    client.publish(target.exchange, plain_message(target.address, b"x"), outcomes, 7)
    assert outcomes.said == [(7, "refused")]
    assert counts(client) == {"a": 1, "b": 0, "c": 0}


def test_rules_that_all_forward_to_each_other_make_a_bounded_number_of_copies() -> None:
    """Each rule is used once on a way at most; ten rules have ten million ways."""
    names = [f"q{number}" for number in range(10)]
    rules = [rule(name, name, *[other for other in names if other != name], keep=True) for name in names]
    _, client = with_rules(*rules)
    for name in names:
        client.declare_queue(name)
    for _ in range(2):
        assert publish(client, "", "q0")
    entries = sum(client.find_queue(name).ready_count for name in names)
    assert COPIES_LIMIT <= entries <= 2 * (COPIES_LIMIT + 2 * len(names) * len(names))
    assert client.counters.dropped["forward_limit"] > 0
    assert all(client.find_queue(name).ready_count for name in names)


def test_a_chain_of_rules_ends_at_its_limit_and_the_message_stays_there() -> None:
    names = [f"q{number}" for number in range(HOPS_LIMIT + 5)]
    _, client = with_rules(*[rule(a, a, b, keep=False) for a, b in itertools.pairwise(names)])
    for name in names:
        client.declare_queue(name)
    assert publish(client, "", "q0")
    assert [name for name in names if client.find_queue(name).ready_count] == [f"q{HOPS_LIMIT}"]
    assert client.counters.dropped == {"forward_limit": 1}
