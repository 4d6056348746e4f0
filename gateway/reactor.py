"""The data plane: one turn after the other, each a batch of everything that is ready.

A turn reads from the sockets that are ready, answers logins, runs due timers, lets the broker hand over what the batch
has made possible, and flushes the connections that have output: one receive and one send for each connection. While
messages come, `turns` waits for the next one itself, for as long as other tasks can do without their turn; `gateway.loop`
waits when it is quiet. Nothing in here knows trio.
"""

import socket
import time
from collections.abc import Callable
from typing import Final

import structlog
from mypy_extensions import mypyc_attr

from core.broker import Broker
from core.timers import NEVER, Timed
from gateway.busy_poll import BusyPoll
from gateway.filters import Filter
from gateway.link import Link
from gateway.poller import READ, Poller
from gateway.wiring import Authenticator, Wiring
from protocols.connection import Connection, Outlet, Peer

NEXT_MESSAGE_S: Final = 0.005  # to wait for it; a timer that is due before the kernel's own tick costs 4 µs to set
YIELD_AFTER_S: Final = 0.01  # between the turns of other tasks while messages come: who comes then waits 20 µs, or
YIELD_AFTER_TURNS: Final = 256  # where the clock stands still between turns, as in tests
ROUNDS_LIMIT: Final = 16  # of handing over in one turn; what is woken after them waits for the next one

Machine = Callable[[Broker, Outlet, Peer], Connection]  # makes the machine of a new connection

log = structlog.get_logger("dragoman.reactor")


@mypyc_attr(allow_interpreted_subclasses=True)
class Acceptor:
    """Something with a listening socket in the reactor."""

    def ready(self) -> None:
        """Accept who waits."""
        raise AssertionError(f"{type(self).__name__} accepts nobody")


class Reactor:
    """All connections, and the turn that serves them."""

    def __init__(self, broker: Broker, poller: Poller, authenticator: Authenticator) -> None:
        self.broker = broker
        self.wiring = Wiring(broker, poller, authenticator)
        self._poller = poller
        self._acceptors: dict[int, Acceptor] = {}  # by file descriptor
        self.busy_poll = BusyPoll()
        # Whether messages came until other tasks had their turn: the next one is waited for in here too.
        self._flowing = False

    @property
    def connections(self) -> int:
        """How many sockets of clients are open."""
        return len(self.wiring.links)

    @property
    def handshakes(self) -> int:
        """How many of them nobody has logged in on yet."""
        return self.wiring.handshakes

    def add(self, sock: socket.SocketType, peer: Peer, machine: Machine, filters: tuple[Filter, ...] = ()) -> Link:
        """Take over a connected, non-blocking socket: `machine` makes what is at its inner end."""
        link = Link(self.wiring, sock, peer, filters)
        link.attach(machine(self.broker, link, peer))
        return link

    def adopt(self, acceptor: Acceptor, fd: int) -> None:
        """Call `acceptor.ready` whenever somebody waits at its listening, non-blocking socket."""
        self._acceptors[fd] = acceptor
        self._poller.add(fd, READ)

    def release(self, fd: int) -> None:
        """Watch a listening socket no longer. Its owner closes it, or adopts it again."""
        if self._acceptors.pop(fd, None) is not None:
            self._poller.remove(fd, READ)

    def turns(self, current_time: Callable[[], float], *, woken: bool = False) -> bool:
        """Turn while messages come, for a few milliseconds at most; return whether there is more to do at once.

        `woken`: another task has left something for the first turn, which waits for nobody then.
        """
        now = current_time()
        end = now + YIELD_AFTER_S
        wait_s = NEXT_MESSAGE_S if self._flowing and not woken else 0.0
        self._flowing = False
        for _ in range(YIELD_AFTER_TURNS):
            events = self._poll(wait_s)
            now = current_time()
            more = self.turn(events, now, time.time())
            if not events and not more:
                return False
            wait_s = 0.0 if more else NEXT_MESSAGE_S
            if now >= end:
                break
        self._flowing = wait_s > 0.0
        return True

    def _poll(self, wait_s: float) -> list[tuple[int, int]]:
        """Return what is ready, or after `wait_s` nothing."""
        turn_end = self.wiring.turn_end
        if not wait_s or (turn_end is not None and turn_end.is_writing()):
            return self._poller.poll(wait_s)  # asleep, so that whoever writes has the interpreter to himself
        return self.busy_poll.wait(self._poller, wait_s)

    def turn(self, events: list[tuple[int, int]], now: float, wall: float) -> bool:
        """Serve what the poller has reported and what is due; return whether there is more to do at once."""
        broker = self.broker
        wiring = self.wiring
        broker.clock.now = now
        broker.clock.wall = wall
        links = wiring.links
        for fd, mask in events:
            link = links.get(fd)
            if link is not None:
                link.ready(mask)
            else:
                self._accept(fd)
        if wiring.behind:
            behind = wiring.behind
            wiring.behind = []
            for link in behind:
                link.catch_up()
        if wiring.answers:
            answers = wiring.answers
            wiring.answers = []
            for answer in answers:
                answer.link.answer(answer.user, answer.reason)
        if broker.timers.next_look() <= now:
            self._run_timers()
        rounds = 0
        while broker.surroundings.woken and rounds < ROUNDS_LIMIT:
            broker.run()
            rounds += 1
        if wiring.turn_end is not None:
            wiring.turn_end.turn_ended()
        dirty = wiring.dirty
        if dirty:
            wiring.dirty = []
            for link in dirty:
                link.flush()
        if broker.alarm != wiring.alarm:
            self._pass_on_alarm()
        wiring.connection_log.flush()
        if wiring.dirty or wiring.behind or broker.surroundings.woken:
            return True
        return wiring.turn_end is not None and wiring.turn_end.wants_another()

    def release_output(self) -> None:
        """Have the output sent that has waited for a commit."""
        for link in self.wiring.holding:
            link.wake()

    def next_look(self) -> float:
        """Return when the next turn is due if nothing is ready before, in monotonic seconds."""
        return self.broker.timers.next_look()

    def _accept(self, fd: int) -> None:
        acceptor = self._acceptors.get(fd)
        if acceptor is not None:
            try:
                acceptor.ready()
            except Exception as error:  # noqa: BLE001 - a bug while accepting must not stop those who are connected
                self._count_bug("internal error while accepting", error)

    def _run_timers(self) -> None:
        timers = self.broker.timers
        for timed in timers.due():
            try:
                timed.timeout()
            except Exception as error:  # noqa: BLE001 - a bug costs what it shows in
                self._timer_failed(timed, error)
            if isinstance(timed, Connection) and timed.closed:
                timed.outlet.wake()
            timers.watch(timed)

    def _timer_failed(self, timed: Timed, error: Exception) -> None:
        if isinstance(timed, Connection):
            timed.outlet.failed(error)
        else:
            timed.deadline = NEVER  # it would fail again at once, and for ever
            self._count_bug("internal error in a timer", error)

    def _count_bug(self, event: str, error: Exception) -> None:
        self.broker.counters.internal_errors += 1
        log.error(event, exc_info=error)

    def _pass_on_alarm(self) -> None:
        reason = self.broker.alarm
        self.wiring.alarm = reason
        if reason:
            log.warning("publishers must wait", reason=reason)
        else:
            log.info("publishers go on")
        for link in list(self.wiring.links.values()):
            link.hear_alarm(reason)

    # The end

    def shut_down(self) -> None:
        """Accept nobody any more and have every machine say good-bye. Turns go on until `connections` is 0."""
        self.broker.stopping = True
        for fd in list(self._acceptors):
            self.release(fd)
        for link in list(self.wiring.links.values()):
            link.shut_down()

    def close(self) -> None:
        """End every connection now, and release what they hold."""
        for link in list(self.wiring.links.values()):
            link.abort()
        self.wiring.connection_log.flush()
        self._poller.close()
