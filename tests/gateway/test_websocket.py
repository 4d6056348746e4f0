"""WebSocket as a filter: all bytes both ways in any frames, and peers that get it wrong."""

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.broker import Broker
from gateway.websocket import MESSAGE_ROOM_BYTES, PIECE_BYTES, WebSocketFilter
from gateway.websocket_frames import FRAMES_A_TURN, WAITED_FOR_BYTES
from protocols.connection import Outlet
from tests.gateway.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, closing, frame, parsed
from tests.gateway.rig import Client, rig

GREETING: Final = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Notebook(Outlet):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, event: str, detail: str) -> None:
        self.notes.append(f"{event}: {detail}")


class Ear:
    """A filter and what comes out of it inside."""

    def __init__(self, *, textual: bool, message_limit_bytes: int = 1 << 20) -> None:
        self.broker = Broker(lambda: "unique", message_limit_bytes=message_limit_bytes)
        self.notebook = Notebook()
        self.filter = WebSocketFilter(self.broker, self.notebook, b"", textual=textual)
        self.heard = b""

    def hear(self, *chunks: bytes) -> bytes:
        for chunk in chunks:
            self.heard += self.filter.received(chunk)
        return self.heard

    def say(self, data: bytes = b"") -> list[Frame]:
        return parsed(self.filter.sending(data))

    def good_bye(self) -> int:
        """Return the code of the close frame."""
        (last,) = parsed(self.filter.closing())
        return last.code


GOLDEN: Final = {
    "masked text of RFC 6455 §5.7": ("818537fa213d7f9f4d5158", b"Hello"),
    "fragments": ("018337fa213d7f9f4d" + "808237fa213d5b95", b"Hello"),
    "binary": ("828337fa213d36f822", b"\x01\x02\x03"),
    "nothing": ("828037fa213d", b""),
    "a pong that nobody asked for": ("8a8037fa213d" + "828137fa213d36", b"\x01"),
    "a ping between fragments": ("028137fa213d36" + "898037fa213d" + "808137fa213d35", b"\x01\x02"),
}


@pytest.mark.parametrize(("wire", "inside"), GOLDEN.values(), ids=GOLDEN)
def test_frames_say_what_they_should_whole_and_byte_by_byte(wire: str, inside: bytes) -> None:
    data = bytes.fromhex(wire)
    assert Ear(textual=True).hear(data) == inside
    assert Ear(textual=True).hear(*[bytes([byte]) for byte in data]) == inside


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, ""), (1, "8201"), (125, "827d"), (126, "827e007e"), (65_535, "827effff"), (65_536, "827f0000000000010000")],
)
def test_output_is_one_binary_frame(size: int, head: str) -> None:
    data = bytes(size)
    assert Ear(textual=False).filter.sending(data) == bytes.fromhex(head) + data


def test_output_for_mqtt_is_cut_into_pieces_that_any_client_takes() -> None:
    data = bytes(range(256)) * 1024
    pieces = Ear(textual=False).say(data)
    assert [len(piece.payload) for piece in pieces] == [PIECE_BYTES] * 4
    assert b"".join(piece.payload for piece in pieces) == data


def test_output_for_stomp_is_not_cut() -> None:
    assert len(Ear(textual=True).say(b"a" * 300_000)) == 1


@st.composite
def said(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return bytes, and frames that say them: cut into messages and fragments, with pings between."""
    inside, wire = b"", b""
    for message in draw(st.lists(st.binary(max_size=300), max_size=4)):
        cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=3)))
        fragments = [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)], strict=True)]
        for number, fragment in enumerate(fragments):
            if draw(st.booleans()):
                wire += frame(draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=125)))
            opcode = CONTINUATION if number else BINARY
            mask = draw(st.binary(min_size=4, max_size=4))
            wire += frame(opcode, fragment, whole=number == len(fragments) - 1, mask=mask)
        inside += message
    return inside, wire


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


CUTS: Final = st.lists(st.integers(0, 10_000), max_size=8)


@given(said=said(), cuts=CUTS, textual=st.booleans())
def test_any_frames_in_any_chunks_say_the_same_bytes(said: tuple[bytes, bytes], cuts: list[int], textual: bool) -> None:
    inside, wire = said
    ear = Ear(textual=textual)
    assert ear.hear(*pieces(wire, cuts)) == inside
    assert not ear.filter.finished
    assert ear.good_bye() == 1000


@given(text=st.text(max_size=100), cuts=CUTS, fragment=st.integers(0, 400))
def test_text_may_be_cut_inside_a_character(text: str, cuts: list[int], fragment: int) -> None:
    data = text.encode()
    wire = frame(TEXT, data[:fragment], whole=False) + frame(CONTINUATION, data[fragment:])
    assert Ear(textual=True).hear(*pieces(wire, cuts)) == data


@given(start=said(), garbage=st.binary(max_size=200), cuts=CUTS, textual=st.booleans(), output=st.binary(max_size=50))
def test_any_bytes_end_in_bytes_and_a_good_bye(
    start: tuple[bytes, bytes], garbage: bytes, cuts: list[int], textual: bool, output: bytes
) -> None:
    """What was right before the garbage is heard, whatever the chunks."""
    inside, wire = start
    whole, chunked = Ear(textual=textual), Ear(textual=textual)
    assert whole.hear(wire + garbage).startswith(inside)
    assert chunked.hear(*pieces(wire + garbage, cuts)) == whole.heard
    assert chunked.filter.finished == whole.filter.finished
    assert chunked.notebook.notes == whole.notebook.notes
    parsed(chunked.filter.sending(output))
    assert [part.opcode for part in parsed(chunked.filter.closing())] == [CLOSE]
    assert chunked.filter.sending(b"late") == chunked.filter.closing() == b""


SIZES: Final = st.sampled_from([0, 125, 126, WAITED_FOR_BYTES, WAITED_FOR_BYTES + 1, 65_535, 65_536, 200_000])


@given(size=SIZES, cuts=st.lists(st.integers(0, 200_100), max_size=6), textual=st.booleans())
@settings(max_examples=50)
def test_a_long_frame_is_handed_on_as_it_comes(size: int, cuts: list[int], textual: bool) -> None:
    body = (bytes(range(1, 128)) * (size // 127 + 1))[:size]
    ear = Ear(textual=textual)
    received = 0
    whole = frame(TEXT if textual else BINARY, body)
    for piece in pieces(whole + frame(BINARY, b"next"), cuts):
        ear.hear(piece)
        received += len(piece)
        if size > WAITED_FOR_BYTES and len(whole) - size <= received <= len(whole):
            assert len(ear.heard) == received - (len(whole) - size)  # nothing is kept back
        assert len(ear.filter._frames.reader.buffer) <= WAITED_FOR_BYTES + 14
    assert ear.heard == body + b"next"


def test_the_first_mistake_is_the_one_that_is_told() -> None:
    ear = Ear(textual=False)
    ear.hear(frame(TEXT, b"wrong") + b"\x83\x80" + bytes(4))
    assert [note[-6:] for note in ear.notebook.notes] == ["(1003)"]
    assert ear.good_bye() == 1003


def test_a_turn_hears_so_many_frames_and_the_next_one_goes_on() -> None:
    ear = Ear(textual=False)
    wire = b"".join([frame(BINARY, b"%d," % number) for number in range(2 * FRAMES_A_TURN + 1)])
    turns = 1
    ear.hear(wire)
    while ear.filter.behind:
        assert ear.heard.count(b",") == turns * FRAMES_A_TURN
        ear.hear(b"")
        turns += 1
    assert turns == 3
    assert ear.heard == b"".join([b"%d," % number for number in range(2 * FRAMES_A_TURN + 1)])
    ear.hear(frame(BINARY, b"end"))
    assert ear.heard.endswith(b"end")


@pytest.mark.parametrize("end", [closing(1000), b"\x83\x80" + bytes(4)], ids=["good-bye", "mistake"])
def test_what_ends_the_stream_is_heard_in_its_turn(end: bytes) -> None:
    ear = Ear(textual=False)
    ear.hear(frame(PING, b"x") * FRAMES_A_TURN + end)
    assert (ear.filter.behind, ear.filter.finished) == (True, False)
    ear.hear(b"")
    assert (ear.filter.behind, ear.filter.finished) == (False, True)


WRONG: Final = {
    "not masked": (b"\x82\x01a", 1002),
    "a reserved bit": (b"\xc2\x80" + bytes(4), 1002),
    "a reserved opcode": (b"\x83\x80" + bytes(4), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "a message inside another": (frame(BINARY, b"", whole=False) + frame(BINARY, b"b"), 1002),
    "a ping in fragments": (frame(PING, b"a", whole=False), 1002),
    "a ping that is too long": (frame(PING, b"a" * 126), 1002),
    "a length that is longer than it need be": (b"\x82\xfe\x00\x01" + bytes(5), 1002),
    "a length of 63 bits and more": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1002),
    "a close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close with a code that is never sent": (closing(1006), 1002),
    "a close with a reason that is not UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text that ends inside a character": (frame(TEXT, "ä".encode()[:1]), 1007),
}


@pytest.mark.parametrize(("wire", "code"), WRONG.values(), ids=WRONG)
def test_a_mistake_ends_the_stream_behind_what_was_right(wire: bytes, code: int) -> None:
    ear = Ear(textual=True)
    assert ear.hear(frame(BINARY, b"right") + wire + frame(BINARY, b"too late")) == b"right"
    assert ear.filter.finished
    (note,) = ear.notebook.notes
    assert note.startswith("connection closed: WebSocket: ")
    assert note.endswith(f"({code})")
    assert ear.say(b"last words") == [Frame(BINARY, b"last words")]
    assert ear.good_bye() == code


def test_text_is_refused_for_mqtt() -> None:
    """[MQTT-6.0.0-1]"""
    ear = Ear(textual=False)
    assert ear.hear(frame(BINARY, b"right") + frame(TEXT, b"wrong")) == b"right"
    assert ear.filter.finished
    assert ear.good_bye() == 1003


@pytest.mark.parametrize("more", [0, 1])
def test_a_message_that_is_too_big_is_refused(more: int) -> None:
    ear = Ear(textual=False, message_limit_bytes=1000)
    part = frame(BINARY, bytes(500), whole=False)
    rest = MESSAGE_ROOM_BYTES + 500 + more
    ear.hear(part, frame(CONTINUATION, bytes(rest), mask=bytes(4)))
    assert ear.filter.finished == bool(more)
    assert ear.good_bye() == (1009 if more else 1000)


def test_many_messages_may_have_more_bytes_than_one() -> None:
    ear = Ear(textual=False, message_limit_bytes=1000)
    one = frame(BINARY, bytes(MESSAGE_ROOM_BYTES // 2), mask=bytes(4))
    assert len(ear.hear(one, one, one)) == 3 * (MESSAGE_ROOM_BYTES // 2)
    assert not ear.filter.finished


def test_the_last_ping_of_a_batch_is_answered_ahead_of_the_output() -> None:
    ear = Ear(textual=False)
    ear.hear(frame(PING, b"one") + frame(PING, b"two"))
    assert ear.say(b"output") == [Frame(PONG, b"two"), Frame(BINARY, b"output")]
    assert ear.say() == []


def test_the_kind_of_the_answer_is_the_kind_of_the_question() -> None:
    ear = Ear(textual=True)
    assert ear.say(b"first") == [Frame(TEXT, b"first")]
    ear.hear(frame(BINARY, b"a"))
    assert ear.say(b"second") == [Frame(BINARY, b"second")]
    ear.hear(frame(TEXT, b"a"))
    assert ear.say("dritte ä".encode()) == [Frame(TEXT, "dritte ä".encode())]


def test_what_is_no_text_goes_out_in_binary() -> None:
    ear = Ear(textual=True)
    ear.hear(frame(TEXT, b"a"))
    assert ear.say(b"MESSAGE\n\n\xff\0") == [Frame(BINARY, b"MESSAGE\n\n\xff\0")]
    assert ear.say(b"MESSAGE\n\na\0") == [Frame(TEXT, b"MESSAGE\n\na\0")]


@pytest.mark.parametrize(
    ("wire", "echo"), [(closing(1000), b"\x03\xe8"), (closing(4321, "x"), b"\x10\xe1x"), (frame(CLOSE), b"")]
)
def test_the_peers_close_is_the_end_of_the_stream_and_answered_in_kind(wire: bytes, echo: bytes) -> None:
    ear = Ear(textual=False)
    assert ear.hear(frame(BINARY, b"last") + wire) == b"last"
    assert ear.filter.finished
    assert ear.notebook.notes == []
    assert ear.say(b"too late") == []
    assert parsed(ear.filter.closing()) == [Frame(CLOSE, echo)]
    assert ear.filter.closing() == b""


def test_the_good_bye_of_a_broker_that_stops_says_so() -> None:
    ear = Ear(textual=False)
    ear.broker.stopping = True
    assert ear.good_bye() == 1001


# On a link


@pytest.fixture
def client() -> Iterator[Client]:
    """A client whose puppet is inside a WebSocket."""
    with rig() as r:
        made = r.connect()
        made.link.add_filter(WebSocketFilter(r.broker, made.link, GREETING, textual=True), b"")
        r.settle()
        assert made.read(len(GREETING)) == GREETING
        yield made


def test_a_turn_sends_one_frame_however_much_was_written(client: Client) -> None:
    client.machine.on_receive = lambda _: client.machine.write_all([b"a", b"b", b"c"])
    client.send(frame(BINARY, b"go") + frame(BINARY, b"on"))
    assert parsed(client.read(5)) == [Frame(BINARY, b"abc")]
    assert client.machine.received == [b"goon"]


def test_a_flood_of_frames_is_heard_in_shares_and_whole(client: Client) -> None:
    """65,536 bytes are one chunk, and 10,922 frames without a body."""
    client.link._receive_bytes = 1 << 16
    shares: list[int] = []
    client.machine.on_receive = lambda data: shares.append(len(data))
    client.send(frame(BINARY, b"a") * 9_000 + frame(BINARY, b"end"))
    assert b"".join(client.machine.received) == b"a" * 9_000 + b"end"
    assert max(shares) <= FRAMES_A_TURN + 2
    assert not client.has_ended()


def test_frames_that_are_left_are_heard_ahead_of_the_end(client: Client) -> None:
    client.link._receive_bytes = 1 << 16
    client.machine.on_receive = lambda _: None
    client.sock.sendall(frame(BINARY, b"a") * 5_000)
    client.sock.close()
    for _ in client.rig.turns("the end of the machine"):
        if client.has_ended():
            break
    assert b"".join(client.machine.received) == b"a" * 5_000
    assert client.machine.received[-1] == b""


def test_a_ping_alone_is_answered(client: Client) -> None:
    client.send(frame(PING, b"x"))
    assert parsed(client.read(3)) == [Frame(PONG, b"x")]
    assert client.machine.received == []


def test_a_machine_that_ends_says_good_bye_behind_its_last_words(client: Client) -> None:
    client.link.shut_down()
    assert parsed(client.read_to_the_end()) == [Frame(TEXT, b"good-bye"), Frame(CLOSE, b"\x03\xe8")]


def test_a_close_is_answered_and_ends_the_machine(client: Client) -> None:
    client.send(closing(1000))
    assert parsed(client.read_to_the_end()) == [Frame(CLOSE, b"\x03\xe8")]
    assert client.machine.received == [b""]
    assert client.has_ended()


def test_a_bug_is_an_internal_error_for_the_peer(client: Client) -> None:
    client.machine.raises_in = "receive"
    client.send(frame(BINARY, b"go"))
    (last,) = parsed(client.read_to_the_end())
    assert last.code == 1011
    assert client.has_ended()
    assert client.rig.broker.counters.internal_errors == 1
