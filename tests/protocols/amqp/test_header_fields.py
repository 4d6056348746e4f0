"""Header tables changed in place: against what decoding, changing and encoding them gives."""

from typing import Any, Final

import pika.spec
from hypothesis import given
from hypothesis import strategies as st

from core.access import User
from protocols.amqp.header_fields import BLIND_COPIES, DELIVERY_COUNT, find_field, with_field, with_shortstr
from protocols.amqp.header_layout import VALUES_AT
from protocols.amqp.properties import decode_header, inspect
from protocols.amqp.properties_encoding import header_frame
from protocols.amqp.table_encoding import encode_table, encode_value

GUEST: Final = User("guest")
HEADERS: Final = 1 << 13
names = st.sampled_from(["CC", "BCC", "x-delivery-count", "a", "", "BCCC"]) | st.text(max_size=5)
arrays = st.lists(st.sampled_from(["q", "cc", ""]) | st.integers(0, 9), max_size=3)
values = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
tables = st.dictionaries(names.filter(lambda name: name not in {"CC", "BCC"}), values, max_size=5)
copied_tables = st.builds(
    lambda table, copies: {**table, **copies},
    tables,
    st.fixed_dictionaries({}, optional={"CC": arrays, "BCC": arrays}),
)
beside = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("content_type", "content_encoding", "app_id"), st.text(max_size=9))
)


def header_of(**said: Any) -> bytes:
    """Return a content header frame behind its channel number, encoded by pika."""
    payload = b"\x00\x3c\x00\x00" + bytes(8) + b"".join(pika.spec.BasicProperties(**said).encode())
    return len(payload).to_bytes(4, "big") + payload + b"\xce"


@given(beside, st.none() | tables, st.integers(0, 9))
def test_a_field_is_added_or_replaced(said: dict[str, Any], table: dict[str, Any] | None, count: int) -> None:
    frame = with_field(header_of(headers=table, **said), DELIVERY_COUNT, encode_value(count))
    native = inspect(frame, GUEST)  # the frame is whole
    assert native.decode().headers == {**(table or {}), "x-delivery-count": count}
    for name, text in said.items():
        assert getattr(native.decode(), name) == text


@given(beside, copied_tables)
def test_blind_copies_are_hidden_and_nothing_else(said: dict[str, Any], table: dict[str, Any]) -> None:
    native = inspect(header_of(headers=table, **said), GUEST)
    assert native.decode().headers == {name: value for name, value in table.items() if name != "BCC"}
    items = [*table.get("CC", []), *table.get("BCC", [])]
    assert native.also_to == tuple(dict.fromkeys(item for item in items if isinstance(item, str)))
    assert inspect(native.frame, GUEST).decode().app_id == said.get("app_id")


@given(copied_tables)
def test_a_request_keeps_all_but_where_its_answer_goes(table: dict[str, Any]) -> None:
    said = {"headers": table, "reply_to": "amq.rabbitmq.reply-to", "correlation_id": "c", "expiration": "5"}
    native = inspect(header_of(**said, delivery_mode=2), GUEST)
    answered = native.answered_at("amq.rabbitmq.reply-to.key")
    properties, before = answered.decode(), native.decode()
    assert properties.reply_to == "amq.rabbitmq.reply-to.key"
    assert (properties.headers, properties.correlation_id) == (before.headers, "c")
    assert (answered.qos, answered.expiration_ms, answered.also_to) == (1, 5, native.also_to)
    inspect(answered.frame, GUEST)


@given(tables)
def test_a_field_is_found_in_the_table_itself(table: dict[str, Any]) -> None:
    frame = header_frame(HEADERS, encode_table(table), 0)
    for name, value in table.items():
        at = find_field(frame, VALUES_AT, name.encode())
        encoded = encode_value(value)
        assert frame[at : at + len(encoded)] == encoded
    assert find_field(frame, VALUES_AT, BLIND_COPIES) == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_short_string_is_replaced(before: str, after: str) -> None:
    frame = with_shortstr(header_of(content_type=before, app_id="app"), VALUES_AT, after.encode())
    properties = decode_header(frame)
    assert (properties.content_type, properties.app_id) == (after, "app")
    assert len(frame) == 5 + int.from_bytes(frame[:4], "big")
