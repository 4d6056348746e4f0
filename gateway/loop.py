"""The trio task that runs the reactor: it turns while there is work, and waits for sockets, deadlines and wake-ups.

Waiting is for the poller's own descriptor, one for all sockets. While messages come, the reactor waits in the poller
itself for the next one, a few milliseconds at most: one small message at a time costs 12 µs then, and 61 µs through
trio. The other tasks have their turn every few milliseconds meanwhile, and at once when it is quiet; the message after
it is waited for in the poller again.
"""

from typing import Final

import trio

from gateway.poller import Poller
from gateway.reactor import Reactor
from gateway.wiring import Answer

STEPS_OF_OTHERS: Final = (
    4  # that they may take one after the other before the next turn: a login takes three, each 3 µs
)


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
        reactor = self._reactor
        current_time = trio.lowlevel.current_clock().current_time
        while True:
            woken = self._woken
            self._woken = False
            more = reactor.turns(current_time, woken=woken)
            if self._draining and not reactor.connections:
                return
            if more or self._woken:
                await _give_way()
            else:
                await self._wait()

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


async def _give_way() -> None:
    """Let the other tasks run, those that they wake too."""
    for _ in range(STEPS_OF_OTHERS):
        await trio.lowlevel.checkpoint()
