"""Values of the configuration: addresses, sizes and destinations of rules."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.values import UNITS, parse_address, parse_size, parse_source, parse_target

# Addresses

ADDRESSES: Final = {
    "127.0.0.1:5672": ("127.0.0.1", 5672),
    "0.0.0.0:0": ("0.0.0.0", 0),
    "[::1]:65535": ("::1", 65_535),
    "[::]:1883": ("::", 1883),
    "[0:0::0:1]:1": ("::1", 1),
    "[fe80::1%eth0]:1": ("fe80::1%eth0", 1),
    "localhost:1": ("localhost", 1),
    "broker-1.example_net.org.:80": ("broker-1.example_net.org.", 80),
    "127.0.0.1:005672": None,
    "": None,
    "5672": None,
    ":5672": None,
    "nowhere": None,
    "nowhere:": None,
    "nowhere:http": None,
    "127.0.0.1:-1": None,
    "127.0.0.1:+1": None,
    "127.0.0.1: 1": None,
    "127.0.0.1:٣": None,
    "127.0.0.1:65536": None,
    "127.0.0.1:99999999999999999999": None,
    "127.0.0.300:1": None,
    "127.1:1": None,
    "::1:5672": None,
    "[::1]": None,
    "[::1]5672": None,
    "[:::1]:1": None,
    "[localhost]:1": None,
    "*:1": None,
    "a b:1": None,
    "-a:1": None,
    "a\n:1": None,
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items(), ids=[ascii(text) for text in ADDRESSES])
def test_an_address_is_a_host_and_a_port(text: str, expected: tuple[str, int] | None) -> None:
    if expected is not None:
        assert parse_address(text) == expected
        return
    with pytest.raises(ValueError, match=r"HOST:PORT|port|host|address"):
        parse_address(text)


@given(st.integers(0, 70_000))
def test_ports_end_at_65535(port: int) -> None:
    if port <= 65_535:
        assert parse_address(f"127.0.0.1:{port}") == ("127.0.0.1", port)
    else:
        with pytest.raises(ValueError, match=f"port {port}"):
            parse_address(f"127.0.0.1:{port}")


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        host, port = parse_address(text)
    except ValueError:
        return
    assert host
    assert 0 <= port <= 65_535


# Sizes


@given(st.integers(0, 10**9), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_size_is_a_number_times_its_unit(number: int, unit: str, space: str) -> None:
    assert parse_size(f"{number}{space}{unit}") == number * UNITS[unit]


def test_a_fraction_is_a_size_when_it_is_whole_bytes() -> None:
    assert parse_size("1.5 KiB") == 1_536
    assert parse_size("0.25GiB") == 1 << 28
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_size("0.3 KiB")


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e3", "1 Mi B", "1,5 MiB", "1.", ".5 KiB", "٣", "1 mib"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a size|not a unit"):
        parse_size(text)


# Destinations of rules


@given(st.text(max_size=40))
def test_any_text_is_a_destination_of_a_rule_or_a_value_error(text: str) -> None:
    for parse in (parse_source, parse_target):
        try:
            destination = parse(f"/topic/{text}")
        except ValueError:
            continue
        assert destination.exchange == "amq.topic"
