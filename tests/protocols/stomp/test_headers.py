"""Header lines: escapes of each version, repeated headers, numbers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.stomp.errors import PeerError
from protocols.stomp.headers import body_length, decoded_headers, escaped, header_line, number, unescaped, unfolded
from protocols.stomp.versions import V1_0, V1_1, V1_2, negotiated

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\:\n\r\0 nrc"), max_size=30)
versions = st.sampled_from([V1_0, V1_1, V1_2])


@given(texts, versions)
def test_what_can_be_said_is_read_back(text: str, version: int) -> None:
    said = escaped(text, version)
    if said is not None:
        assert "\n" not in said
        assert "\0" not in said
        assert unescaped(said, version) == text


@given(texts)
def test_1_2_can_say_everything_but_nul(text: str) -> None:
    assert (escaped(text, V1_2) is None) is ("\0" in text)


@given(st.dictionaries(texts, texts, max_size=6), versions)
def test_a_block_of_lines_is_read_back(headers: dict[str, str], version: int) -> None:
    sayable = {name: value for name, value in headers.items() if header_line(name, value, version) is not None}
    block = b"".join([header_line(name, value, version) or b"" for name, value in sayable.items()])
    assert decoded_headers(block.removesuffix(b"\n"), version) == sayable


@given(st.binary(max_size=60), versions)
def test_any_octets_are_headers_or_a_mistake_of_the_peer(block: bytes, version: int) -> None:
    with contextlib.suppress(PeerError):
        assert all(decoded_headers(unfolded(block, version), version))


@pytest.mark.parametrize("text", ["\\", "a\\", "\\t", "\\:", "\\N", "\\\\\\", "\\0"])
@pytest.mark.parametrize("version", [V1_1, V1_2])
def test_an_undefined_escape_is_fatal(text: str, version: int) -> None:
    """STOMP 1.2 "Value Encoding": undefined escape sequences MUST be treated as a fatal protocol error."""
    with pytest.raises(PeerError, match="no escape"):
        unescaped(text, version)


def test_carriage_return_has_an_escape_in_1_2_only() -> None:
    assert unescaped("a\\rb", V1_2) == "a\rb"
    assert unescaped("a\\rb", V1_0) == "a\\rb"
    with pytest.raises(PeerError):
        unescaped("a\\rb", V1_1)


def test_a_line_that_a_version_cannot_say_is_not_made() -> None:
    assert header_line("a", "b\nc", V1_0) is None
    assert header_line("a:b", "c", V1_0) is None
    assert header_line("a:b", "c:d", V1_1) == b"a\\cb:c\\cd\n"
    assert header_line("a", "b\rc", V1_1) is None
    assert header_line("", "b", V1_2) is None
    assert header_line("a", "b\0c", V1_2) is None


def test_the_first_of_repeated_headers_counts() -> None:
    """STOMP 1.2 "Repeated Header Entries"."""
    assert decoded_headers(b"a:1\nb:2\na:3", V1_2) == {"a": "1", "b": "2"}


def test_a_value_may_be_empty_and_a_name_may_not() -> None:
    assert decoded_headers(b"a:", V1_2) == {"a": ""}
    for block in (b":a", b"a", b"a:1\n\n", b"a:1\nb"):
        with pytest.raises(PeerError, match="name:value"):
            decoded_headers(block, V1_2)


def test_a_carriage_return_inside_a_line_must_be_escaped_in_1_2() -> None:
    assert unfolded(b"SEND\r\na:1\r", V1_2) == b"SEND\na:1"
    with pytest.raises(PeerError, match="carriage return"):
        unfolded(b"SEND\na:1\r2", V1_2)
    assert unfolded(b"SEND\na:1\r2", V1_1) == b"SEND\na:1\r2"


@pytest.mark.parametrize("text", ["-1", "+7", "1_0", "٣", "0x10", "", " 1", "1 ", "1.0", "12345678901"])
def test_a_content_length_is_decimal_digits_only(text: str) -> None:
    with pytest.raises(PeerError, match="content-length"):
        body_length(text.encode())


def test_a_number_has_an_upper_limit() -> None:
    assert number("priority", "255", 255) == 255
    for text in ("256", "1000", "-1", "٣", "", "9" * 5_000):
        with pytest.raises(PeerError, match="priority"):
            number("priority", text, 255)


@pytest.mark.parametrize(
    ("header", "version"),
    [(None, V1_0), ("1.0", V1_0), ("1.1,1.0", V1_1), ("1.0,1.1,1.2", V1_2), (" 1.2 ,2.0", V1_2)],
)
def test_the_highest_common_version_is_spoken(header: str | None, version: int) -> None:
    assert negotiated(header) == version


@pytest.mark.parametrize("header", ["", "0.9", "1.3", "1.20", "1", ",,"])
def test_no_common_version(header: str) -> None:
    assert negotiated(header) is None
