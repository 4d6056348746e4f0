"""Retained messages against a dictionary, their limits, and the pruning of what is cleared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.errors import Limit
from core.model.message import Address, Message, plain_message
from core.queueing import retained
from core.queueing.retained import LEVEL_COST_BYTES, RetainedMessages
from core.queueing.usage import MEMORY_LIMIT_BYTES, Usage
from core.routing.pattern import MANY_WORDS, Pattern
from tests.core.parts import naive_topic_match
from tests.core.routing.test_trie import PATTERNS, TOPICS, mqtt

EVERY_TOPIC = Pattern((MANY_WORDS,))


def a_message(topic: str, body: bytes = b"x", expires_at: float = 0.0) -> Message:
    message = plain_message(Address("amq.topic", topic), body)
    message.expires_at = expires_at
    return message


def topics(found: list[Message]) -> list[str]:
    return sorted(message.address.key for message in found)


@given(st.lists(st.tuples(TOPICS, st.sampled_from([b"", b"1", b"22"])), max_size=15), st.lists(PATTERNS, max_size=6))
def test_retained_messages_are_what_a_dictionary_would_hold(
    kept: list[tuple[str, bytes]], patterns: list[Pattern]
) -> None:
    store = RetainedMessages(Usage())
    model: dict[str, Message] = {}
    for topic, body in kept:
        message = a_message(topic, body)
        store.keep(message)
        model.pop(topic, None)
        if body:
            model[topic] = message
        assert store.get(topic) is model.get(topic)
        assert store.count == len(model)
        assert store.bytes == sum(
            len(key) + len(message.body) + LEVEL_COST_BYTES * len(key.split(".")) for key, message in model.items()
        )
    for pattern in patterns:
        found = store.matching(pattern, now=0.0)
        assert topics(found) == sorted(topic for topic in model if naive_topic_match(pattern, topic))
        assert all(message is model[message.address.key] for message in found)
        walk, parts = store.walk(pattern, 0.0), []
        while not walk.finished:
            parts += walk.go_on(1)
        assert parts == found
    for topic in list(model):
        store.clear(topic)
    assert (store.count, store.bytes) == (0, 0)
    assert not store._root.below, "what is cleared leaves nothing behind"
    assert store._root.message is None


def test_clearing_leaves_the_topics_above_and_below() -> None:
    store = RetainedMessages(Usage())
    for topic in ("a", "a.b", "a.b.c"):
        store.keep(a_message(topic))
    store.keep(a_message("a.b", b""))
    assert topics(store.matching(EVERY_TOPIC, 0.0)) == ["a", "a.b.c"]
    store.clear("a.x.y")
    store.clear("a.b")
    store.clear("a.b.c.d")
    assert store.count == 2


def test_dollar_topics_are_hidden_from_leading_wildcards_only() -> None:
    """[MQTT-4.7.2-1]"""
    store = RetainedMessages(Usage())
    for topic in ("$SYS", "$SYS.a", "a.$b", "b"):
        store.keep(a_message(topic))
    assert topics(store.matching(mqtt("#"), 0.0)) == ["a.$b", "b"]
    assert topics(store.matching(mqtt("+/+"), 0.0)) == ["a.$b"]
    assert topics(store.matching(mqtt("$SYS/#"), 0.0)) == ["$SYS", "$SYS.a"]
    assert topics(store.matching(EVERY_TOPIC, 0.0)) == ["$SYS", "$SYS.a", "a.$b", "b"]


def test_topics_come_in_the_order_of_their_first_message_and_before_those_below_them() -> None:
    store = RetainedMessages(Usage())
    for topic in ("b.2", "a", "b.1", "b", "b.2.x", "a"):
        store.keep(a_message(topic))
    kept = [message.address.key for message in store.matching(EVERY_TOPIC, 0.0)]
    assert kept == ["b", "b.2", "b.2.x", "b.1", "a"]


def test_expired_messages_are_not_given_and_not_kept() -> None:
    store = RetainedMessages(Usage())
    store.keep(a_message("a.b", expires_at=5.0))
    store.keep(a_message("a.c", expires_at=6.0))
    store.keep(a_message("a.d"))
    assert topics(store.matching(EVERY_TOPIC, 4.9)) == ["a.b", "a.c", "a.d"]
    assert topics(store.matching(EVERY_TOPIC, 5.0)) == ["a.c", "a.d"]
    assert store.count == 2
    assert store.get("a.b") is None


def test_the_number_of_topics_is_limited() -> None:
    store = RetainedMessages(Usage())
    store.count = retained.RETAINED_LIMIT - 1
    store.keep(a_message("a"))
    with pytest.raises(Limit, match=f"topic 'b': {retained.RETAINED_LIMIT} messages"):
        store.keep(a_message("b"))
    assert store.get("b") is None
    store.keep(a_message("a", b"replaced"))
    store.clear("a")
    store.keep(a_message("b"))
    assert store.count == retained.RETAINED_LIMIT


def test_the_bytes_of_bodies_and_topics_are_limited() -> None:
    store = RetainedMessages(Usage())
    store.keep(a_message("old", b"12345"))
    store.bytes = MEMORY_LIMIT_BYTES
    with pytest.raises(Limit, match="no room to retain"):
        store.keep(a_message("t", b"1"))
    with pytest.raises(Limit, match="no room to retain"):
        store.keep(a_message("old", b"123456"))
    kept = store.get("old")
    assert kept is not None
    assert kept.body == b"12345"
    store.keep(a_message("old", b"1"))
    store.bytes -= LEVEL_COST_BYTES
    store.keep(a_message("t", b"123"))
    assert store.bytes == MEMORY_LIMIT_BYTES


def test_a_wildcard_visits_only_what_it_selects() -> None:
    store = RetainedMessages(Usage())
    for number in range(500):
        store.keep(a_message(f"sensor.{number}.state"))
    assert topics(store.matching(mqtt("sensor/77/+"), 0.0)) == ["sensor.77.state"]
    assert len(store.matching(mqtt("sensor/+/state"), 0.0)) == 500
    assert store.matching(mqtt("+/77"), 0.0) == []
