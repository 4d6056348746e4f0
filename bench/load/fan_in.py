"""Many publishers and one subscriber, in a closed loop over all of them.

Publishers stand in one line, which is served as far as the window end to end allows. An MQTT publisher at QoS 1 may have
its share of the window unacknowledged; one that was acknowledged goes to the end of the line, and what was acknowledged
in one read is replaced in one send. An AMQP publisher sends its share, unconfirmed, and goes to the end at once.
"""

import socket
import time
from collections import deque

from bench.load import mqtt_frames
from bench.load.amqp import AmqpSource
from bench.load.link import Drain, Link, Source, WorkError
from bench.load.loop import Figures, Loop, Meter, Standstill, Timing
from bench.load.mqtt import MqttSource

PACKETS_BYTES = 4096  # one read of acknowledgements; a publisher has two or three outstanding


class QueuedSource(MqttSource):
    """A publisher that joins the line again with each acknowledgement."""

    def __init__(self, sock: socket.socket, topic: str, size_bytes: int, window: int, line: deque[Source]) -> None:
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
        if data[:whole:4].count(mqtt_frames.PUBACK) != whole >> 2:
            raise WorkError(f"not a PUBACK: {data[:80]!r}")
        count = whole >> 2
        self.confirmed += count
        if count:
            if not self.credit:
                self.line.append(self)
            self.credit += count

    def publish_share(self) -> int:
        """Send all that may be sent, and return how many messages that is."""
        count = self.credit
        self.credit = 0
        self.publish(count)
        return count


class TurnSource(AmqpSource):
    """A publisher that nothing acknowledges: it joins the line again when it has sent its share."""

    def __init__(
        self, sock: socket.socket, publication: bytes, size_bytes: int, share: int, line: deque[Source]
    ) -> None:
        super().__init__(sock, publication, size_bytes, share, False)
        self.line = line
        self.share = share
        line.append(self)

    def publish_share(self) -> int:
        self.publish(self.share)
        self.line.append(self)
        return self.share


def fan_in(
    sources: list[Source],
    drain: Drain,
    line: deque[Source],
    window: int,
    timing: Timing,
) -> Figures:
    """Publish from all sources in turn, `window` under way in total."""
    links: list[Link] = [drain]
    links.extend(sources)
    loop = Loop(links)
    meter = Meter(timing)
    arrivals = Standstill()
    sent = drain.received
    while True:
        room = window - sent + drain.received
        while room > 0 and line:
            count = line.popleft().publish_share()
            sent += count
            room -= count
        loop.turn(0.1)
        now = time.monotonic()
        if arrivals.lasts(drain.received, now):
            raise WorkError(f"{sent - drain.received} messages never arrived")
        if meter.over(drain.received, now):
            break
    figures = meter.stop(drain.received)
    loop.close()
    return figures
