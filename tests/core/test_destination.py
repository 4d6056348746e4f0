"""Destinations as text, and back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.destination import (
    COMPOSITE_LIMIT,
    Destination,
    decoded,
    encoded,
    formatted,
    parse_destination,
    split,
)
from core.model.errors import Invalid

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("text", "exchange", "key"),
    [
        ("/queue/orders", "", "orders"),
        ("/queue/a.b", "", "a.b"),
        ("/queue/a%2Fb%2Cc%25", "", "a/b,c%"),
        ("/topic/a.*.#", "amq.topic", "a.*.#"),
        ("/topic/a.b%2Fc", "amq.topic", "a.b/c"),
        ("/exchange/logs", "logs", ""),
        ("/exchange/logs/", "logs", ""),
        ("/exchange/logs/a.b", "logs", "a.b"),
        ("/exchange/amq.topic/k", "amq.topic", "k"),
        ("/queue/gr%C3%B6%C3%9Fe", "", "größe"),
    ],
)
def test_a_destination_is_an_exchange_and_a_key(text: str, exchange: str, key: str) -> None:
    assert parse_destination(text) == Destination(exchange, key)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "must begin with"),
        ("orders", "must begin with"),
        ("queue/orders", "must begin with"),
        ("/", "no name"),
        ("/queue", "no name"),
        ("/queue/", "no name"),
        ("/topic/", "no name"),
        ("/exchange/", "no name"),
        ("/exchange//key", "no name"),
        ("/nowhere/x", "no kind '/nowhere/'"),
        ("/Queue/x", "no kind '/Queue/'"),
        ("/queue/a/b", "too many parts"),
        ("/topic/a/b", "too many parts"),
        ("/exchange/a/b/c", "too many parts"),
        ("/queue/%FF", "not UTF-8"),
    ],
)
def test_what_is_no_destination_is_refused_by_name(text: str, about: str) -> None:
    with pytest.raises(Invalid, match=about) as caught:
        parse_destination(text)
    assert text in caught.value.text or about == "not UTF-8"


def test_only_a_destination_of_the_default_exchange_is_a_queue() -> None:
    assert parse_destination("/queue/q").queue == "q"
    assert parse_destination("/topic/q").queue is None
    assert parse_destination("/exchange/x/q").queue is None


def test_spaces_belong_to_a_name_and_not_to_a_list() -> None:
    assert split("/queue/a ") == ["/queue/a "]
    assert split("/queue/a , /queue/b ") == ["/queue/a", "/queue/b"]
    assert split("/queue/a,") == ["/queue/a", ""]


@pytest.mark.parametrize("count", [COMPOSITE_LIMIT, COMPOSITE_LIMIT + 1])
def test_a_list_has_a_limit(count: int) -> None:
    text = ",".join([f"/queue/{number}" for number in range(count)])
    if count <= COMPOSITE_LIMIT:
        assert len(split(text)) == count
        return
    with pytest.raises(Invalid, match=f"longer than {COMPOSITE_LIMIT}"):
        split(text)


@given(names)
def test_every_name_can_be_said_in_one_part_of_one_line(name: str) -> None:
    said = encoded(name)
    assert decoded(said) == name
    assert not set(said) & {"/", ",", "\n", "\r", "\0"}


@given(names, names)
def test_every_destination_survives_being_written(exchange: str, key: str) -> None:
    for destination in (Destination("", key), Destination("amq.topic", key), Destination(exchange, key)):
        assert parse_destination(formatted(destination)) == destination
        assert split(formatted(destination)) == [formatted(destination)]


@given(st.text(max_size=60))
def test_any_text_is_a_destination_or_invalid(text: str) -> None:
    with contextlib.suppress(Invalid):
        parse_destination(text)


def test_equal_destinations_are_one_key() -> None:
    assert len({parse_destination("/queue/a"), parse_destination("/queue/%61"), parse_destination("/topic/a")}) == 2
