"""LIKE against a matcher that tries everything, and its cost."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.errors import Invalid
from core.routing.selector.like import AUTOMATON_LIMIT, LikePattern


def naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return naive(pattern[1:], text) or (bool(text) and naive(pattern, text[1:]))
    return bool(text) and (pattern[0] in ("_", text[0])) and naive(pattern[1:], text[1:])


@given(pattern=st.text("ab_%", max_size=8), text=st.text("ab", max_size=10))
@settings(max_examples=2_000)
def test_patterns_match_what_they_describe(pattern: str, text: str) -> None:
    assert LikePattern(pattern, "").matches(text) == naive(pattern, text)


@given(text=st.text(max_size=20))
def test_an_escaped_text_matches_itself_only(text: str) -> None:
    pattern = LikePattern("".join(f"!{character}" for character in text), "!")
    assert pattern.matches(text)
    assert not pattern.matches(text + "x")


def steps(pattern: str, text: str) -> int:
    """Return how many lines of Python a match takes."""
    count = 0

    def trace(*_: object) -> object:
        nonlocal count
        count += 1
        return trace

    like = LikePattern(pattern, "")
    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        assert not like.matches(text)
    finally:
        sys.settrace(before)
    return count


def test_the_cost_grows_with_the_text_and_not_with_its_ways_to_match() -> None:
    """A matcher that goes back would try 2^30 ways here."""
    pattern = "%a_%a" * 30 + "b"
    short, long = steps(pattern, "a" * 1_000), steps(pattern, "a" * 2_000)
    assert long <= 2 * short
    assert steps("%a%a" * 30 + "b", "a" * 2_000) < 200


def test_a_pattern_with_a_wildcard_for_one_character_has_a_limit() -> None:
    """Each character of a text would cost as many bits as it has characters."""
    assert LikePattern("_" * AUTOMATON_LIMIT, "").matches("a" * AUTOMATON_LIMIT)
    with pytest.raises(Invalid, match=f"more than {AUTOMATON_LIMIT} characters"):
        LikePattern("_" * (AUTOMATON_LIMIT + 1), "")
    assert LikePattern("a" * (AUTOMATON_LIMIT + 1), "").matches("a" * (AUTOMATON_LIMIT + 1))
