"""ERROR: the table is total, what is quoted is cut and clean, and every mistake closes the connection."""

import pytest

from core.model.errors import BROKER_ERRORS, BrokerError
from protocols.stomp.connection import StompConnection
from protocols.stomp.errors import MESSAGES, PeerError, error_frame, shown, translated
from tests.protocols.stomp.peer import VERSIONS, StompPeer, answers, refused
from tests.protocols.world import World

BAD_FRAMES = {
    "unknown command": (b"NONSENSE\n\n\0", "Bad command"),
    "lower case": (b"send\ndestination:/queue/q\n\n\0", "Bad command"),
    "a frame of the server": (b"MESSAGE\n\n\0", "Bad command"),
    "leading space": (b"\tBEGIN\ntransaction:t\n\n\0", "Bad command"),
    "command too long": (b"X" * 40, "Illegal command"),
    "second CONNECT": (b"CONNECT\naccept-version:1.2\n\n\0", "Bad CONNECT"),
    "second STOMP": (b"STOMP\naccept-version:1.2\n\n\0", "Bad CONNECT"),
    "no destination": (b"SEND\n\nx\0", "Missing destination"),
    "no destination but others": (b"SEND\na:b\n\nx\0", "Missing destination"),
    "invalid UTF-8": (b"SEND\ndestination:/topic/\xc3\x28\n\nx\0", "Invalid header"),
    "invalid UTF-8 in a command": (b"\xc3\x28\n\n\0", "Invalid header"),
    "invalid UTF-8 in a name": (b"BEGIN\n\xff:1\n\n\0", "Invalid header"),
    "no colon": (b"SEND\ndestination:/topic/t\nno colon\n\nx\0", "Invalid header"),
    "no name": (b"SEND\ndestination:/topic/t\n:x\n\nx\0", "Invalid header"),
    "NUL in a header": (b"SEND\ndestination:/topic/t\na:\0\n\nx\0", "Bad frame"),
    "negative length": (b"SEND\ndestination:/topic/t\ncontent-length:-1\n\nx\0", "Invalid header"),
    "signed length": (b"SEND\ndestination:/topic/t\ncontent-length:+1\n\nx\0", "Invalid header"),
    "length of other digits": ("SEND\ndestination:/topic/t\ncontent-length:٣\n\nx\0".encode(), "Invalid header"),
    "length without digits": (b"SEND\ndestination:/topic/t\ncontent-length:\n\nx\0", "Invalid header"),
    "length before the end": (b"SEND\ndestination:/topic/t\ncontent-length:1\n\nxyz\0", "Bad frame"),
    "length of a rare frame": (b"BEGIN\ntransaction:t\ncontent-length:x\n\n\0", "Invalid header"),
    "body over the limit": (b"SEND\ndestination:/topic/t\ncontent-length:9999999999\n\n", "Frame too large"),
    "too many headers": (b"SEND\n" + b"a:b\n" * 1_001 + b"\n\0", "Frame too large"),
    "line too long": (b"SEND\na:" + b"x" * (100 << 10) + b"\n\n\0", "Frame too large"),
    "head too long": (b"SEND\n" + (b"a:" + b"x" * 90_000 + b"\n") * 3 + b"\n\0", "Frame too large"),
    "bad priority": (b"SEND\ndestination:/topic/t\npriority:high\n\nx\0", "Invalid header"),
    "priority too high": (b"SEND\ndestination:/topic/t\npriority:256\n\nx\0", "Invalid header"),
    "bad expiration": (b"SEND\ndestination:/topic/t\nexpiration:-1\n\nx\0", "Invalid header"),
    "bad expires": (b"SEND\ndestination:/topic/t\nexpires:soon\n\nx\0", "Invalid header"),
    "bad timestamp": (b"SEND\ndestination:/topic/t\ntimestamp:now\n\nx\0", "Invalid header"),
    "another's user-id": (b"SEND\ndestination:/topic/t\nuser-id:root\n\nx\0", "precondition_failed"),
    "bad temporary queue": (b"SEND\ndestination:/topic/t\nreply-to:/temp-queue/\n\nx\0", "Invalid destination"),
    "bad requeue": (b"NACK\nid:T_1@@x@@1\nmessage-id:T_1@@x@@1\nrequeue:perhaps\n\n\0", "Invalid header"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("data", "message"), BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_a_bad_frame_is_an_error_and_the_end(data: bytes, message: str, version: str) -> None:
    peer = StompPeer(World(), version)
    found = answers(peer.wire.send(data + b"BEGIN\ntransaction:after\nreceipt:after\n\n\0"))
    refused(found, message)
    assert len(found) == 1
    assert peer.closed
    assert [event for event, _ in peer.wire.outlet.notes] == ["error"]


@pytest.mark.parametrize(("data", "message"), BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_a_bad_frame_is_an_error_byte_by_byte(data: bytes, message: str) -> None:
    if len(data) > 10_000:
        data = data[:10_000] + b"x" * 400_000  # it is refused long before its end
        message = "Frame too large"
    peer = StompPeer(World())
    step = 1 if len(data) < 10_000 else 997
    for at in range(0, len(data), step):
        peer.wire.send(data[at : at + step])
    assert peer.closed
    assert message == peer.wire.outlet.notes[0][1].partition(":")[0]


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT\nlogin:" + b"x" * (1 << 20),
        b"CONNECT\n" + b"".join([b"h%d:v\n" % number for number in range(20_000)]),
        b"CONNECT\n" + b"h:v\n" * 101 + b"\n\0",
        b"CONNECT\ncontent-length:1000000000\n\n",
        b"CONNECT\ncontent-length:1025\n\n",
        b"CONNECT\n\n" + b"x" * 2_000,
        b"C" * (1 << 20),
        b"CONNECT\nlogin\0",
    ],
    ids=["line", "headers", "101 headers", "announced", "announced by one", "body", "command", "NUL"],
)
def test_limits_before_the_login(data: bytes) -> None:
    wire = World().connect(StompConnection)
    (error,) = answers(wire.send(data))
    assert error.command == "ERROR"
    assert wire.closed


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_command_is_not_padded(version: str) -> None:
    refused(StompPeer(World(), version).say("BEGIN ", {"transaction": "t"}), "Bad command", '"BEGIN "')


def test_every_broker_error_has_its_message() -> None:
    assert set(MESSAGES) == set(BROKER_ERRORS)
    for kind in BROKER_ERRORS:
        error = translated(kind("what is wrong"))
        assert error.message == MESSAGES[kind]
        assert error.detail == f"{error.message.upper()} - what is wrong"


@pytest.mark.parametrize("kind", BROKER_ERRORS)
def test_every_broker_error_becomes_an_error_frame(kind: type[BrokerError]) -> None:
    peer = StompPeer(World())
    peer.wire.connection.fail_for(kind("what is wrong"), b"r")
    answer = peer.heard()
    refused(answer, MESSAGES[kind], "what is wrong")
    assert answer[0]["receipt-id"] == "r"
    assert peer.closed


def test_no_message_needs_escapes() -> None:
    assert not [message for message in MESSAGES.values() if set(message) & set("\\:\r\n\0")]


def test_what_is_quoted_is_cut_and_clean() -> None:
    peer = StompPeer(World())
    (error,) = peer.say("SUBSCRIBE", {"id": "0", "destination": "/nowhere/\\n\\c" + "x" * 50_000})
    assert len(error.body) <= 1024
    assert b"\n" not in error.body
    assert b"/nowhere/\\n:x" in error.body
    assert shown("a\0b\x1b[31mä") == "a\\x00b\\x1b[31mä"


@pytest.mark.parametrize("text", ["€" * 5_000, "\0" * 5_000, "\U0001f600" * 5_000, "x" * 5_000])
def test_what_is_quoted_is_at_most_one_kib(text: str) -> None:
    assert 1020 <= len(shown(text).encode()) <= 1024


def test_an_error_without_a_receipt_has_no_receipt_id() -> None:
    assert b"receipt-id" not in error_frame(PeerError("Bad command", "x"), None)
    assert b"\nreceipt-id:r\n" in error_frame(PeerError("Bad command", "x"), b"r")


def test_the_receipt_of_an_earlier_frame_is_not_repeated() -> None:
    peer = StompPeer(World())
    peer.send("/queue/q", receipt="first")
    peer.send("/queue/q")
    (error,) = peer.say("NONSENSE")
    assert "receipt-id" not in error.headers


def test_only_the_first_error_is_said() -> None:
    peer = StompPeer(World())
    peer.wire.connection.fail(PeerError("first", ""), None)
    peer.wire.connection.fail(PeerError("second", ""), None)
    peer.wire.connection.shut_down()
    assert [answer["message"] for answer in peer.heard()] == ["first"]
