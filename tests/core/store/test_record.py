"""Records: a message comes back as it went in, and no damaged one passes for another."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from core.model.message import Address, Message
from core.model.properties import NO_PROPERTIES, Properties, Stated, Timestamp
from core.store.errors import Damaged
from core.store.natives import Natives
from core.store.record import VERSION, Codec, stored_at_of
from core.store.sealing import checksum, seal_row, unseal_row
from core.timers import Clock

ROW = (7 << 40) + 3
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text()
    | st.binary() | st.decimals(allow_nan=False, allow_infinity=False) | st.builds(Timestamp, st.integers(0, (1 << 64) - 1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def codec(now: float = 100.0, wall: float = 1_000_000.0) -> Codec:
    return Codec(Natives({}), Clock(now, wall))


def sealed(message: Message) -> bytes:
    content = codec().encode(message, 0.0)
    return seal_row(content, checksum(content), ROW)


def read(record: bytes) -> Message:
    return codec().decode(unseal_row(record, ROW))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    native = NO_PROPERTIES
    if draw(st.booleans()):
        said = Properties(draw(st.dictionaries(st.text(), VALUES, max_size=4)))
        said.priority = draw(st.none() | st.integers(0, 255))
        said.correlation_id = draw(st.none() | st.text() | st.binary())
        said.type = draw(st.none() | st.text())
        native = Stated(said)
    message = Message(Address(draw(st.text()), draw(st.text())), draw(st.binary()), draw(st.integers(0, 2)), native)
    message.retain = draw(st.booleans())
    message.also_to = tuple(draw(st.lists(st.text(), max_size=2)))
    message.forwarded_by = tuple(draw(st.lists(st.text(), max_size=2)))
    return message


@given(messages())
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    back = codec().decode(codec().encode(message, 0.0))
    assert (back.address.exchange, back.address.key) == (message.address.exchange, message.address.key)
    assert (back.body, back.qos, back.retain) == (message.body, message.qos, message.retain)
    assert (back.also_to, back.forwarded_by) == (message.also_to, message.forwarded_by)
    assert back.properties.fields() == message.properties.fields()
    assert list(back.properties.headers) == list(message.properties.headers), "headers keep their order"


@given(messages(), st.data())
def test_a_flipped_bit_is_found_wherever_it_is(message: Message, data: st.DataObject) -> None:
    record = bytearray(sealed(message))
    bit = data.draw(st.integers(0, len(record) * 8 - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        read(bytes(record))


@given(messages(), st.data())
def test_a_record_that_was_cut_off_is_found(message: Message, data: st.DataObject) -> None:
    record = sealed(message)
    with pytest.raises(Damaged):
        read(record[: data.draw(st.integers(0, len(record) - 1))])


@given(st.binary(max_size=100))
def test_no_bytes_whatever_raise_anything_but_damaged(data: bytes) -> None:
    for read_any in (codec().decode, read):
        with pytest.raises(Damaged):
            read_any(data)


def test_time_between_two_processes_counts_towards_expiry() -> None:
    record = codec(now=100.0, wall=5_000.0).encode(Message(Address("", "q"), b"x", 1, NO_PROPERTIES), 160.0)
    assert codec(now=7.0, wall=5_030.0).decode(record).expires_at == 37.0
    assert codec(now=7.0, wall=9_000.0).decode(record).expires_at < 7.0


def test_what_has_expired_long_ago_does_not_become_immortal() -> None:
    record = codec(now=100.0, wall=5_000.0).encode(Message(Address("", "q"), b"x", 1, NO_PROPERTIES), 160.0)
    assert codec(now=10.0, wall=5_070.0).decode(record).expires_at != 0.0, "0 means never"


def test_a_content_says_when_it_was_stored() -> None:
    content = codec(wall=1_234_567_890.75).encode(Message(Address("x", "k"), b"", 1, NO_PROPERTIES), 0.0)
    assert stored_at_of(content) == 1_234_567_890


@given(messages(), st.binary(max_size=4))
def test_a_content_of_the_first_version_is_read_and_does_not_say_when_it_was_stored(
    message: Message, note: bytes
) -> None:
    content = codec().encode(message, 0.0, note)
    first = b"\x01" + content[1:12] + content[16:]
    assert (content[0], stored_at_of(first)) == (VERSION, 0)
    assert codec().decode(first).body == codec().decode(content).body == message.body
    assert codec().decode(first).address.key == message.address.key
    assert codec().note_of(first) == codec().note_of(content) == note
    assert codec().body_bytes_of(first) == codec().body_bytes_of(content) == len(message.body)
