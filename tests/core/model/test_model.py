"""Messages, names and errors."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model import errors
from core.model.errors import BROKER_ERRORS, BrokerError, Invalid
from core.model.message import AT_LEAST_ONCE, FOR_AMQP, FOR_NOBODY, Address, Message, plain_message
from core.model.names import NAME_LIMIT_BYTES, check_name
from core.model.properties import NO_PROPERTIES, Native, Properties, Timestamp


class Counting(Native):
    """Counts how often it is decoded."""

    def __init__(self) -> None:
        self.decoded = 0

    def decode(self) -> Properties:
        self.decoded += 1
        properties = Properties({"a": 1})
        properties.message_id = "m"
        return properties


def test_properties_are_decoded_on_first_use_and_once() -> None:
    native = Counting()
    message = Message(Address("x", "k"), b"body", AT_LEAST_ONCE, native)
    assert native.decoded == 0
    assert message.properties is message.properties
    assert message.properties.message_id == "m"
    assert native.decoded == 1


def test_a_copy_shares_what_was_decoded_and_not_what_was_encoded() -> None:
    native = Counting()
    message = Message(Address("x", "k"), b"body", AT_LEAST_ONCE, native)
    message.encoded, message.encoded_for = b"frame", FOR_AMQP
    message.expires_at, message.forwarded_by = 7.0, ("rule",)
    properties = message.properties
    copy = message.aimed_at(Address("y", "l"))
    assert copy.properties is properties
    assert native.decoded == 1
    assert (copy.body, copy.qos, copy.expires_at, copy.forwarded_by) == (b"body", AT_LEAST_ONCE, 7.0, ("rule",))
    assert (copy.encoded, copy.encoded_for) == (b"", FOR_NOBODY)
    assert (message.address.key, copy.address.key) == ("k", "l")


def test_a_plain_message_says_nothing() -> None:
    message = plain_message(Address("", "q"), b"")
    assert message.native is NO_PROPERTIES
    assert message.properties.headers == {}
    assert message.properties.priority is None


def test_header_tables_are_not_shared_between_messages() -> None:
    first, second = Properties(), Properties()
    first.headers["a"] = 1
    assert second.headers == {}


@given(st.text(max_size=300))
def test_names_are_limited_in_bytes(name: str) -> None:
    if len(name.encode()) <= NAME_LIMIT_BYTES and "\0" not in name:
        check_name("queue", name)
    else:
        with pytest.raises(Invalid):
            check_name("queue", name)


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127 + "x", ""])
def test_the_longest_names_are_accepted(name: str) -> None:
    check_name("queue", name)


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "a\0"])
def test_longer_names_are_not(name: str) -> None:
    with pytest.raises(Invalid):
        check_name("queue", name)


def test_the_list_of_errors_is_complete() -> None:
    """Each protocol maps every one of these to its own code; an error outside the list would have none."""
    found = {
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, BrokerError) and value is not BrokerError
    }
    assert found == set(BROKER_ERRORS)
    for each in BROKER_ERRORS:
        assert each("text").text == "text"
        assert str(each("text")) == "text"


def test_timestamps_are_compared_by_value() -> None:
    assert Timestamp(5) == Timestamp(5)
    assert Timestamp(5) != Timestamp(6)
    assert Timestamp(5) != 5
    assert len({Timestamp(5), Timestamp(5)}) == 1
