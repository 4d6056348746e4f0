"""Topics and filters against what MQTT says of them in section 4.7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.errors import Denied, Invalid, Limit
from core.model.message import FOR_MQTT, Address
from core.routing.trie import Trie
from protocols.mqtt.errors import Malformed
from protocols.mqtt.topics import UNSAYABLE, check_publishable, parse_filter, topic_field, topic_to_key

levels = st.text(st.sampled_from("ab.*$é "), max_size=3)
topics = st.lists(levels, min_size=1, max_size=5).map("/".join).filter(bool)
filters = (
    st.tuples(st.lists(st.one_of(levels, st.just("+")), max_size=4), st.sampled_from([[], ["#"]]))
    .map(lambda parts: "/".join(parts[0] + parts[1]))
    .filter(bool)
)
any_topics = st.text(st.characters(exclude_characters="+#\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


def oracle(pattern: list[str], topic: list[str]) -> bool:
    """MQTT 3.1.1 §4.7.1, as short as it can be said."""
    if pattern == ["#"]:
        return True
    if not pattern or not topic:
        return not pattern and not topic
    return pattern[0] in {"+", topic[0]} and oracle(pattern[1:], topic[1:])


def expected(topic_filter: str, topic: str) -> bool:
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False  # [MQTT-4.7.2-1]
    return oracle(topic_filter.split("/"), topic.split("/"))


def matched(topic_filter: str, topic: str) -> bool:
    trie = Trie()
    trie.add(parse_filter(topic_filter).pattern, "found")
    return trie.match(topic_to_key(topic.encode())) == ["found"]


@given(any_topics)
def test_every_topic_comes_back_from_its_key(topic: str) -> None:
    raw = topic.encode()
    field = topic_field(Address("amq.topic", topic_to_key(raw)))
    assert field == len(raw).to_bytes(2, "big") + raw


@given(any_topics, any_topics)
def test_different_topics_have_different_keys(one: str, other: str) -> None:
    assert (topic_to_key(one.encode()) == topic_to_key(other.encode())) is (one == other)


@given(filters, topics)
def test_filters_match_as_the_oracle_does(topic_filter: str, topic: str) -> None:
    assert matched(topic_filter, topic) is expected(topic_filter, topic)


@given(
    st.lists(st.sampled_from("ab+"), min_size=1, max_size=4), st.lists(st.sampled_from("ab"), min_size=1, max_size=4)
)
def test_filters_that_often_match_do_as_the_oracle_does(pattern: list[str], topic: list[str]) -> None:
    for end in ([], ["#"]):
        topic_filter = "/".join(pattern + end)
        assert matched(topic_filter, "/".join(topic)) is expected(topic_filter, "/".join(topic))


@pytest.mark.parametrize(
    ("topic_filter", "topic", "match"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("#", "/", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        ("$SYS/+", "$SYS/broker", True),
        ("ACCOUNTS", "Accounts", False),
        ("/finance", "finance", False),
        ("a/*", "a/b", False),
        ("a/*", "a/*", True),
        ("a.b/+", "a.b/c", True),
        ("a/b/+", "a.b/c", False),
    ],
)
def test_the_examples_of_the_specification_and_ours(topic_filter: str, topic: str, match: bool) -> None:
    """MQTT 3.1.1 §4.7.1.2, §4.7.1.3, §4.7.2, §4.7.3."""
    assert matched(topic_filter, topic) is match


@pytest.mark.parametrize("topic_filter", ["#/a", "a/#/b", "a#", "#a", "a/b#", "+a", "a+/b", "a/+b", "##", "++", "+#"])
def test_a_wildcard_in_the_wrong_place_is_invalid(topic_filter: str) -> None:
    """[MQTT-4.7.1-2], [MQTT-4.7.1-3]"""
    with pytest.raises(Invalid):
        parse_filter(topic_filter)


@pytest.mark.parametrize("topic_filter", ["$share/g/a", "$share/", "$queue/jobs"])
def test_names_of_groups_and_queues_are_no_topics(topic_filter: str) -> None:
    with pytest.raises(Invalid):
        parse_filter(topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "text"), [("a/b", "a.b"), ("a.b/+/#", "a/b.*.#"), ("#", "#"), ("/", "."), ("$share", "$share")]
)
def test_permissions_see_a_filter_in_the_form_of_the_core(topic_filter: str, text: str) -> None:
    assert parse_filter(topic_filter).text == text


def test_levels_are_limited() -> None:
    assert topic_to_key(b"/" * 127) == "." * 127
    assert len(parse_filter("/" * 127).pattern.tokens) == 128
    with pytest.raises(Limit):
        topic_to_key(b"/" * 128)
    with pytest.raises(Limit):
        parse_filter("/" * 128)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"a+",
        b"#",
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\x1f",
        b"a\x7f",
        b"\xc2\x80",
    ],
)
def test_what_is_no_topic_name_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        topic_to_key(raw)


@pytest.mark.parametrize("key", ["", "a.+", "#", "a\0", "\udc80", "é" * 32_768, "a\x01", "a\x9f"])
def test_a_key_that_no_topic_can_say_is_marked_once(key: str) -> None:
    address = Address("amq.topic", key)
    assert topic_field(address) == UNSAYABLE
    assert address.encoded[FOR_MQTT] == UNSAYABLE


@pytest.mark.parametrize("key", ["$SYS", "$SYS.x", "$CONTROL.x", "$share.g.x", "$queue.x"])
def test_the_brokers_own_topics_are_not_published_to(key: str) -> None:
    with pytest.raises(Denied):
        check_publishable(key)


@pytest.mark.parametrize("key", ["$SYSTEM.x", "$other", "a.$SYS", "x"])
def test_other_topics_are(key: str) -> None:
    check_publishable(key)
