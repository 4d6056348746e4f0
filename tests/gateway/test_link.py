"""One socket and its machine: bytes both ways, back-pressure, errors, and every way to end."""

import socket

import pytest
import structlog.testing

from core.access import User
from core.timers import NEVER
from gateway.pace import RECEIVE_BYTES
from gateway.patience import CLOSING_TIMEOUT_S, LINGER_TIMEOUT_S, PROGRESS_TIMEOUT_S
from protocols.connection import HIGH_WATER_BYTES, LOW_WATER_BYTES, OUTPUT_LIMIT_BYTES
from tests.gateway.rig import Client, Rig, rig

SMALL_BYTES = 4096  # asked of the kernel for its buffers; it takes a few times as much


def _pattern(size: int) -> bytes:
    """Return bytes that show when some are lost or change places."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


# Both ways


def test_what_a_machine_writes_goes_to_its_peer() -> None:
    with rig() as r:
        one, other = r.connect(), r.connect()
        one.send(b"one")
        other.send(b"other")
        assert (one.read(3), other.read(5)) == (b"one", b"other")
        assert one.machine.received == [b"one"]
        assert r.broker.counters.connections_opened == 2


def test_a_batch_of_writes_is_one_call_of_the_kernel() -> None:
    with rig() as r:
        client = r.connect(counting=True)
        sock = client.link._socket
        client.machine.on_receive = lambda _: client.machine.write_all(b"%d," % n for n in range(100))
        client.send(b"go")
        assert client.read(290) == b"".join(b"%d," % n for n in range(100))
        assert (sock.sends, sock.receives) == (1, 1)  # type: ignore[attr-defined]


def test_one_turn_reads_a_bounded_number_of_bytes_from_each_and_serves_all() -> None:
    with rig() as r:
        fast, slow = r.connect(), r.connect()
        fast.machine.on_receive = slow.machine.on_receive = lambda data: None
        fast.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        pushed = fast.sock.send(bytes(4 * RECEIVE_BYTES))
        slow.sock.send(b"x")
        assert pushed > RECEIVE_BYTES
        r.turn()
        assert sum(map(len, fast.machine.received)) <= RECEIVE_BYTES
        assert slow.machine.received == [b"x"]
        r.settle()
        assert sum(map(len, fast.machine.received)) == pushed


# Back-pressure


def test_a_slow_reader_gets_every_byte_in_order_and_its_machine_knows() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine
        data = _pattern(3 << 20)

        def write_in_parts(_: bytes) -> None:
            for start in range(0, len(data), 50_000):
                machine.write(data[start : start + 50_000])

        machine.on_receive = write_in_parts
        client.send(b"go")
        assert machine.events == ["receive", "stalled", "complete_output"]
        assert machine.congested
        unsent = machine.output_bytes
        assert HIGH_WATER_BYTES < unsent < len(data)
        assert client.read(len(data)) == data
        assert machine.output_bytes == 0
        assert machine.events.count("relieved") == 1


def test_relief_comes_at_the_low_water_mark_and_what_is_written_then_follows() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine
        first, second = _pattern(2 << 20), b"and then this"
        machine.on_receive = lambda _: machine.write(first)
        left: list[int] = []
        original = machine._happens

        def note(event: str) -> None:
            original(event)
            if event == "relieved":
                left.append(machine.output_bytes)
                machine.write(second)

        machine._happens = note  # type: ignore[method-assign]
        client.send(b"go")
        assert client.read(len(first) + len(second)) == first + second
        assert len(left) == 1
        assert left[0] <= LOW_WATER_BYTES


def test_an_idle_writable_socket_causes_no_turns() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine
        machine.on_receive = lambda _: machine.write(bytes(1 << 20))
        client.send(b"go")
        client.read(1 << 20)
        assert not r.turn()
        assert not r.turn()


def test_a_peer_that_takes_nothing_of_too_much_output_is_cut_off() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine
        machine.deadline = NEVER
        block = bytes(OUTPUT_LIMIT_BYTES // 16)
        machine.on_receive = lambda _: machine.write_all([block] * 18)
        client.send(b"go")
        client.send(b"more")
        assert machine.received == [b"go"]  # nothing is read beyond the limit, so nothing more is asked for
        r.advance(PROGRESS_TIMEOUT_S - 1)
        client.read(64 * SMALL_BYTES)
        r.advance(PROGRESS_TIMEOUT_S - 1)
        assert not client.has_ended()
        with structlog.testing.capture_logs() as logs:
            r.advance(2)
        assert client.has_ended()
        assert r.reactor.connections == 0
        assert [entry["event"] for entry in logs] == ["connection aborted"]


def test_a_peer_that_catches_up_is_read_again() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=1 << 20)
        machine = client.machine
        machine.deadline = NEVER
        block = bytes(OUTPUT_LIMIT_BYTES // 16)
        machine.on_receive = lambda data: machine.write_all([block] * 18 if data == b"go" else [])
        client.send(b"go")
        client.send(b"more")
        client.read(18 * len(block))
        assert machine.received == [b"go", b"more"]
        r.advance(2 * PROGRESS_TIMEOUT_S)
        assert not client.has_ended()


# Errors

PLACES = [
    "receive",
    "end",
    "logged_in",
    "alarm",
    "shut_down",
    "stalled",
    "relieved",
    "complete_output",
    "timeout",
    "ended",
]


def _reach(place: str, r: Rig, client: Client) -> None:
    machine = client.machine
    if place in {"stalled", "relieved"}:
        machine.on_receive = lambda _: machine.write(bytes(2 << 20))
        client.send(b"go")
        if place == "relieved":
            while "relieved" not in machine.events:
                client.read(SMALL_BYTES)
    elif place == "logged_in":
        machine.on_receive = lambda _: client.link.login(machine, "someone", b"")
        client.send(b"go")
        r.gatekeeper.waiting[0][0].answer(User("someone"), "")
    elif place == "alarm":
        r.broker.surroundings.usage.held_bytes = r.broker.surroundings.usage.limit_bytes + 1
    elif place == "shut_down":
        client.link.shut_down()
    elif place == "timeout":
        r.advance(11)
    elif place in {"end", "ended"}:
        client.sock.shutdown(socket.SHUT_WR)
    else:
        client.send(b"go")
    r.settle()


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_costs_its_own_connection_and_is_logged_with_a_traceback(place: str) -> None:
    with rig() as r:
        other, client = r.connect(), r.connect(buffer_bytes=SMALL_BYTES)
        other.machine.deadline = r.now + 1000
        client.machine.raises_in = place
        with structlog.testing.capture_logs() as logs:
            _reach(place, r, client)
        assert client.machine.events.count("ended") == 1
        client.read_to_the_end()
        assert r.reactor.connections == 1
        assert r.broker.counters.internal_errors == 1
        (bug,) = [entry for entry in logs if entry["log_level"] == "error"]
        assert isinstance(bug["exc_info"], ZeroDivisionError)
        assert bug["peer"] == client.link.peer.address
        other.send(b"still here")
        assert other.read(10) == b"still here"


def test_a_bug_that_shows_while_somebody_else_is_served_costs_the_right_connection() -> None:
    with rig() as r:
        other, client = r.connect(), r.connect()
        other.machine.on_receive = lambda _: client.machine.outlet.failed(ZeroDivisionError("in deliver"))
        with structlog.testing.capture_logs():
            other.send(b"go")
        assert client.has_ended()
        assert not other.has_ended()


# Ends


def test_the_end_of_the_stream_is_told_and_the_last_answer_still_arrives() -> None:
    with rig() as r:
        client = r.connect()
        client.sock.sendall(b"question")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_to_the_end() == b"question"
        assert client.machine.received == [b"question", b""]
        assert client.machine.events[-1] == "ended"
        assert r.reactor.connections == 0
        assert r.broker.counters.connections_closed == 1


def test_a_reset_ends_the_connection_like_the_end_of_the_stream() -> None:
    with rig() as r:
        client = r.connect()
        client.send(b"x")
        with structlog.testing.capture_logs() as logs:
            client.reset()
        assert client.machine.received == [b"x", b""]
        assert client.machine.events.count("ended") == 1
        assert r.reactor.connections == 0
        assert logs == []


def test_a_reset_shows_also_while_nothing_is_read() -> None:
    with rig() as r:
        client = r.connect()
        client.machine.on_receive = lambda _: client.link.login(client.machine, "someone", b"")
        client.send(b"x")
        client.reset()
        assert client.has_ended()
        assert r.reactor.connections == 0


def test_a_reset_shows_in_a_send() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine
        machine.on_receive = lambda _: machine.write(bytes(1 << 20))
        client.send(b"x")
        client.reset()
        assert client.machine.events.count("ended") == 1
        assert r.reactor.connections == 0


def test_last_words_arrive_although_the_peer_still_sends() -> None:
    """A socket closed with bytes unread is reset, and the peer's kernel then drops what it has not read either."""
    with rig() as r:
        client = r.connect()
        machine = client.machine

        def refuse(_: bytes) -> None:
            machine.write(b"last words")
            machine.closed = True

        machine.on_receive = refuse
        client.send(b"first")
        for _ in range(10):
            client.send(bytes(RECEIVE_BYTES))
        assert machine.events.count("ended") == 1
        assert client.read_to_the_end() == b"last words"
        assert machine.received == [b"first"]
        client.sock.close()
        r.settle()
        assert r.reactor.connections == 0


def test_a_peer_that_does_not_close_in_its_turn_is_not_waited_for() -> None:
    with rig() as r:
        client = r.connect()
        client.machine.closed = True
        client.machine.outlet.wake()
        r.settle()
        assert client.has_ended()
        assert r.reactor.connections == 1
        r.advance(LINGER_TIMEOUT_S + 0.1)
        assert r.reactor.connections == 0


def test_a_closed_machine_does_not_wait_long_for_a_peer_that_reads_nothing() -> None:
    with rig() as r:
        client = r.connect(buffer_bytes=SMALL_BYTES)
        machine = client.machine

        def flood(_: bytes) -> None:
            machine.write(bytes(1 << 20))
            machine.closed = True

        machine.on_receive = flood
        machine.deadline = NEVER
        client.send(b"go")
        r.advance(CLOSING_TIMEOUT_S - 0.1)
        assert not client.has_ended()
        r.advance(0.2)
        assert client.has_ended()
        assert r.reactor.connections == 0


def test_a_machine_that_another_has_closed_is_not_given_what_came_in_the_same_batch() -> None:
    with rig() as r:
        old, new = r.connect(), r.connect()

        def take_over(_: bytes) -> None:
            old.machine.closed = True
            old.machine.wake()

        new.machine.on_receive = take_over
        new.sock.send(b"x")
        old.sock.send(b"too late")
        r.settle()
        assert old.machine.received == []
        assert old.machine.events.count("ended") == 1
        assert old.read_to_the_end() == b""


def test_a_machine_without_its_socket_is_left_alone() -> None:
    with rig() as r:
        client = r.connect()
        client.machine.deadline = r.now + 5
        client.sock.close()
        r.settle()
        events = list(client.machine.events)
        client.machine.write(b"into the void")
        r.advance(100)
        assert client.machine.events == events


# Logging in


def test_nothing_is_read_while_a_login_is_pending() -> None:
    with rig() as r:
        client = r.connect()
        machine = client.machine
        machine.on_receive = lambda _: machine.outlet.login(machine, "someone", b"secret")
        client.send(b"login")
        client.send(b"more")
        assert machine.received == [b"login"]
        ((link, username, password),) = r.gatekeeper.waiting
        assert (username, password) == ("someone", b"secret")
        assert r.reactor.handshakes == 1
        machine.on_receive = machine.write
        with structlog.testing.capture_logs() as logs:
            link.answer(User("someone"), "")
        assert client.read(12) == b"someone more"
        assert r.reactor.handshakes == 0
        assert [(entry["event"], entry["user"]) for entry in logs] == [("logged in", "someone")]


def test_a_refused_login_is_told_and_does_not_count_as_known() -> None:
    with rig() as r:
        client = r.connect()
        machine = client.machine
        machine.on_receive = lambda _: machine.outlet.login(machine, "someone", b"")
        client.send(b"login")
        client.link.answer(None, "because")
        assert client.read(14) == b"nobody because"
        assert r.reactor.handshakes == 1
        client.sock.close()
        r.settle()
        assert r.reactor.handshakes == 0


def test_an_answer_that_comes_too_late_is_dropped() -> None:
    with rig() as r:
        client = r.connect()
        machine = client.machine
        machine.on_receive = lambda _: machine.outlet.login(machine, "someone", b"")
        client.send(b"login")
        client.reset()
        client.link.answer(User("someone"), "")
        assert "logged_in" not in machine.events
