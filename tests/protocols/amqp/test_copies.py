"""Carbon copies: the headers CC and BCC name more routing keys (RabbitMQ "Sender-selected Distribution")."""

from typing import Any, Final

import pytest
from pamqp import commands

from tests.protocols.amqp.peer import AmqpPeer, Delivered, closed, message_frames, method
from tests.protocols.world import World

Basic = commands.Basic
PUBLISH: Final = method(Basic.Publish(routing_key="q"))


def sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets


def raw_message(fields: bytes) -> bytes:
    """Return a publish to `q` whose header table has these fields, which pamqp could not all say."""
    payload = b"\x00\x3c\x00\x00" + (1).to_bytes(8, "big") + b"\x20\x00" + sized(fields)
    return PUBLISH + b"\x02\x00\x01" + sized(payload) + b"\xce" + b"\x03\x00\x01\x00\x00\x00\x01x\xce"


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the queues `q`, `cc` and `bcc`."""
    peer = AmqpPeer(World())
    for name in ("q", "cc", "bcc"):
        peer.queue(name)
    return peer


def headers_of(received: Delivered | None) -> Any:
    assert received is not None
    return received.properties.headers


def test_copies_go_to_the_keys_of_both_headers_and_bcc_is_hidden(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x", headers={"a": 1, "CC": ["cc"], "BCC": ["bcc"], "z": 2}, app_id="app")
    for name in ("q", "cc", "bcc"):
        received = peer.get(name)
        assert received is not None
        assert received.properties.headers == {"a": 1, "CC": ["cc"], "z": 2}
        assert received.properties.app_id == "app"
        assert (received.method.exchange, received.method.routing_key) == ("", "q")


def test_a_queue_gets_one_copy_however_often_it_is_named(peer: AmqpPeer) -> None:
    peer.publish("", "q", b"x", headers={"CC": ["q", "cc", "cc"], "BCC": ["cc", "q"]})
    assert peer.counts("q") == (1, 0)
    assert peer.counts("cc") == (1, 0)


def test_copies_are_routed_by_the_exchange_that_was_published_to(peer: AmqpPeer) -> None:
    for key, name in (("a.b", "q"), ("c.#", "cc")):
        peer.send(commands.Queue.Bind(queue=name, exchange="amq.topic", routing_key=key))
    peer.publish("amq.topic", "nobody", b"x", headers={"CC": ["a.b", "c.d"]})
    assert [peer.counts(name)[0] for name in ("q", "cc", "bcc")] == [1, 1, 0]


def test_a_copy_is_enough_for_a_mandatory_message(peer: AmqpPeer) -> None:
    assert peer.publish("", "nobody", b"x", mandatory=True, headers={"BCC": ["cc"]}) == []
    assert headers_of(peer.get("cc")) == {}


def test_what_comes_back_does_not_tell_of_blind_copies(peer: AmqpPeer) -> None:
    (returned,) = peer.publish("", "nobody", b"x", mandatory=True, headers={"CC": ["no"], "BCC": ["neither"]})
    assert isinstance(returned.method, Basic.Return)
    assert returned.properties.headers == {"CC": ["no"]}


def test_a_committed_message_has_its_copies(peer: AmqpPeer) -> None:
    peer.send(commands.Tx.Select(), message_frames("", "q", b"x", headers={"CC": ["cc"]}))
    assert peer.counts("cc") == (0, 0)
    peer.send(commands.Tx.Commit())
    assert (peer.counts("q"), peer.counts("cc")) == ((1, 0), (1, 0))


def test_names_that_only_contain_the_letters_mean_nothing(peer: AmqpPeer) -> None:
    for headers in ({"cc": 5}, {"xCC": 5}, {"a": "CC"}, {"a": {"CC": 5}}, {"a": ["CC", "BCC"]}, {"BCCC": ["cc"]}):
        peer.publish("", "q", b"x", headers=headers)
        assert headers_of(peer.get("q")) == headers
    assert peer.counts("cc") == (0, 0)


def test_items_that_are_no_text_are_passed_over(peer: AmqpPeer) -> None:
    items = b"I\x00\x00\x00\x01" + b"S" + sized(b"cc") + b"S" + sized(b"\xff") + b"V"
    assert peer.send(raw_message(b"\x02CCA" + sized(items))) == []
    assert peer.counts("cc") == (1, 0)


def test_the_first_of_two_headers_of_one_name_counts(peer: AmqpPeer) -> None:
    peer.send(raw_message(b"\x02CCA" + sized(b"S" + sized(b"cc")) + b"\x02CCA" + sized(b"S" + sized(b"bcc"))))
    assert (peer.counts("cc"), peer.counts("bcc")) == ((1, 0), (0, 0))


def test_no_header_of_that_name_is_left(peer: AmqpPeer) -> None:
    peer.send(raw_message(b"\x03BCCA\x00\x00\x00\x00\x01aV\x03BCCA" + sized(b"S" + sized(b"secret"))))
    assert headers_of(peer.get("q")) == {"a": None}


# RabbitMQ's word for each type of value.
WRONG_TYPES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"t\x01", "bool"),
    (b"b\x01", "byte"),
    (b"B\x01", "unsignedbyte"),
    (b"s\x00\x01", "short"),
    (b"u\x00\x01", "unsignedshort"),
    (b"I\x00\x00\x00\x01", "signedint"),
    (b"i\x00\x00\x00\x01", "unsignedint"),
    (b"l" + bytes(8), "long"),
    (b"L" + bytes(8), "long"),
    (b"f" + bytes(4), "float"),
    (b"d" + bytes(8), "double"),
    (b"D" + bytes(5), "decimal"),
    (b"S" + sized(b"cc"), "longstr"),
    (b"x" + sized(b"cc"), "binary"),
    (b"T" + bytes(8), "timestamp"),
    (b"F" + bytes(4), "table"),
    (b"V", "void"),
)


@pytest.mark.parametrize("name", ["CC", "BCC"])
@pytest.mark.parametrize(("value", "kind"), WRONG_TYPES, ids=[kind for _, kind in WRONG_TYPES])
def test_anything_but_an_array_is_refused(peer: AmqpPeer, name: str, value: bytes, kind: str) -> None:
    text = f'PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,"{name}",{kind}}}'
    field = bytes([len(name)]) + name.encode() + value
    assert closed(peer, raw_message(field)) == (commands.Channel.Close, 406, text, 60, 40)
