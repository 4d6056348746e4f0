"""The index finds the same selectors as asking each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.properties import Headers, Properties
from core.routing.selector import parse_selector
from core.routing.selector.index import Selecting, SelectorIndex
from tests.core.routing.selector.selected import a_message

TEXTS = [
    "key = 'a'",
    "'b' = key",
    "key = 'a' AND n > 1",
    "n > 1 AND (key = 'b') AND TRUE",
    "key IN ('a', 'b', 'a')",
    "key IN ('c', 1)",
    "key = 'a' OR n = 2",
    "NOT key = 'a'",
    "key <> 'a'",
    "other = 'a'",
    "JMSType = 'a'",
    "n = 2",
    "key IS NULL",
    "convert_string_expressions: key = '2'",
    "convert_string_expressions: key = 'a' AND n = '2'",
    "TRUE",
]

values = st.none() | st.sampled_from(["a", "b", "c", "2"]) | st.integers(0, 2) | st.booleans()


@given(
    changes=st.lists(st.integers(0, len(TEXTS) - 1), max_size=30),
    said=st.lists(st.fixed_dictionaries(dict.fromkeys(("key", "n", "other"), values)), max_size=5),
    kind=st.sampled_from([None, "a"]),
)
def test_the_index_finds_what_matches(changes: list[int], said: list[Headers], kind: str | None) -> None:
    index = SelectorIndex()
    present: dict[int, Selecting] = {}
    for number in changes:  # those that are there go, and the others come
        if number in present:
            index.remove(present.pop(number))
        else:
            present[number] = Selecting(parse_selector(TEXTS[number]))
            index.add(present[number])
    for headers in said:
        properties = Properties(headers)
        properties.type = kind
        message = a_message(properties)
        found = index.matching(message)
        assert len(found) == len(set(found))
        assert set(found) == {each for each in present.values() if each.selector.matches(message)}


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("key = 'a'", ("a",)),
        ("'a' = key AND n > 5", ("a",)),
        ("n > 5 AND key IN ('a', 'b', 'a')", ("a", "b")),
        ("key = 'a' OR n > 5", None),
        ("key NOT IN ('a')", None),
        ("key IN ('a', 5)", None),
        ("key = 5", None),
        ("key <> 'a'", None),
        ("convert_string_expressions: key = 'a' AND n > 5", ("a",)),
        ("convert_string_expressions: key = '5'", None),
        ("convert_string_expressions: key = 'True'", None),
    ],
)
def test_a_selector_is_pinned_to_the_texts_that_it_needs(text: str, texts: tuple[str, ...] | None) -> None:
    pin = parse_selector(text).pin
    assert (None if pin is None else pin.texts) == texts
