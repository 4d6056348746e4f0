"""The Origin header: what is an origin, and whose pages may open a WebSocket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.origins import Origins, parse_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("https://dashboard.example", "https://dashboard.example"),
        ("HTTPS://Dashboard.Example:443", "https://dashboard.example"),
        ("http://a:80", "http://a"),
        ("http://a:443", "http://a:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
        ("app://obsidian.md", "app://obsidian.md"),
    ],
)
def test_an_origin_is_compared_in_one_form(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["", "null", "dashboard.example", "https://", "https://a/", "https://a/b", "https://a:99999", "https://*.a"]
)
def test_what_is_no_origin_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"origin|[Pp]ort"):
        parse_origin(text)


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://broker.example", "broker.example:15675", True),
        ("https://broker.example:8080", "broker.example", True),
        ("https://Broker.Example", "BROKER.example", True),
        ("http://[2001:db8::1]:80", "[2001:db8::1]:15675", True),
        ("https://evil.example", "broker.example", False),
        ("https://broker.example.evil", "broker.example", False),
        ("https://broker.example", "", False),
        ("null", "null", False),
        ("", "", False),
    ],
)
def test_by_default_pages_of_the_same_host_may_connect(origin: str, host: str, allowed: bool) -> None:
    assert Origins([]).allows(origin, host, loopback=False) is allowed


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("localhost", True), ("app.localhost", True), ("127.0.0.1", True), ("[::1]", True), ("evil.example", False)],
)
def test_a_page_that_comes_by_loopback_must_call_it_so(name: str, allowed: bool) -> None:
    """A name that was made to resolve to 127.0.0.1 is the same host too."""
    assert Origins([]).allows(f"http://{name}:8080", f"{name}:5670", loopback=True) is allowed


@pytest.mark.parametrize("loopback", [True, False])
def test_a_list_is_all_that_is_allowed(loopback: bool) -> None:
    origins = Origins(["https://Dashboard.example:443", "http://localhost:3000"])
    assert origins.allows("https://dashboard.example", "broker.example", loopback=loopback)
    assert origins.allows("http://localhost:3000", "broker.example", loopback=loopback)
    assert not origins.allows("http://localhost:3001", "localhost", loopback=loopback)
    assert not origins.allows("http://dashboard.example", "dashboard.example", loopback=loopback)


@given(origin=st.text(max_size=30), host=st.text(max_size=30), loopback=st.booleans())
def test_any_origin_is_allowed_by_a_star_and_judged_without_it(origin: str, host: str, loopback: bool) -> None:
    assert Origins(["*"]).allows(origin, host, loopback=loopback)
    assert Origins([]).allows(origin, host, loopback=loopback) in {True, False}
