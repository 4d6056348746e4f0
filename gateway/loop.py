"""The trio task that runs the reactor: it turns while there is work, and waits for sockets, deadlines and wake-ups.

Waiting is for the poller's own descriptor, one for all sockets. While messages come, the loop waits in the poller itself
for the next one, a millisecond at most: one small message at a time costs 12 µs then, and 61 µs through trio. The other
tasks have their turn every few milliseconds meanwhile, and at once when it is quiet.
"""

import time
from typing import Final

import trio

from gateway.poller import Poller
from gateway.reactor import Reactor
from gateway.wiring import Answer

NEXT_MESSAGE_S: Final = 0.001  # the shortest wait that epoll knows
YIELD_AFTER_S: Final = 0.002  # between the turns of other tasks while messages come; a checkpoint costs 20 µs, or
YIELD_AFTER_TURNS: Final = 64  # where the clock stands still between turns, as in tests


class Loop:
    """Turns a reactor."""

    def __init__(self, reactor: Reactor, poller: Poller) -> None:
        self._reactor = reactor
        self._poller = poller
        self._waiting: trio.CancelScope | None = None
        self._woken = False
        self._draining = False

    async def run(self) -> None:
        """Serve until cancelled; once `drain` was called, until nobody is connected."""
        poll = self._poller.poll
        turn = self._reactor.turn
        wait_s = 0.0
        turns = 0
        yielded_at = trio.current_time()
        while True:
            events = poll(wait_s)
            now = trio.current_time()
            self._woken = False
            more = turn(events, now, time.time())
            if self._draining and not self._reactor.connections:
                return
            turns += 1
            quiet = not (more or events or self._woken)
            wait_s = NEXT_MESSAGE_S if events and not more else 0.0
            if quiet:
                await self._wait()
            elif turns >= YIELD_AFTER_TURNS or now - yielded_at >= YIELD_AFTER_S:
                await trio.lowlevel.checkpoint()
            else:
                continue
            turns = 0
            yielded_at = trio.current_time()

    async def _wait(self) -> None:
        with trio.CancelScope(deadline=self._reactor.next_look()) as scope:
            self._waiting = scope
            await trio.lowlevel.wait_readable(self._poller.fileno())
        self._waiting = None

    def wake(self) -> None:
        """Have a turn run soon. Called by other tasks."""
        self._woken = True
        if self._waiting is not None:
            self._waiting.cancel()

    def answer(self, answer: Answer) -> None:
        """Have the result of a login told in the next turn."""
        self._reactor.wiring.answers.append(answer)
        self.wake()

    def drain(self) -> None:
        """Let `run` return when nobody is connected any more."""
        self._draining = True
        self.wake()
