"""Two libraries that we did not write: stomper makes frames that we read, stomp.py reads frames that we make."""

import pytest
import stomp.utils
import stomper
from hypothesis import given
from hypothesis import strategies as st

from protocols.stomp.connection import StompConnection
from tests.protocols.stomp.peer import StompPeer, answers, escaped, frame
from tests.protocols.world import World

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
# stomp.py takes a line apart with patterns of its own: names of word characters, and no line end but LF.
names = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True).map(lambda name: f"x-{name}")
values = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from("\n:\\"), max_size=20)


def read_by_stomp_py(data: bytes) -> list[stomp.utils.Frame]:
    """Return the frames of a stream, each cut at its NUL and read by stomp.py."""
    return [stomp.utils.parse_frame(part) for part in data.split(b"\0") if part.strip(b"\n")]


def made(text: str) -> bytes:
    """Return a frame of stomper as a socket gets it."""
    return text.encode()


def test_stomper_connects_subscribes_sends_acknowledges_and_leaves() -> None:
    world = World()
    wire = world.connect(StompConnection)
    (connected,) = answers(wire.send(made(stomper.connect("guest", "guest", "/", (1000, 1000)))))
    assert (connected.command, connected["version"], connected["heart-beat"]) == ("CONNECTED", "1.1", "1000,1000")
    assert wire.send(made(stomper.subscribe("/queue/q", 7, ack="client"))) == b""
    (message,) = answers(wire.send(made(stomper.send("/queue/q", "hello", content_type="text/plain"))))
    assert (message.body, message["subscription"], message["content-type"]) == (b"hello", "7", "text/plain")
    assert wire.send(made(stomper.ack(message["message-id"], "7"))) == b""
    assert world.broker.vhosts["/"].queues["q"].unsettled_count == 0
    (message,) = answers(wire.send(made(stomper.send("/queue/q", "again"))))
    (returned,) = answers(wire.send(made(stomper.nack(message["message-id"], "7"))))
    assert (returned.body, returned["redelivered"]) == (b"again", "true")
    assert wire.send(made(stomper.unsubscribe("7"))) == b""
    (receipt,) = answers(wire.send(made(stomper.disconnect("bye"))))
    assert receipt["receipt-id"] == "bye"
    assert wire.closed


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_stomper_speaks_of_transactions(end: str) -> None:
    world = World()
    peer = StompPeer(world, "1.1")
    peer.subscribe("/queue/q", "client", "7")
    (message,) = peer.send("/queue/q")
    wire = peer.wire
    assert wire.send(made(stomper.begin("t"))) == b""
    assert wire.send(made(stomper.ack(message["message-id"], "7", "t"))) == b""
    assert wire.send(made(stomper.send("/queue/other", "x", "t"))) == b""
    assert wire.send(made(getattr(stomper, end)("t"))) == b""
    vhost = world.broker.vhosts["/"]
    assert vhost.queues["q"].unsettled_count == (0 if end == "commit" else 1)
    assert vhost.queues["other"].ready_count == (1 if end == "commit" else 0)


@given(st.dictionaries(names, values, max_size=4), st.binary(max_size=30).filter(lambda body: 0 not in body))
def test_stomp_py_reads_every_message_as_it_was_sent(headers: dict[str, str], body: bytes) -> None:
    peer = StompPeer(World())
    peer.wire.send(frame("SUBSCRIBE", {"id": "a\\cb", "destination": "/topic/t\\c%25", "ack": "client"}))
    said = {name: escaped(value) for name, value in headers.items()}
    (read,) = read_by_stomp_py(peer.wire.send(frame("SEND", {"destination": "/topic/t\\c%25", **said}, body)))
    assert read.cmd == "MESSAGE"
    assert read.body == body
    assert {name: value for name, value in read.headers.items() if name.startswith("x-")} == headers
    assert (read.headers["subscription"], read.headers["destination"]) == ("a:b", "/topic/t:%25")
    assert read.headers["ack"] == read.headers["message-id"]


@given(values)
def test_stomp_py_reads_receipts_and_errors(receipt: str) -> None:
    peer = StompPeer(World())
    output = peer.wire.send(frame("BEGIN", {"transaction": "t", "receipt": escaped(receipt)}) * 2)
    first, second = read_by_stomp_py(output)
    assert (first.cmd, second.cmd) == ("RECEIPT", "ERROR")
    assert first.headers["receipt-id"] == second.headers["receipt-id"] == receipt
    assert second.headers["message"] == "Bad transaction"
    assert second.body == b"transaction 't' has begun already"


def test_stomp_py_makes_frames_that_are_read() -> None:
    peer = StompPeer(World())
    peer.subscribe("/topic/t")
    sent = stomp.utils.Frame("SEND", {"destination": "/topic/t", "odd": escaped("a:b\\\n")}, "text")
    data = b"".join([stomp.utils.encode(line) for line in stomp.utils.convert_frame(sent)])
    (message,) = answers(peer.wire.send(data))
    assert (message.body, message["odd"]) == (b"text", escaped("a:b\\\n"))
