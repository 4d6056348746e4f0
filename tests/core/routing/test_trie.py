"""The trie of topic patterns against a ten-line matcher, its famous cases, its pruning and its cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.routing.pattern import MANY_WORDS, ONE_WORD, WORD, Pattern, Token, parse_binding_key
from core.routing.trie import Trie
from tests.core.parts import naive_match, naive_topic_match

# Few words, so that patterns and topics meet often; wildcards of every protocol as plain words; the empty word.
WORDS = st.sampled_from(["a", "b", "c", "", "$a", "*", "#", "+", ">"])
TOPICS = st.lists(WORDS, max_size=7).map(".".join)
LITERALS = WORDS.map(lambda word: Token(WORD, word))
BINDING_KEYS = st.lists(st.sampled_from(["a", "b", "c", "", "$a", "*", "#"]), max_size=7).map(".".join)


@st.composite
def filters(draw: st.DrawFn) -> Pattern:
    """MQTT filters: `+` anywhere, `#` at the end only, `$` hidden."""
    tokens = draw(st.lists(st.one_of(LITERALS, st.just(ONE_WORD)), max_size=6))
    if not tokens or draw(st.booleans()):
        tokens.append(MANY_WORDS)
    return Pattern(tuple(tokens), hides_dollar=True)


@st.composite
def free_patterns(draw: st.DrawFn) -> Pattern:
    """Any sequence of tokens at all."""
    tokens = draw(st.lists(st.one_of(LITERALS, st.just(ONE_WORD), st.just(MANY_WORDS)), max_size=6))
    return Pattern(tuple(tokens), hides_dollar=draw(st.booleans()))


PATTERNS = st.one_of(BINDING_KEYS.map(parse_binding_key), filters(), free_patterns())


def found(trie: Trie, topic: str) -> list[int]:
    values = trie.match(topic)
    assert len(values) == len({id(value) for value in values}), "a value came twice from one pattern"
    return sorted(value for value in values if isinstance(value, int))


@given(st.lists(PATTERNS, max_size=12), st.lists(TOPICS, min_size=1, max_size=8))
def test_trie_agrees_with_the_naive_matcher(patterns: list[Pattern], topics: list[str]) -> None:
    trie = Trie()
    for value, pattern in enumerate(patterns):
        trie.add(pattern, value)
    for topic in topics:
        expected = [value for value, pattern in enumerate(patterns) if naive_topic_match(pattern, topic)]
        assert found(trie, topic) == expected


@given(st.data())
def test_trie_agrees_while_patterns_come_and_go(data: st.DataObject) -> None:
    trie = Trie()
    filed: list[tuple[Pattern, int]] = []
    for value in range(data.draw(st.integers(1, 20))):
        remove: bool = data.draw(st.booleans())
        if filed and remove:
            pattern, old = filed.pop(data.draw(st.integers(0, len(filed) - 1)))
            assert trie.remove(pattern, old)
        else:
            pattern = data.draw(PATTERNS)
            filed.append((pattern, value))
            trie.add(pattern, value)
        topic = data.draw(TOPICS)
        assert found(trie, topic) == sorted(value for pattern, value in filed if naive_topic_match(pattern, topic))
        assert trie.size == len(filed)
    for pattern, value in filed:
        assert trie.remove(pattern, value)
    assert trie.size == 0
    assert trie._root.empty()
    assert trie._root_without_dollar.empty()
    assert not trie._literals


@given(PATTERNS, PATTERNS)
def test_removing_what_was_never_there_changes_nothing(filed: Pattern, other: Pattern) -> None:
    trie, value = Trie(), object()
    trie.add(filed, value)
    assert not trie.remove(filed, object())
    assert trie.remove(other, value) == (other == filed)
    assert trie.size == (0 if other == filed else 1)


def test_a_value_filed_twice_under_one_pattern_is_filed_once() -> None:
    trie, pattern, value = Trie(), parse_binding_key("a.*"), object()
    trie.add(pattern, value)
    trie.add(pattern, value)
    assert trie.match("a.b") == [value]
    assert trie.size == 1
    assert trie.remove(pattern, value)
    assert not trie.remove(pattern, value)


# RabbitMQ's own table (rabbit/test/topic_permission and its topic exchange tests), checked against a running 3.10.
@pytest.mark.parametrize(
    ("key", "topics", "others"),
    [
        ("a.*.#", ["a.b", "a.b.c", "a."], ["a", "b.a"]),
        ("*.#", ["a", "a.b", "."], [""]),
        ("*", ["a", "*"], ["", "a.b"]),
        ("#", ["", "a", "a.b", "."], []),
        ("#.#", ["", "a", "a.b"], []),
        ("", [""], ["a", "."]),
        ("*.*", ["a.b", "."], ["", "a", "a.b.c"]),
        ("#.*.#", ["a", "a.b.c", "."], [""]),
        ("a.#.b.#.c", ["a.b.c", "a.x.b.c", "a.b.x.c", "a.b.b.c.c"], ["a.c", "a.b", "a.c.b"]),
        ("#.b", ["b", "a.b", "b.b"], ["b.a", ""]),
        ("a.#", ["a", "a.b", "a.b.c"], ["b", "", "b.a"]),
        ("#.a.#.a", ["a.a", "a.b.a", "b.a.a.a"], ["a", "a.b"]),
        ("a*", ["a*"], ["ab", "a"]),
    ],
)
def test_binding_keys_match_as_in_rabbitmq(key: str, topics: list[str], others: list[str]) -> None:
    trie = Trie()
    trie.add(parse_binding_key(key), 1)
    assert [topic for topic in topics + others if trie.match(topic)] == topics


def mqtt(text: str) -> Pattern:
    kinds = {"+": ONE_WORD, "#": MANY_WORDS}
    return Pattern(tuple([kinds.get(level) or Token(WORD, level) for level in text.split("/")]), hides_dollar=True)


@pytest.mark.parametrize(
    ("text", "topics", "others"),
    [
        ("a/+/#", ["a/b", "a/b/c", "a/"], ["a", "b/a"]),
        ("+/#", ["a", "a/b", "/"], ["$SYS/a", "$"]),
        ("#", ["a", "/", "a/b"], ["$SYS", "$SYS/a"]),
        ("a/#", ["a", "a/b", "a/b/c"], ["ab", "b"]),
        ("+", ["a"], ["/", "a/b", "$SYS"]),
        ("+/+", ["a/b", "/"], ["a", "a/b/c", "$SYS/b"]),
        ("/+", ["/a", "/"], ["a"]),
        ("$SYS/#", ["$SYS", "$SYS/a"], ["SYS/a"]),
        ("$SYS/+", ["$SYS/a"], ["$SYS"]),
        ("a/+", ["a/$b"], ["a"]),
    ],
)
def test_filters_match_as_mqtt_says(text: str, topics: list[str], others: list[str]) -> None:
    """[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.2-1]: the parent level too, and `$` hidden from a leading wildcard."""
    trie = Trie()
    trie.add(mqtt(text), 1)
    assert [topic for topic in topics + others if trie.match(topic.replace("/", "."))] == topics


@pytest.mark.parametrize("wildcards", [3, 10, 40])
def test_many_wildcards_cost_the_product_of_the_lengths(wildcards: int) -> None:
    """The number of ways to split the topic grows with 128^40; the number of steps must not."""
    trie = Trie()
    tokens = parse_binding_key(".".join(["#.a"] * wildcards) + ".#.b").tokens
    trie.add(Pattern(tokens), 1)
    words = ["a"] * 128
    assert trie.match(".".join(words)) == []
    assert trie.visits <= 4 * (len(tokens) + 1) * (len(words) + 1)
    assert naive_match(tokens[-2:], (*words, "b"))


def test_patterns_that_do_not_match_cost_nothing() -> None:
    trie = Trie()
    for number in range(2_000):
        trie.add(parse_binding_key(f"sensor.{number}.*"), number)
    assert trie.match("sensor.1500.temperature") == [1500]
    assert trie.visits < 10


@given(BINDING_KEYS)
def test_parsed_binding_keys_keep_their_meaning(key: str) -> None:
    """Joined wildcards (`#.#`) may be written shorter; what they match stays."""
    kinds = {"*": ONE_WORD, "#": MANY_WORDS}
    as_written = tuple([kinds.get(word) or Token(WORD, word) for word in key.split(".")]) if key else ()
    parsed = parse_binding_key(key).tokens
    for topic in ((), ("",), ("a",), ("a", "b"), ("", ""), ("a", "a", "b"), ("$a", "c")):
        assert naive_match(parsed, topic) == naive_match(as_written, topic)


@given(TOPICS)
def test_a_pattern_without_wildcards_has_its_topic_as_literal(topic: str) -> None:
    tokens = tuple([Token(WORD, word) for word in topic.split(".")]) if topic else ()
    assert Pattern(tokens).literal == topic
    assert Pattern((*tokens, ONE_WORD)).literal is None
    assert Pattern((*tokens, MANY_WORDS)).literal is None
