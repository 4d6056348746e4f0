"""The task that turns the reactor: other tasks have their turn too, and no wake-up is lost."""

import itertools
import socket
from typing import Final

import trio
import trio.testing

from core.broker import Broker
from gateway.loop import STEPS_OF_OTHERS, Loop
from gateway.poller import open_poller
from gateway.reactor import YIELD_AFTER_TURNS, Acceptor, Reactor
from gateway.wiring import Authenticator

ANSWER_S: Final = 10.0  # of real time, for what must come


class Insistent(Acceptor):
    """Is always ready, and never accepts."""

    def __init__(self) -> None:
        self.calls = 0

    def ready(self) -> None:
        self.calls += 1


async def test_other_tasks_run_while_the_reactor_is_busy() -> None:
    poller = open_poller()
    reactor = Reactor(Broker(lambda: "unique"), poller, Authenticator())
    acceptor = Insistent()
    left, right = socket.socketpair()
    with left, right:
        right.send(b"never read")
        reactor.adopt(acceptor, left.fileno())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Loop(reactor, poller).run)
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        assert acceptor.calls >= 10
        reactor.release(left.fileno())
    reactor.close()


async def test_a_wake_up_between_turns_is_not_lost() -> None:
    poller = open_poller()
    reactor = Reactor(Broker(lambda: "unique"), poller, Authenticator())
    loop = Loop(reactor, poller)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop.run)
        await trio.testing.wait_all_tasks_blocked()
        loop.drain()  # and since nobody is connected, `run` returns
    reactor.close()


async def test_those_whom_a_task_wakes_run_before_the_next_turn() -> None:
    poller = open_poller()
    reactor = Reactor(Broker(lambda: "unique"), poller, Authenticator())
    acceptor = Insistent()
    left, right = socket.socketpair()
    calls_between = -1

    async def relay(heard: trio.Event, told: trio.Event) -> None:
        await heard.wait()
        told.set()

    async def begin_and_end(first: trio.Event, last: trio.Event) -> None:
        nonlocal calls_between
        await trio.lowlevel.checkpoint()
        calls = acceptor.calls
        first.set()
        await last.wait()
        calls_between = acceptor.calls - calls

    with left, right:
        right.send(b"never read")
        reactor.adopt(acceptor, left.fileno())
        events = [trio.Event() for _ in range(STEPS_OF_OTHERS)]
        async with trio.open_nursery() as nursery:
            for heard, told in itertools.pairwise(events):
                nursery.start_soon(relay, heard, told)
            nursery.start_soon(begin_and_end, events[0], events[-1])
            nursery.start_soon(Loop(reactor, poller).run)
            with trio.fail_after(ANSWER_S):
                await events[-1].wait()
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        reactor.release(left.fileno())
    reactor.close()
    assert 0 <= calls_between <= 2 * YIELD_AFTER_TURNS
