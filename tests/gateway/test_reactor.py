"""The turn: fairness, deadlines, alarms and what a bug may cost."""

from typing import Final

import pytest
import structlog.testing

from core.access import User
from core.broker import Broker
from core.timers import NEVER, Timed
from gateway.busy_poll import BusyPoll
from gateway.poller import EVENTS_LIMIT, READ, Poller
from gateway.reactor import NEXT_MESSAGE_S, YIELD_AFTER_S, Acceptor, Reactor
from gateway.wiring import Authenticator, TurnEnd
from tests.gateway.rig import START, Client, Rig, rig


def _publisher(r: Rig) -> Client:
    client = r.connect()

    def publish(data: bytes) -> None:
        client.machine.publishes = True
        client.machine.write(data)

    client.machine.on_receive = publish
    return client


def _fill(r: Rig, part: float) -> None:
    r.broker.surroundings.usage.held_bytes = int(r.broker.surroundings.usage.limit_bytes * part)
    r.settle()


def test_the_clock_is_told_before_anything_is_handled() -> None:
    with rig() as r:
        client = r.connect()
        seen: list[float] = []
        client.machine.on_receive = lambda _: seen.append(r.broker.clock.now)
        r.now = START + 7
        client.send(b"x")
        assert seen == [START + 7]
        assert r.broker.clock.wall > 0


def test_more_ready_connections_than_one_turn_serves_are_all_served() -> None:
    count = EVENTS_LIMIT + 20
    with rig() as r:
        clients = [r.connect() for _ in range(count)]
        for client in clients:
            client.sock.send(b"x")
        r.turn()
        assert sum(len(client.machine.received) for client in clients) == EVENTS_LIMIT
        r.turn()
        assert all(client.machine.received == [b"x"] for client in clients)


def test_a_handshake_that_takes_too_long_is_ended_by_the_machine() -> None:
    with rig() as r:
        client = r.connect()
        assert r.reactor.next_look() == START + 10
        r.advance(9.9)
        assert client.machine.events == []
        r.advance(0.2)
        assert client.machine.events == ["timeout", "complete_output", "ended"]
        assert client.read_to_the_end() == b""


def test_a_deadline_that_moves_forward_is_noticed() -> None:
    with rig() as r:
        client = r.connect()
        client.machine.deadline = r.now + 2
        client.machine.outlet.watch(client.machine)
        r.advance(2)
        assert client.has_ended()


def test_a_bug_in_a_timer_that_is_no_connection_is_counted_and_not_repeated() -> None:
    class Broken(Timed):
        def timeout(self) -> None:
            raise ZeroDivisionError

    with rig() as r:
        broken = Broken()
        broken.deadline = r.now + 1
        r.broker.timers.watch(broken)
        with structlog.testing.capture_logs() as logs:
            r.advance(5)
        assert [entry["event"] for entry in logs] == ["internal error in a timer"]
        assert r.broker.counters.internal_errors == 1
        assert broken.deadline == NEVER


def test_a_bug_while_accepting_leaves_those_who_are_connected_alone() -> None:
    class Broken(Acceptor):
        def ready(self) -> None:
            raise ZeroDivisionError

    with rig() as r:
        client = r.connect()
        visitor = r.connect()
        fd = visitor.sock.fileno()  # readable at will: it stands for a listening socket
        r.reactor.adopt(Broken(), fd)
        visitor.machine.write(b"knock")
        with structlog.testing.capture_logs() as logs:
            r.turn()
            r.turn()
        r.reactor.release(fd)
        assert {entry["event"] for entry in logs} == {"internal error while accepting"}
        client.send(b"x")
        assert client.read(1) == b"x"


def test_an_alarm_stops_the_reading_from_publishers_only() -> None:
    with rig() as r:
        publisher, consumer = _publisher(r), r.connect()
        publisher.send(b"1")
        publisher.read(1)
        _fill(r, 1.01)
        assert publisher.machine.events[-1] == consumer.machine.events[-1] == "alarm"
        assert publisher.machine.events[-2] == "alarm:low on memory"
        publisher.send(b"2")
        consumer.send(b"ack")
        assert publisher.nothing_comes()
        assert consumer.read(3) == b"ack"
        _fill(r, 0.9)  # below where it began, not yet where it ends
        assert publisher.nothing_comes()
        _fill(r, 0.79)
        assert publisher.read(1) == b"2"
        assert publisher.machine.events[-4:] == ["alarm:", "alarm", "receive", "complete_output"]


def test_who_begins_to_publish_during_an_alarm_is_stopped_after_its_first_batch() -> None:
    with rig() as r:
        publisher = _publisher(r)
        _fill(r, 1.01)
        publisher.send(b"1")
        assert publisher.read(1) == b"1"
        publisher.send(b"2")
        assert publisher.nothing_comes()
        _fill(r, 0)
        assert publisher.read(1) == b"2"


def test_who_logs_in_during_an_alarm_hears_of_it() -> None:
    with rig() as r:
        _fill(r, 1.01)
        client = r.connect()
        client.machine.on_receive = lambda _: client.machine.outlet.login(client.machine, "someone", b"")
        client.send(b"login")
        assert "alarm" not in client.machine.events
        client.link.answer(User("someone"), "")
        assert "alarm:low on memory" in client.machine.events


def test_a_shut_down_says_good_bye_and_ends_everything() -> None:
    with rig() as r:
        clients = [r.connect() for _ in range(3)]
        r.reactor.shut_down()
        assert r.broker.stopping
        for client in clients:
            assert client.read_to_the_end() == b"good-bye"
            assert client.has_ended()
            client.sock.close()
        r.settle()
        assert r.reactor.connections == 0


def test_closing_releases_what_did_not_end_by_itself() -> None:
    with rig() as r:
        client = r.connect()
    assert client.machine.events == ["ended"]
    assert r.broker.counters.connections_closed == 1


@pytest.mark.parametrize("released", [False, True])
def test_a_listening_socket_is_watched_until_it_is_released(released: bool) -> None:
    class Counting(Acceptor):
        calls = 0

        def ready(self) -> None:
            self.calls += 1

    with rig() as r:
        acceptor, visitor = Counting(), r.connect()
        fd = visitor.sock.fileno()
        r.reactor.adopt(acceptor, fd)
        if released:
            r.reactor.release(fd)
            r.reactor.release(fd)
        visitor.machine.write(b"knock")
        r.turn()
        r.turn()
        assert (acceptor.calls > 0) is not released
        if not released:
            r.poller.remove(fd, READ)


class ScriptedPoller(Poller):
    """Gives what a test has written down, and keeps for how long it was asked to wait."""

    def __init__(self, script: list[list[tuple[int, int]]]) -> None:
        self.script = script
        self.waits: list[float] = []

    def poll(self, wait_s: float) -> list[tuple[int, int]]:
        self.waits.append(wait_s)
        return self.script.pop(0) if self.script else []


NOBODY: Final = [(999_999, READ)]  # an event of a socket that is gone


def _turns(poller: ScriptedPoller, writing: bool = False) -> list[float]:
    _busy_reactor(poller, writing).turns(_standing_still)
    return poller.waits


def _busy_reactor(poller: ScriptedPoller, writing: bool = False) -> Reactor:
    reactor = Reactor(Broker(lambda: "unique"), poller, Authenticator())
    reactor.busy_poll = _Watched()
    reactor.wiring.turn_end = _Writer(writing)
    return reactor


def _standing_still() -> float:
    return 0.0


class _Watched(BusyPoll):
    """Asks twice, so that it can be told from a wait without it."""

    def wait(self, poller: Poller, wait_s: float) -> list[tuple[int, int]]:
        return poller.poll(0.0) or poller.poll(wait_s)


class _Writer(TurnEnd):
    def __init__(self, writing: bool) -> None:
        self._writing = writing

    def turn_ended(self) -> None: ...

    def is_writing(self) -> bool:
        return self._writing


def test_the_next_message_is_looked_for_and_waited_for_in_the_poller() -> None:
    assert _turns(ScriptedPoller([NOBODY, NOBODY])) == [0.0, 0.0, 0.0, NEXT_MESSAGE_S]


def test_nobody_is_busy_while_a_batch_is_written() -> None:
    assert _turns(ScriptedPoller([NOBODY, NOBODY]), writing=True) == [0.0, NEXT_MESSAGE_S, NEXT_MESSAGE_S]


@pytest.mark.parametrize(("woken", "first_wait_s"), [(False, NEXT_MESSAGE_S), (True, 0.0)])
def test_between_messages_others_have_a_turn_and_the_next_one_is_waited_for_unless_they_left_something(
    woken: bool, first_wait_s: float
) -> None:
    poller = ScriptedPoller([NOBODY])
    reactor = _busy_reactor(poller, writing=True)
    clock = iter([0.0, YIELD_AFTER_S])
    assert reactor.turns(lambda: next(clock))
    assert not reactor.turns(_standing_still, woken=woken)
    assert poller.waits == [0.0, first_wait_s]


def test_a_quiet_reactor_waits_for_nobody_when_its_turns_begin() -> None:
    poller = ScriptedPoller([NOBODY])
    reactor = _busy_reactor(poller, writing=True)
    assert not reactor.turns(_standing_still)
    assert not reactor.turns(_standing_still)
    assert poller.waits == [0.0, NEXT_MESSAGE_S, 0.0]
