"""Content headers: checked, decoded, encoded, and compared with pika's codec."""

from typing import Any, Final

import pika.spec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import User
from core.counters import Counters
from core.model.errors import Invalid
from core.model.message import Address, Message, plain_message
from core.model.properties import Native, Properties
from protocols.amqp.errors import PeerError
from protocols.amqp.frames import END
from protocols.amqp.properties import EXPIRATION_LIMIT_MS, AmqpNative, inspect
from protocols.amqp.properties_encoding import encode_header
from protocols.amqp.translate import destination, from_core, to_core, without_headers

GUEST: Final = User("guest")
short = st.text(max_size=60)
header_names = st.text(max_size=9).filter(lambda name: name not in {"CC", "BCC"})  # these must be arrays
text_properties = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id", "type", "app_id"), short
    )
    | {
        "expiration": st.integers(0, EXPIRATION_LIMIT_MS).map(str),
        "priority": st.integers(0, 255),
        "delivery_mode": st.sampled_from([1, 2]),
        "timestamp": st.integers(0, (1 << 64) - 1),
        "headers": st.dictionaries(header_names, st.text(max_size=9), max_size=4),
        "user_id": st.just("guest"),
    },
)


def header_of(body_size: int = 0, class_id: int = 60, weight: int = 0, **said: Any) -> bytes:
    """Return a content header frame behind its channel number, encoded by pika."""
    values = b"".join(pika.spec.BasicProperties(**said).encode())
    start = class_id.to_bytes(2, "big") + weight.to_bytes(2, "big") + body_size.to_bytes(8, "big")
    return framed(start + values)


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload + END


class SaidNative(Native):
    """Properties as another protocol hands them over."""

    def __init__(self, properties: Properties) -> None:
        self.said = properties

    def decode(self) -> Properties:
        return self.said


@given(text_properties)
def test_what_pika_says_is_understood(said: dict[str, Any]) -> None:
    native = inspect(header_of(3, **said), GUEST)
    properties = native.decode()
    for name in (
        "content_type",
        "content_encoding",
        "correlation_id",
        "reply_to",
        "message_id",
        "type",
        "app_id",
        "user_id",
        "priority",
    ):
        assert getattr(properties, name) == said.get(name)
    assert properties.headers == said.get("headers", {})
    assert properties.timestamp_s == said.get("timestamp")
    assert properties.expiration_ms == (int(said["expiration"]) if "expiration" in said else None)
    assert native.expiration_ms == (int(said["expiration"]) if "expiration" in said else -1)
    assert native.qos == (1 if said.get("delivery_mode") == 2 else 0)
    assert native.body_size == 3


@given(text_properties)
def test_what_was_decoded_is_encoded_as_it_was(said: dict[str, Any]) -> None:
    said.setdefault("delivery_mode", 1)
    if not said.get("headers"):
        said.pop("headers", None)
    counters = Counters()
    frame = header_of(5, **said)
    again = encode_header(inspect(frame, GUEST).decode(), said["delivery_mode"], 5, counters)
    assert again == frame
    assert not counters.lost


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (framed(b"\x00\x3c\x00\x00" + bytes(9)), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x00\x01"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x00\x02"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x80\x00"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x80\x00\x05ab"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x00\x00zz"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x20\x00\x00\x00\x00\x09"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x10\x00"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x00\x40\x00"), 502),
        (framed(b"\x00\x3c\x00\x00" + bytes(8) + b"\x80\x00\x02\xc3\x28"), 501),
        (header_of(class_id=50), 505),
        (header_of(weight=1), 505),
        (header_of(expiration="soon"), 406),
    ],
)
def test_a_header_that_is_wrong_has_its_code(frame: bytes, code: int) -> None:
    with pytest.raises(PeerError) as failure:
        inspect(frame, GUEST)
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("expiration", "text"),
    [
        ("abc", "invalid expiration 'abc': no_integer"),
        ("", "invalid expiration '': no_integer"),
        ("٣", "invalid expiration '٣': no_integer"),
        ("5x", "invalid expiration '5x': {leftover_string,\"x\"}"),
        ("1.5", "invalid expiration '1.5': {leftover_string,\".5\"}"),
        (" 7", "invalid expiration ' 7': no_integer"),
        ("7 ", "invalid expiration '7 ': {leftover_string,\" \"}"),
        ("-", "invalid expiration '-': no_integer"),
        ("-1", "invalid expiration '-1': {value_negative,-1}"),
        ("-007", "invalid expiration '-007': {value_negative,-7}"),
        ("315360000001", "invalid expiration '315360000001': {value_too_large,315360000001}"),
    ],
)
def test_a_wrong_expiration_is_told_as_rabbitmq_tells_it(expiration: str, text: str) -> None:
    with pytest.raises(PeerError) as failure:
        inspect(header_of(expiration=expiration), GUEST)
    assert failure.value.text == text


@pytest.mark.parametrize(
    ("expiration", "ms"), [("0", 0), ("-0", 0), ("+5", 5), ("007", 7), ("315360000000", 315_360_000_000)]
)
def test_a_number_of_milliseconds_up_to_ten_years_is_a_time_to_live(expiration: str, ms: int) -> None:
    native = inspect(header_of(expiration=expiration), GUEST)
    assert native.expiration_ms == ms
    assert to_core(Address("", "q"), native, b"", 10.0).expires_at == 10.0 + ms / 1000


def test_a_user_id_is_the_users_own_unless_it_is_an_impersonator() -> None:
    with pytest.raises(Invalid, match=r"^user_id property set to 'somebody' but authenticated user was 'guest'$"):
        inspect(header_of(user_id="somebody"), GUEST)
    user = User("relay", tags=("impersonator",))
    assert inspect(header_of(user_id="somebody"), user).decode().user_id == "somebody"


@pytest.mark.parametrize(
    ("said", "singular"),
    [({}, False), ({"delivery_mode": 2}, False), ({"message_id": "1"}, True), ({"timestamp": 1}, True)],
)
def test_a_header_that_no_other_message_has_is_known_as_such(said: dict[str, Any], singular: bool) -> None:
    assert inspect(header_of(**said), GUEST).singular is singular


# From other protocols


def encoded(properties: Properties, qos: int = 0) -> tuple[Properties, Counters, AmqpNative]:
    counters = Counters()
    message = Message(Address("amq.topic", "a"), b"body", qos, SaidNative(properties))
    native = inspect(from_core(message, counters), User(properties.user_id or "guest"))
    return native.decode(), counters, native


def test_a_message_without_properties_says_only_its_durability() -> None:
    for qos, mode in ((0, 1), (1, 2), (2, 2)):
        frame = from_core(plain_message(Address("", "q"), b"1234", qos), Counters())
        assert frame == header_of(4, delivery_mode=mode)


def test_a_header_is_made_once_for_all_consumers() -> None:
    message = plain_message(Address("", "q"), b"1234")
    assert from_core(message, Counters()) is from_core(message, Counters())


def test_what_an_amqp_client_published_is_passed_on_as_it_is() -> None:
    frame = header_of(1, headers={"a": 1}, delivery_mode=2)
    assert from_core(to_core(Address("", "q"), inspect(frame, GUEST), b"x", 0.0), Counters()) is frame


def test_a_topic_to_reply_to_travels_as_a_header() -> None:
    properties = Properties({"a": "b"})
    properties.reply_to_topic = "answers.here"
    received, _, native = encoded(properties)
    assert b"x-reply-to-topic" in native.frame
    assert (received.reply_to_topic, received.headers) == ("answers.here", {"a": "b"})


@pytest.mark.parametrize("correlation_id", [b"\xff\xfe", "x" * 256])
def test_a_correlation_id_that_is_no_short_string_travels_as_a_header(correlation_id: str | bytes) -> None:
    properties = Properties()
    properties.correlation_id = correlation_id
    received, counters, native = encoded(properties)
    assert b"x-correlation-id" in native.frame
    assert received.correlation_id == correlation_id
    assert not counters.lost


def test_what_does_not_fit_is_counted() -> None:
    properties = Properties({"k" * 256: "v", "kept": "v"})
    properties.message_id = "m" * 256
    received, counters, _ = encoded(properties)
    assert received.message_id is None
    assert received.headers == {"kept": "v"}
    assert counters.lost == {"message_id": 1, "header_name_too_long": 1}


def test_a_header_table_can_be_left_out_for_small_frames() -> None:
    properties = Properties({"a": "b", "c": "d"})
    properties.content_type = "text/plain"
    counters = Counters()
    frame = without_headers(Message(Address("", "q"), b"", 0, SaidNative(properties)), counters)
    received = inspect(frame, GUEST).decode()
    assert (received.headers, received.content_type) == ({}, "text/plain")
    assert counters.lost == {"headers_too_large": 2}


def test_a_routing_key_that_is_no_short_string_is_cut_and_counted() -> None:
    counters = Counters()
    where = destination(Address("amq.topic", "ä" * 200), counters)
    assert where == b"\x09amq.topic" + bytes([254]) + ("ä" * 127).encode()
    assert counters.lost == {"routing_key_too_long": 1}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_header_or_an_error(payload: bytes) -> None:
    try:
        native = inspect(framed(b"\x00\x3c\x00\x00" + bytes(8) + payload), GUEST)
    except (PeerError, Invalid):
        return
    native.decode()
