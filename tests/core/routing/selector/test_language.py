"""What selectors mean (JMS 2.0 §3.8.1), by example."""

import pytest

from core.routing.selector import parser
from core.routing.selector.parser import parse_selector, prepare_parser
from tests.core.routing.selector.selected import matches, outcome

TRUE = '''
whole = 7
whole <> 8
whole < 8 AND whole > 6
whole <= 7 AND whole >= 7
7 = whole
whole = 7.0
whole = 7L
whole = 0x7
whole = 007
whole = 7e0
whole = 7.
half = .5
half = 0.5F
half = 5e-1D
half = 5E-1
long = 1099511627776
long > -9223372036854775808
text = 'abc'
text <> 'abd'
quoted = 'it''s'
empty = ''
yes
yes = TRUE
no = FALSE
yes <> no
NOT no
not NOT yes
(yes)
((whole)) = ((7))
TRUE
money = 2.5
when = 1000
whole + 1 = 8
whole - 1 = 6
whole * 2 = 14
whole / 2 = 3
-whole / 2 = -3
whole / 2.0 = 3.5
half / 2 = 0.25
1 + 2 * 3 = whole
(1 + 2) * 3 = 9
10 - 4 - 3 = 3
100 / 10 / 2 = 5
- - whole = 7
+whole = 7
-(whole + 1) = -8
2 * -whole = -14
9223372036854775807 = 9223372036854775806 + 1
whole BETWEEN 7 AND 7
whole between 1 and 2 + 5
whole NOT BETWEEN 8 AND 9
whole NOT BETWEEN 9 AND 1
whole BETWEEN 1 AND 9 AND yes
text IN ('x', 'abc')
text in('abc')
text NOT IN ('x', 'y')
whole IN (1, 7, 9)
whole IN (-7, +7)
half IN (0.5)
text LIKE 'abc'
text LIKE 'a%'
text LIKE '%c'
text LIKE '%b%'
text LIKE 'a_c'
text LIKE '___'
text LIKE '%'
text LIKE '%%%'
text NOT LIKE 'a_'
empty LIKE ''
empty LIKE '%'
text LIKE 'a!bc' ESCAPE '!'
text LIKE 'axbc' ESCAPE 'x'
text NOT LIKE 'a!_c' ESCAPE '!'
missing IS NULL
void IS NULL
table IS NULL
list IS NULL
octets IS NULL
whole IS NOT NULL
whole + missing IS NULL
1 / 0 IS NULL
1.0 / 0 IS NULL
9223372036854775807 + 1 IS NULL
(whole > 5) = TRUE
(missing > 5) IS NULL
yes OR missing
missing OR yes
NOT (no AND missing)
no OR no OR yes
yes AND yes AND yes
no AND no OR yes
yes OR no AND no
NOT no AND yes
whole = 7 AND NOT text = 'x'
AND_more = 1
"content-type" = 'text/plain'
"content-type" LIKE 'text/%'
"odd ""name""" = 1
"whole" = 7
hyphenated_props: content-type = 'text/plain'
hyphenated_props: whole - 1 = 6
convert_string_expressions: digits > 5
convert_string_expressions: digits = 12
convert_string_expressions: 12.0 = digits
convert_string_expressions: digits BETWEEN 1 AND 20
convert_string_expressions: digits + 1 = 13
convert_string_expressions: -digits = -12
convert_string_expressions: digits IN (1, 12)
convert_string_expressions: whole = '7'
convert_string_expressions: 'TRUE' = yes
convert_string_expressions: text = 'abc'
convert_string_expressions: hyphenated_props: digits > 5 AND content-type = 'text/plain'
'''

FALSE = """
whole = 8
whole <> 7
text = 'ABC'
Text IS NOT NULL
text = 7
text <> 7
whole = '7'
whole <> '7'
yes = 1
yes = 'true'
text < text
yes > no
digits > 5
text IN ('x')
whole IN ('7')
yes IN (1)
whole LIKE '7'
text LIKE 'b'
text LIKE 'A%'
text LIKE 'abcd%'
text LIKE 'ab%bc'
text LIKE '____'
whole IS NULL
missing IS NOT NULL
FALSE
convert_string_expressions: text > 5
convert_string_expressions: text = TRUE
"""

UNKNOWN = """
missing
whole
text
missing = 7
missing <> 7
missing < 7
missing = missing
missing = 'x'
missing BETWEEN 1 AND 2
whole BETWEEN missing AND 9
missing IN ('x')
missing NOT IN ('x')
missing LIKE '%'
missing NOT LIKE '%'
missing + 1 = 1
-missing = 1
text + 1 = 1
yes * 2 = 2
-text = 1
yes AND missing
missing AND yes
no OR missing
octets = 'abc'
convert_string_expressions: text + 1 = 1
"""


def rows(table: str) -> list[str]:
    return [line for line in table.strip("\n").split("\n") if line]


@pytest.mark.parametrize("text", rows(TRUE))
def test_a_condition_is_true(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize("text", rows(FALSE))
def test_a_condition_is_false(text: str) -> None:
    assert not matches(text)
    if not text.startswith("convert"):
        assert outcome(text) is False


@pytest.mark.parametrize("text", rows(UNKNOWN))
def test_a_condition_is_unknown(text: str) -> None:
    assert not matches(text)
    if not text.startswith("convert"):
        assert outcome(text) is None


@pytest.mark.parametrize("outer", ["AND", "and", "aNd"])
def test_keywords_have_no_case_and_names_have(outer: str) -> None:
    assert matches(f"yes {outer} nOt no")
    assert not matches("Yes")


def test_a_range_without_its_first_end_can_still_be_false() -> None:
    """SQL-92 §8.3: it stands for two comparisons joined by AND."""
    assert outcome("whole BETWEEN missing AND 5") is False
    assert outcome("whole BETWEEN 8 AND missing") is False


def test_space_is_of_any_kind() -> None:
    assert matches("\t whole\r\n=\f7 ")


def test_a_parser_that_is_prepared_compiles_nothing_for_the_first_selector() -> None:
    prepare_parser()
    compiled = parser._language.cache_info().misses
    assert parse_selector("prepared = 'once'").text == "prepared = 'once'"
    assert parser._language.cache_info().misses == compiled
