"""Many MQTT publishers at QoS 1 and one wildcard subscriber, in a closed loop over all of them.

Each publisher may have its share of the window unacknowledged; a publisher that was acknowledged goes to the end of
one line, and the line is served as far as the window end to end allows. What was acknowledged in one read is replaced
in one send.
"""

import socket
import time
from collections import deque

from bench.load import mqtt_frames as frames
from bench.load.link import Link, WorkError
from bench.load.loop import STALL_S, Figures, Loop, Meter, Timing
from bench.load.mqtt import MqttDrain, MqttSource

PACKETS_BYTES = 4096  # one read of acknowledgements; a publisher has two or three outstanding


class QueuedSource(MqttSource):
    """A publisher that joins the line again with each acknowledgement."""

    def __init__(
        self, sock: socket.socket, topic: str, size_bytes: int, window: int, line: "deque[QueuedSource]"
    ) -> None:
        super().__init__(sock, topic, 1, size_bytes, window)
        self.line = line
        self.credit: int = window
        line.append(self)

    def readable(self) -> None:
        data = self.receive(PACKETS_BYTES)
        if self.carry:
            data = self.carry + data
        whole = len(data) & ~3
        self.carry = data[whole:]
        if data[:whole:4].count(frames.PUBACK) != whole >> 2:
            raise WorkError(f"not a PUBACK: {data[:80]!r}")
        count = whole >> 2
        self.confirmed += count
        if count:
            if not self.credit:
                self.line.append(self)
            self.credit += count

    def publish_credit(self) -> int:
        """Send all that may be sent, and return how many messages that is."""
        count = self.credit
        self.credit = 0
        self.publish(count)
        return count


def fan_in(
    sources: list[QueuedSource],
    drain: MqttDrain,
    line: deque[QueuedSource],
    window: int,
    timing: Timing,
) -> Figures:
    """Publish from all sources in turn, `window` under way in total."""
    links: list[Link] = [drain]
    links.extend(sources)
    loop = Loop(links)
    meter = Meter(timing.broker_pid)
    sent = 0
    seen = 0
    moved = begun = time.monotonic()
    measuring = False
    while True:
        room = window - sent + drain.received
        while room > 0 and line:
            count = line.popleft().publish_credit()
            sent += count
            room -= count
        loop.turn(0.1)
        now = time.monotonic()
        if drain.received != seen:
            seen = drain.received
            moved = now
        elif now - moved > STALL_S:
            raise WorkError(f"{sent - seen} messages never arrived")
        if not measuring and now - begun >= timing.warmup_s:
            measuring = True
            meter.start(drain.received)
        elif measuring and now - meter.started >= timing.seconds:
            break
    figures = meter.stop(drain.received)
    loop.close()
    return figures
