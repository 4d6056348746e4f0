"""What is no selector, and where it ceases to be one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.errors import InvalidSelector
from core.routing.selector import parse_selector
from core.routing.selector.builder import DEPTH_LIMIT, PARTS_LIMIT
from core.routing.selector.parser import TEXT_LIMIT_BYTES
from tests.core.routing.selector.selected import MESSAGE, matches


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "ends too early"),
        ("   ", 1, "ends too early"),
        ("a =", 4, "ends too early"),
        ("a = 1 AND", 10, "ends too early"),
        ("(a = 1", 7, "ends too early"),
        ("a = 1)", 6, "unexpected ')'"),
        ("a = = 1", 5, "unexpected '='"),
        ("a b", 3, "unexpected 'b'"),
        ("a = 1 = 1", 7, "unexpected '='"),
        ("a ! b", 3, "unexpected '!'"),
        ("a == 1", 4, "unexpected '='"),
        ("a = 'open", 5, "without its end"),
        ('"open = 1', 1, "without its end"),
        ("a LIKE 5", 8, "unexpected '5'"),
        ("a LIKE b", 8, "unexpected 'b'"),
        ("a IN ()", 7, "unexpected ')'"),
        ("a IN (b)", 7, "unexpected 'b'"),
        ("a IN ('x' 'y')", 11, "unexpected \"'y'\""),
        ("a BETWEEN 1", 12, "ends too early"),
        ("a IS 5", 6, "unexpected '5'"),
        ("AND = 1", 1, "unexpected 'AND'"),
        ("a = NULL", 5, "unexpected 'NULL'"),
        ("5", 1, "a number where a condition is needed"),
        ("'x'", 1, "a text where a condition is needed"),
        ("a + 1", 1, "a number where a condition is needed"),
        ("a AND 5", 7, "a number where a condition is needed"),
        ("a OR 'x'", 6, "a text where a condition is needed"),
        ("NOT -a", 5, "a number where a condition is needed"),
        ("a > 'x'", 5, "a text where a number is needed"),
        ("TRUE > a", 1, "a condition where a number is needed"),
        ("a BETWEEN 'x' AND 5", 11, "a text where a number is needed"),
        ("'x' + 1 = a", 1, "a text where a number is needed"),
        ("-'x' = a", 2, "a text where a number is needed"),
        ("a * (b = 1) = 2", 6, "a condition where a number is needed"),
        ("a = 09", 5, "must be octal"),
        ("a = 9223372036854775809", 5, "more than 64 bits"),
        ("a = 0xfffffffffffffffff", 5, "more than 64 bits"),
        ("a = " + "9" * 5_000, 5, "more than 64 bits"),
        ("a = 0" + "7" * 5_000, 5, "more than 64 bits"),
        ("a = 0x" + "f" * 5_000, 5, "more than 64 bits"),
        ("a = 1x", 5, "unexpected '1'"),
        ("a LIKE 'x!' ESCAPE '!'", 8, "escapes nothing"),
        ("a LIKE 'x' ESCAPE ''", 19, "one character"),
        ("a LIKE 'x' ESCAPE '!!'", 19, "one character"),
        ("JMSRedelivered", 1, "delivery's"),
        ("a = 1 AND JMSXDeliveryCount > 2", 11, "delivery's"),
        ("XPATH '//a'", 7, "unexpected"),
        ("hyphenated_props: a = =", 23, "unexpected '='"),
        ("convert_string_expressions:", 28, "ends too early"),
        ("a\x00 = 1", 2, "unexpected '\\x00'"),
    ],
)
def test_an_error_says_where_and_what(text: str, column: int, words: str) -> None:
    with pytest.raises(InvalidSelector) as caught:
        parse_selector(text)
    assert caught.value.column == column
    assert caught.value.text.startswith(f"invalid selector, column {column}: ")
    assert words in caught.value.text


def nested(depth: int) -> str:
    return "NOT " * (depth - 1) + "yes"


def test_there_is_a_limit_on_depth() -> None:
    assert matches(nested(DEPTH_LIMIT)) == (DEPTH_LIMIT % 2 == 1)
    with pytest.raises(InvalidSelector, match=f"more than {DEPTH_LIMIT} deep"):
        parse_selector(nested(DEPTH_LIMIT + 1))


def test_parentheses_are_no_depth_and_cost_no_stack() -> None:
    assert matches("(" * (PARTS_LIMIT - 1) + "yes" + ")" * (PARTS_LIMIT - 1))
    for repeated in ("(", "NOT ", "-", "+ "):
        with pytest.raises(InvalidSelector, match=f"more than {PARTS_LIMIT} parts"):
            parse_selector(repeated * (PARTS_LIMIT + 1) + "yes")


def test_there_is_a_limit_on_parts() -> None:
    conditions = PARTS_LIMIT - 1  # and one that joins them
    assert matches(" or ".join(["no"] * (conditions - 1) + ["yes"]))
    with pytest.raises(InvalidSelector, match=f"more than {PARTS_LIMIT} parts"):
        parse_selector(" or ".join(["no"] * (conditions + 1)))


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", "\ud800"])
def test_there_is_a_limit_on_bytes(letter: str) -> None:
    rest = "yes OR 'a' = ''"
    size = len(letter.encode(errors="replace"))
    most = rest.replace("''", f"'{letter * ((TEXT_LIMIT_BYTES - len(rest)) // size)}'")
    assert matches(most)
    with pytest.raises(InvalidSelector, match=f"more than {TEXT_LIMIT_BYTES} bytes"):
        parse_selector(f"{most}{' ' * TEXT_LIMIT_BYTES}")


def check(text: str) -> None:
    try:
        selector = parse_selector(text)
    except InvalidSelector as error:
        column = error.column
    else:
        selector.matches(MESSAGE)
        column = 1
    assert 1 <= column <= len(text) + 1


WORDS = (
    "a yes missing 'x' '%_' 5 0x1 07 1.5 1e9 TRUE FALSE NULL NOT AND OR BETWEEN IN LIKE IS ESCAPE ( ) , = <> < <= > >= + - "
    "* / \" ' . $ \0 é 'it''s' \"q\" hyphenated_props: convert_string_expressions:"
)


@given(pieces=st.lists(st.sampled_from(WORDS.split(" ")), max_size=30), separator=st.sampled_from([" ", ""]))
@settings(max_examples=500)
def test_any_words_are_a_selector_or_an_error_within_the_text(pieces: list[str], separator: str) -> None:
    text = separator.join(pieces)
    check(text)


@given(text=st.text(max_size=80))
def test_any_text_is_a_selector_or_an_error_within_the_text(text: str) -> None:
    check(text)


def test_an_error_does_not_change_the_next_selector() -> None:
    for _ in range(2):
        with pytest.raises(InvalidSelector):
            parse_selector("convert_string_expressions: digits > 5 AND (")
        assert not matches("digits > 5")
