"""The control socket: who gets in, what is answered when, and what bad input costs."""

import json
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts import Accounts
from gateway.config import Config
from gateway.control import CONNECTIONS_LIMIT, IDLE_S, LINE_LIMIT_BYTES, LINES_IN_A_TURN, ControlConnection, ControlDoor
from gateway.control_requests import REQUESTS, Requests
from gateway.patterns import compile_pattern
from gateway.users import Users
from protocols.connection import Peer
from tests.gateway.rig import Rig, rig
from tests.gateway.test_committer import World
from tests.protocols.world import ReadOutlet
from tests.protocols.world import World as Wires

ADD: Final = b'{"do": "user add", "name": "ada"}\n'
SAID: Final = {"said": ["user 'guest', who was there while nobody was named, is gone"]}


def requests_of(r: Rig) -> Requests:
    config = Config()
    users = Users(r.broker, Accounts(config), config, "d.toml", lambda _user, _reason: None)
    users.begin()
    return Requests(r.broker, users)


class Control:
    """A rig whose store waits until the test lets it, and a control socket."""

    def __init__(self, r: Rig, folder: Path) -> None:
        self.rig = r
        self.world = World(r)
        self.folder = folder
        self.door = ControlDoor(r.reactor, folder, requests_of(r))
        self.sockets: list[socket.socket] = []

    def connect(self) -> "Asker":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sockets.append(sock)
        sock.connect(str(self.folder / "control"))
        sock.setblocking(False)
        self.rig.settle()
        return Asker(self.rig, sock)

    def close(self) -> None:
        self.world.store.open.set()
        self.door.close()
        self.world.close()
        for sock in self.sockets:
            sock.close()


class Asker:
    def __init__(self, r: Rig, sock: socket.socket) -> None:
        self.rig = r
        self.sock = sock

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.rig.settle()

    def line(self) -> Any:
        found = bytearray()
        for _ in self.rig.turns("an answer"):
            try:
                data = self.sock.recv(1)
            except BlockingIOError:
                continue
            assert data, "the connection is closed"
            found += data
            while found[-1:] != b"\n" and (more := self._available()):
                found += more
            if found.endswith(b"\n"):
                break
        return json.loads(found)

    def _available(self) -> bytes:
        try:
            return self.sock.recv(1)
        except BlockingIOError:
            return b""

    def ask(self, data: bytes) -> Any:
        self.send(data)
        return self.line()

    def nothing_comes(self) -> bool:
        self.rig.settle()
        return self._available() == b"" and not self.is_closed()

    def is_closed(self) -> bool:
        self.rig.settle()
        try:
            return self.sock.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def control() -> Iterator[Control]:
    with rig() as r, tempfile.TemporaryDirectory(prefix="c", dir="/tmp") as folder:
        made = Control(r, Path(folder))
        made.door.open()
        try:
            yield made
        finally:
            made.close()


# The socket


def test_the_socket_is_its_owners_only_and_is_gone_when_the_broker_ends(control: Control) -> None:
    found = control.door.path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    control.door.close()
    assert not control.door.path.exists()


def test_the_socket_of_a_broker_that_was_killed_is_replaced(control: Control) -> None:
    control.door.close()
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(control.door.path))
    stale.close()
    control.door.open()
    assert control.connect().ask(b'{"do": "user list"}\n')["users"][0]["name"] == "guest"


def test_something_else_in_its_place_is_left_alone_and_the_log_says_what_that_means(control: Control) -> None:
    control.door.close()
    control.door.path.write_text("mine")
    with structlog.testing.capture_logs() as lines:
        control.door.open()
        control.door.close()
    assert control.door.path.read_text() == "mine"
    (line,) = lines
    assert line["log_level"] == "warning"
    assert "cannot be changed while the broker runs" in line["event"]
    assert line["error"] == "something that is no socket is in its place"


def test_a_path_that_is_too_long_for_a_socket_is_a_warning(control: Control) -> None:
    folder = control.folder / ("x" * 120)
    folder.mkdir()
    with structlog.testing.capture_logs() as lines:
        door = ControlDoor(control.rig.reactor, folder, requests_of(control.rig))
        door.open()
        door.close()
    (line,) = lines
    assert (line["log_level"], line["error"]) == ("warning", "AF_UNIX path too long")


def test_so_many_may_ask_at_once_and_who_comes_then_is_told(control: Control) -> None:
    askers = [control.connect() for _ in range(CONNECTIONS_LIMIT)]
    late = control.connect()
    assert late.line() == {"error": f"{CONNECTIONS_LIMIT} connections are open already", "mistaken": False}
    assert late.is_closed()
    askers[0].sock.close()
    control.rig.settle()
    assert "users" in control.connect().ask(b'{"do": "user list"}\n')


def test_accepting_pauses_when_there_are_no_descriptors(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    listening = control.door._socket
    assert listening is not None
    number = listening.fileno()

    class Without:
        def fileno(self) -> int:
            return number

        def accept(self) -> None:
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(control.door, "_socket", Without())
    with structlog.testing.capture_logs() as lines:
        asker = control.connect()
    assert [line["error"] for line in lines] == ["Too many open files"]
    monkeypatch.setattr(control.door, "_socket", listening)
    control.rig.advance(1)
    assert "users" in asker.ask(b'{"do": "user list"}\n')


# Answers


def test_a_change_is_answered_when_it_is_on_stable_storage(control: Control) -> None:
    asker = control.connect()
    asker.send(ADD)
    assert control.world.store.entered.acquire(timeout=10)
    assert asker.nothing_comes()
    control.world.store.open.set()
    assert asker.line() == SAID
    assert [key for _, key, _ in control.world.store.definitions()] == ["ada"]


def test_several_lines_at_once_are_answered_in_order_and_are_one_batch(control: Control) -> None:
    control.world.store.open.set()
    asker = control.connect()
    asker.send(ADD + ADD + b'{"do": "user remove", "name": "ada"}\n')
    assert asker.line() == SAID
    assert asker.line() == {"error": "there is a user 'ada' already", "mistaken": False}
    assert asker.line()["said"]
    assert len(control.world.store.batches) == 1


def test_many_lines_are_left_for_other_turns(control: Control) -> None:
    control.world.store.open.set()
    asker = control.connect()
    count = 3 * LINES_IN_A_TURN + 1
    asker.send(b"nonsense\n" * count)
    for _ in range(count):
        assert asker.line()["mistaken"]
    assert "users" in asker.ask(b'{"do": "user list"}\n')


def test_a_line_in_pieces_is_one_line(control: Control) -> None:
    control.world.store.open.set()
    asker = control.connect()
    for byte in ADD:
        asker.send(bytes([byte]))
    assert asker.line() == SAID


def test_who_ends_the_stream_still_gets_the_answer(control: Control) -> None:
    asker = control.connect()
    asker.sock.sendall(ADD)
    asker.sock.shutdown(socket.SHUT_WR)
    control.rig.settle()
    assert control.world.store.entered.acquire(timeout=10)
    control.world.store.open.set()
    assert asker.line() == SAID
    assert asker.is_closed()


def test_who_goes_away_before_the_answer_costs_nothing(control: Control) -> None:
    asker = control.connect()
    asker.send(ADD)
    asker.sock.close()
    control.world.store.open.set()
    assert "ada" in [row["name"] for row in control.connect().ask(b'{"do": "user list"}\n')["users"]]


# Limits


def test_who_is_idle_is_let_go_and_who_waits_for_the_disk_is_not(control: Control) -> None:
    idle, waiting = control.connect(), control.connect()
    waiting.send(ADD)
    assert control.world.store.entered.acquire(timeout=10)
    control.rig.advance(10 * IDLE_S)
    assert idle.is_closed()
    control.world.store.open.set()
    assert waiting.line() == SAID
    control.rig.advance(2 * IDLE_S)
    assert waiting.is_closed()


@pytest.mark.parametrize("ends", [True, False])
def test_a_line_that_is_too_long_ends_the_connection(control: Control, ends: bool) -> None:
    asker = control.connect()
    asker.sock.setblocking(True)
    data = b"x" * (LINE_LIMIT_BYTES + 1) + (b"\n" if ends else b"")
    for at in range(0, len(data), 10_000):
        asker.sock.sendall(data[at : at + 10_000])
        control.rig.settle()
    asker.sock.setblocking(False)
    assert asker.line() == {"error": f"a line is longer than {LINE_LIMIT_BYTES} bytes", "mistaken": True}
    assert asker.is_closed()


def test_the_longest_patterns_fit_into_a_line(control: Control) -> None:
    control.world.store.open.set()
    asker = control.connect()
    asker.ask(ADD)
    longest = "\U0001f600" * 4_096
    request = {"do": "user permit", "name": "ada", "configure": longest, "write": longest, "read": longest}
    line = json.dumps(request | {"write_topics": longest, "read_topics": longest}).encode()
    assert len(line) <= LINE_LIMIT_BYTES
    asker.sock.setblocking(True)
    for at in range(0, len(line), 10_000):
        asker.sock.sendall(line[at : at + 10_000])
        control.rig.settle()
    asker.sock.setblocking(False)
    assert asker.ask(b"\n") == {"said": []}


# Requests


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "the request is not JSON"),
        (b"\xff", "the request is not JSON"),
        (b"[" * 100_000, "the request is nested too deeply"),
        (b'{"do": "user tag", "name": "ada", "tags": NaN}', "the request is not JSON: NaN is no number"),
        (b'{"do": "user tag", "name": "\\ud800", "tags": []}', "the request is not JSON"),
        (b"[]", "the request is not a JSON object"),
        (b"{}", "what to do is none of user add"),
        (b'{"do": {}}', "what to do is none of user add"),
        (b'{"do": "user add"}', "user add: name: is missing"),
        (b'{"do": "user add", "name": 5}', "user add: name: must be text in quotes, not 5"),
        (b'{"do": "user add", "name": "a", "password_hash": 5}', "user add: password_hash: must be text in quotes"),
        (b'{"do": "user add", "name": "a", "nam": 1}', "user add: nam: unknown key; did you mean 'name'?"),
        (b'{"do": "user tag", "name": "a", "tags": "b"}', "user tag: tags: must be a list"),
        (b'{"do": "user permit", "name": "a"}', "there is no user 'a' in the store"),
        (b'{"do": "policy set", "name": "p", "pattern": "(", "definition": {}}', "policy 'p'"),
        (
            b'{"do": "policy set", "name": "p", "pattern": "q", "definition": {}, "priority": "1"}',
            "policy set: priority",
        ),
        (b'{"do": "user show", "name": "a"}', "there is no user 'a': `dragoman user list` names those there are"),
        (b'{"do": "policy list", "vhost": "x"}', "vhost 'x' not found"),
        (b'{"do": "policy show", "kind": "queue", "name": "q"}', "no queue 'q' in vhost '/': name another"),
        (b'{"do": "policy show", "kind": "topic", "name": "q"}', "policy show: kind: must be 'queue' or 'exchange'"),
        (b'{"do": "policy clear", "name": "x"}', "no policy 'x'"),
    ],
)
def test_what_makes_no_sense_is_answered_by_a_sentence(control: Control, line: bytes, sentence: str) -> None:
    asker = control.connect()
    answer = asker.ask(line + b"\n")
    assert answer["error"].startswith(sentence), answer
    assert "users" in asker.ask(b'{"do": "user list"}\n')


def test_policies_are_set_listed_and_cleared(control: Control) -> None:
    control.rig.broker.compile_pattern = compile_pattern
    control.world.store.open.set()
    asker = control.connect()
    definition = {"max-length": 5, "dead-letter-exchange": "d"}
    request = {"do": "policy set", "name": "p", "pattern": "q|t", "definition": definition, "priority": 3}
    assert asker.ask(json.dumps(request).encode() + b"\n") == {"said": []}
    (policy,) = asker.ask(b'{"do": "policy list"}\n')["policies"]
    assert (policy["name"], policy["definition"], policy["priority"]) == ("p", definition, 3)
    shown = asker.ask(b'{"do": "policy show", "kind": "exchange", "name": "amq.topic"}\n')
    assert shown == {"policy": "p", "operator-policy": None, "effective-definition": definition, "said": []}
    assert asker.ask(b'{"do": "policy clear", "name": "p"}\n') == {"said": []}
    assert asker.ask(b'{"do": "policy list"}\n')["policies"] == []


# Garbage

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["ada", "/", ".*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS: Final = sorted({key for kind in REQUESTS.values() for key in kind.model_fields})
LIKELY: Final = st.builds(
    lambda what, more: json.dumps({"do": what, **more}).encode(),
    st.sampled_from(sorted(REQUESTS)),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5),
)
LINES: Final = st.lists(st.one_of(st.binary(max_size=30), JSON.map(lambda value: json.dumps(value).encode()), LIKELY))


@given(LINES, st.integers(1, 50))
def test_any_bytes_in_any_pieces_are_answered_line_by_line(lines: list[bytes], piece: int) -> None:
    wires = Wires()
    wires.broker.surroundings.journal.begin(set())
    config = Config()
    users = Users(wires.broker, Accounts(config), config, "d.toml", lambda _user, _reason: None)
    users.begin()

    class NoDoor(ControlDoor):
        def __init__(self) -> None:
            pass

        def left(self) -> None:
            pass

    outlet = ReadOutlet(wires)
    peer = Peer("control", loopback=True, encrypted=False)
    machine = ControlConnection(wires.broker, outlet, peer, Requests(wires.broker, users), NoDoor())
    sent = b"\n".join(lines) + b"\n"
    for at in range(0, len(sent), piece):
        machine.receive(sent[at : at + piece])
        while machine.behind:
            machine.go_on()
    said = b"".join(machine.take_output())
    answers = [json.loads(line) for line in said.splitlines()]
    assert len(answers) == sent.count(b"\n")
    for answer in answers:
        assert "said" in answer or (isinstance(answer["error"], str) and isinstance(answer["mistaken"], bool))
    assert not machine.closed
