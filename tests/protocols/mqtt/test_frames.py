"""The remaining length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.errors import Malformed
from protocols.mqtt.frames import encode_length, read_length, two_bytes

MAX_REMAINING_LENGTH = 268_435_455  # four bytes of seven bits (MQTT 3.1.1 §2.2.3)
EDGES = [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, MAX_REMAINING_LENGTH]

lengths = st.one_of(st.integers(0, MAX_REMAINING_LENGTH), st.sampled_from(EDGES))


@given(lengths, st.binary(max_size=3), st.binary(max_size=3))
def test_a_length_survives_the_round_trip(length: int, before: bytes, after: bytes) -> None:
    encoded = encode_length(length)
    end = len(before) + len(encoded)
    assert read_length(before + encoded + after, len(before)) == (length, end)


@given(lengths)
def test_a_length_that_is_cut_off_is_incomplete(length: int) -> None:
    encoded = encode_length(length)
    for cut in range(len(encoded)):
        assert read_length(encoded[:cut], 0)[0] == -1


@pytest.mark.parametrize(
    ("length", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_the_lengths_of_the_specification(length: int, encoded: str) -> None:
    """MQTT 3.1.1 table 2.4."""
    assert encode_length(length).hex() == encoded


def test_a_fifth_byte_is_malformed() -> None:
    with pytest.raises(Malformed):
        read_length(b"\xff\xff\xff\xff\x01", 0)


@given(st.integers(0, 65_535))
def test_two_bytes_are_big_endian(value: int) -> None:
    assert two_bytes(value) == value.to_bytes(2, "big")
