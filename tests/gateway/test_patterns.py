"""Permission patterns: anchors, RabbitMQ's empty pattern, linear time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import EVERYTHING, NOTHING
from gateway.patterns import compile_pattern, text_of


def test_a_pattern_without_anchors_is_found_anywhere() -> None:
    """As RabbitMQ: patterns are moved from there unchanged."""
    pattern = compile_pattern("orders")
    assert pattern.matches("orders")
    assert pattern.matches("my.orders.eu")
    assert not pattern.matches("order")


def test_anchors_bind_a_pattern_to_the_ends_of_a_name() -> None:
    assert compile_pattern("^orders").matches("orders.eu")
    assert not compile_pattern("^orders").matches("my.orders")
    assert not compile_pattern("orders$").matches("orders.eu")


def test_anchors_around_alternatives_match_whole_names() -> None:
    pattern = compile_pattern("^(amq\\.gen.*|amq\\.default)$")
    assert pattern.matches("amq.gen-1")
    assert pattern.matches("amq.default")
    assert not pattern.matches("my.amq.default")


def test_an_empty_pattern_matches_nothing() -> None:
    """RabbitMQ, access control: the empty string restricts to nothing."""
    assert compile_pattern("") is NOTHING
    assert not compile_pattern("").matches("")


def test_the_pattern_for_everything_costs_nothing() -> None:
    assert compile_pattern(".*") is EVERYTHING


def test_a_dot_matches_a_line_break() -> None:
    assert compile_pattern("a.b").matches("a\nb")


def test_a_name_that_is_not_text_is_not_matched() -> None:
    assert not compile_pattern("a").matches("a\udc80")


@pytest.mark.parametrize("text", ["(a", "a)", "[", "*", "(?=a)", "(?<!a)", "(a)\\1", "a{1001}", "\\C\\8"])
def test_what_is_no_pattern_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} is not a pattern: .+"):
        compile_pattern(text)


def test_a_pattern_has_a_limit() -> None:
    with pytest.raises(ValueError, match="longer than 4096"):
        compile_pattern("a" * 4_097)


def test_a_pattern_that_explodes_elsewhere_is_linear_here() -> None:
    """A backtracking matcher needs 2**255 steps for this name; the time only has to be finite."""
    started = time.monotonic()
    assert not compile_pattern("^(a+)+$").matches("a" * 254 + "b")
    assert time.monotonic() - started < 60


@given(st.text("ab.*|()+?", max_size=8), st.text("ab.", max_size=8))
def test_patterns_agree_with_the_standard_library(text: str, name: str) -> None:
    try:
        expected = re.compile(text, re.DOTALL).search(name) is not None
        pattern = compile_pattern(text)
    except (ValueError, re.error):
        return  # one of the two does not know this syntax: possessive quantifiers, repeated repetitions
    if text:
        assert pattern.matches(name) == expected


@given(st.one_of(st.sampled_from(["", ".*", "^a$"]), st.from_regex(r"\A[a-z.]{0,9}\Z")))
def test_a_pattern_tells_the_text_that_it_was_made_of(text: str) -> None:
    assert text_of(compile_pattern(text)) == text
