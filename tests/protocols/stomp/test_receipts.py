"""RECEIPT: for every frame, only after the broker is done with it, in the order of the frames."""

import pytest

from core.queueing.queue import Queue
from protocols.connection import HANDSHAKE_TIMEOUT_S
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer, answers, frame, refused
from tests.protocols.world import World


def ids(found: list[Answer]) -> list[str]:
    assert {answer.command for answer in found} <= {"RECEIPT"}, found
    return [answer["receipt-id"] for answer in found]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_frame_is_answered(version: str) -> None:
    peer = StompPeer(World(), version)
    data = (
        frame("SUBSCRIBE", {"id": "0", "destination": "/topic/t", "receipt": "1"})
        + frame("BEGIN", {"transaction": "t", "receipt": "2"})
        + frame("SEND", {"destination": "/topic/u", "transaction": "t", "receipt": "3"}, b"x")
        + frame("COMMIT", {"transaction": "t", "receipt": "4"})
        + frame("BEGIN", {"transaction": "t", "receipt": "5"})
        + frame("ABORT", {"transaction": "t", "receipt": "6"})
        + frame("SEND", {"destination": "/topic/u,/queue/q", "receipt": "7"}, b"x")
        + frame("UNSUBSCRIBE", {"id": "0", "receipt": "8"})
        + frame("DISCONNECT", {"receipt": "9"})
    )
    assert ids(answers(peer.wire.send(data))) == [str(number) for number in range(1, 10)]
    assert peer.closed


@pytest.mark.parametrize("receipt", ["a\\cb", "a\\nb", "\\\\", "ä€😀", " padded ", "x" * 60_000])
def test_a_receipt_is_repeated_as_it_was_said(receipt: str) -> None:
    peer = StompPeer(World())
    assert ids(peer.send("/queue/q", receipt=receipt)) == [receipt]
    assert ids(peer.say("BEGIN", {"transaction": "t", "receipt": receipt})) == [receipt]


@pytest.mark.parametrize("receipt", [b"\\t", b"\xff", b"a\0b"])
@pytest.mark.parametrize("command", [b"SEND\ndestination:/queue/q\n", b"BEGIN\ntransaction:t\n"])
def test_a_receipt_that_is_no_header_is_an_error(receipt: bytes, command: bytes) -> None:
    peer = StompPeer(World())
    (error,) = answers(peer.wire.send(command + b"receipt:" + receipt + b"\n\n\0"))
    assert error.command == "ERROR"
    assert "receipt-id" not in error.headers


def test_a_receipt_that_cannot_be_repeated_is_an_error() -> None:
    """1.1 has no escape for a carriage return, so a header line cannot end with one twice."""
    peer = StompPeer(World(), "1.1")
    (error,) = answers(peer.wire.send(b"BEGIN\ntransaction:t\nreceipt:a\rb\n\n\0"))
    assert (error["message"], error.body) == ("Invalid header", b"the receipt cannot be repeated")


def test_a_receipt_waits_for_the_confirm_and_later_ones_for_it() -> None:
    peer = StompPeer(World())
    receipts = peer.session.receipts
    first, second = receipts.expect(b"1", 2), receipts.expect(b"2", 1)
    receipts.answer(b"3")
    receipts.confirmed(second, routed=True)
    receipts.confirmed(first, routed=True)
    assert peer.heard() == []
    receipts.confirmed(first, routed=False)
    assert ids(peer.heard()) == ["1", "2", "3"]
    assert receipts.settled


def test_disconnect_waits_for_the_receipts_that_are_owed() -> None:
    peer = StompPeer(World())
    receipts = peer.session.receipts
    tag = receipts.expect(b"1", 1)
    assert peer.say("DISCONNECT", {"receipt": "bye"}) == []
    assert peer.say("SEND", {"destination": "/queue/q", "receipt": "ignored"}) == []
    assert not peer.closed
    receipts.confirmed(tag, routed=True)
    assert ids(peer.heard()) == ["1", "bye"]
    assert peer.closed


def test_disconnect_does_not_wait_for_ever() -> None:
    world = World()
    peer = StompPeer(world)
    peer.session.receipts.expect(b"1", 1)
    peer.say("DISCONNECT", {"receipt": "bye"})
    world.advance(HANDSHAKE_TIMEOUT_S + 1)
    assert peer.closed
    assert peer.heard() == []


def test_a_refusal_that_comes_later_is_an_error_with_its_receipt() -> None:
    peer = StompPeer(World())
    receipts = peer.session.receipts
    first, second = receipts.expect(b"1", 1), receipts.expect(b"2", 1)
    receipts.refused(second)
    answer = peer.heard()
    refused(answer, "Message refused")
    assert answer[0]["receipt-id"] == "2"
    receipts.confirmed(first, routed=True)
    receipts.confirmed(second, routed=True)
    receipts.refused(first)
    assert peer.heard() == []


def test_an_unroutable_message_is_confirmed() -> None:
    assert ids(StompPeer(World()).send("/topic/nobody", receipt="1")) == ["1"]


def test_a_receipt_means_that_the_queue_has_it() -> None:
    world = World()
    peer = StompPeer(world)
    assert ids(peer.send("/queue/q", receipt="1")) == ["1"]
    queue: Queue = world.broker.vhosts["/"].queues["q"]
    assert queue.ready_count == 1


ODD_RECEIPTS = [
    b"",
    b"-",
    b"a-1",
    b"a\\cb",
    b"\\t",
    b"\xff",
    b"a\0b",
    b"a:b",
    b" a",
    b"1\nreceipt:2",
    b"1\nx:y",
    b"1\r",
    b"9" * 2_000,
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("receipt", ODD_RECEIPTS)
def test_a_head_that_is_known_but_for_its_receipt_is_read_as_one_that_is_new(receipt: bytes, version: str) -> None:
    def send(peer: StompPeer, receipt: bytes, tail: bytes = b"") -> list[Answer]:
        return answers(peer.wire.send(b"SEND\nreceipt:" + receipt + b"\ndestination:/queue/q\n" + tail + b"\nbody\0"))

    new, knowing = StompPeer(World(), version), StompPeer(World(), version)
    for number in (b"1", b"2", b"3"):
        assert ids(send(knowing, number)) == [number.decode()]
    said, said_again = send(new, receipt), send(knowing, receipt)
    assert [(answer.command, answer.headers, answer.body) for answer in said_again] == [
        (answer.command, answer.headers, answer.body) for answer in said
    ]
    assert knowing.closed == new.closed
    assert waiting(knowing) == waiting(new) + 3


def waiting(peer: StompPeer) -> int:
    queue = peer.world.broker.vhosts["/"].queues.get("q")
    return 0 if queue is None else queue.ready_count


def test_a_known_head_finds_its_queue_again_after_it_was_deleted() -> None:
    peer = StompPeer(World())
    for number in range(4):
        if number == 2:
            peer.world.broker.vhosts["/"].remove_queue(peer.world.broker.vhosts["/"].queues["q"])
        assert ids(peer.send("/queue/q", receipt=str(number))) == [str(number)]
    assert waiting(peer) == 2
