"""Selectors against SQLite, which evaluates the same text over the same values, where both mean the same.

They agree on everything but what is compared across kinds (SQLite has an order for that), integers that do not fit 64
bits, and truth values, which are numbers to SQLite; so expressions are made kind by kind, of small numbers.
"""

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from core.model.properties import Headers, Properties
from core.routing.selector import parse_selector
from tests.core.routing.selector.selected import a_message

NUMBERS = ("i", "j", "x", "y")
TEXTS = ("s", "t")
TRUTHS = ("p", "q")

integers = st.integers(-9, 9)
reals = st.sampled_from([-2.5, -1.0, 0.0, 0.25, 1.0, 3.0])
texts = st.text(alphabet="ab%_'!é", max_size=5)

database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("PRAGMA case_sensitive_like = ON")


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def number_text(value: float) -> str:
    return str(value) if value >= 0 else f"(- {-value})"


number_atoms = st.sampled_from(NUMBERS) | st.builds(number_text, integers | reals)
numbers = st.recursive(
    number_atoms,
    lambda inner: (
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner)
        | st.builds("({})".format, inner)
        | st.builds("- ({})".format, inner)
    ),
    max_leaves=4,
)
text_values = st.sampled_from(TEXTS) | st.builds(literal, texts)


@st.composite
def likes(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from(["a", "b", "%", "_", "!%", "!_", "!!", "é", "''"]), max_size=8))
    escaped = any(piece.startswith("!") for piece in pieces) or draw(st.booleans())
    if escaped:
        return f"'{''.join(pieces)}' ESCAPE '!'"
    return f"'{''.join(pieces)}'"


NOT = st.sampled_from(["", "NOT "])
comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
conditions_alone = st.one_of(
    st.builds("{} {} {}".format, numbers, comparisons, numbers),
    st.builds("{} {} {}".format, text_values, st.sampled_from(["=", "<>"]), text_values),
    st.builds("{} {}BETWEEN {} AND {}".format, numbers, NOT, numbers, numbers),
    st.builds("{} {}IN ({})".format, text_values, NOT, st.lists(st.builds(literal, texts), min_size=1).map(", ".join)),
    st.builds("{} {}IN ({})".format, numbers, NOT, st.lists(integers.map(str), min_size=1).map(", ".join)),
    st.builds("{} {}LIKE {}".format, text_values, NOT, likes()),
    st.builds("{} IS {}NULL".format, st.sampled_from([*NUMBERS, *TEXTS, *TRUTHS]), NOT),
    st.builds("({}) IS {}NULL".format, numbers, NOT),
    st.sampled_from([*TRUTHS, "TRUE", "FALSE"]),
    st.builds("{} {} {}".format, st.sampled_from(TRUTHS), st.sampled_from(["=", "<>"]), st.sampled_from(["TRUE", "p"])),
)
conditions = st.recursive(
    conditions_alone,
    lambda inner: (
        st.builds("{} AND {}".format, inner, inner)
        | st.builds("{} OR {}".format, inner, inner)
        | st.builds("NOT {}".format, inner)
        | st.builds("({})".format, inner)
        | st.builds("({}) = ({})".format, inner, inner)
    ),
    max_leaves=6,
)
values = st.fixed_dictionaries(
    {
        **{name: st.none() | integers for name in ("i", "j")},
        **{name: st.none() | reals for name in ("x", "y")},
        **{name: st.none() | texts for name in TEXTS},
        **{name: st.none() | st.booleans() for name in TRUTHS},
    }
)


def by_sqlite(text: str, headers: Headers) -> bool | None:
    columns = ", ".join(f"? AS {name}" for name in headers)
    (found,) = database.execute(f"SELECT ({text}) FROM (SELECT {columns})", list(headers.values())).fetchone()
    return None if found is None else bool(found)


@given(text=conditions, headers=values)
@settings(max_examples=1_000)
def test_sqlite_finds_the_same(text: str, headers: Headers) -> None:
    expected = by_sqlite(text, headers)
    message = a_message(Properties({name: value for name, value in headers.items() if value is not None}))
    assert parse_selector(text).matches(message) == (expected is True)
    assert parse_selector(f"NOT ({text})").matches(message) == (expected is False)
    assert parse_selector(f"({text}) IS NULL").matches(message) == (expected is None)
