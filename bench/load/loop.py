"""The two ways to drive a work item, and what each measures.

*Closed loop*: a window of messages is under way end to end; what arrives is replaced. Refills go out in chunks of a
sixteenth of the window, so that the generator's cost stays small whatever the broker's batches are. *Fixed rate*: the
message due at a time is stamped with that time whether or not it could be sent then, so that a stall of the broker
counts for every message it delayed (no coordinated omission).
"""

import resource
import select
import time
from pathlib import Path
from typing import Final

from bench.load.link import Drain, Link, Source, WorkError

STALL_S: Final = 2.0  # without any arrival, after which what is under way counts as lost
REFILL_SHARE: Final = 16
TICK_NS: Final = 200_000  # at a fixed rate, of which all messages are sent together; 5,000 a second are sent one by one


class Timing:
    """How long a run takes, and whose processor time goes with it."""

    def __init__(self, warmup_s: float, seconds: float, broker_pid: int) -> None:
        self.warmup_s = warmup_s
        self.seconds = seconds
        self.broker_pid = broker_pid


class Figures:
    """What one run measured."""

    def __init__(self) -> None:
        self.messages: int = 0  # deliveries in the measured time
        self.seconds: float = 0.0
        self.lost: int = 0
        self.generator_cpu_s: float = 0.0
        self.broker_cpu_s: float = 0.0


class Meter:
    """Counts arrivals and processor time between the end of the warm-up, which begins with it, and the end of the run."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.begun: float = time.monotonic()
        self.running: bool = False
        self.started: float = 0.0
        self.generator_s: float = 0.0
        self.broker_s: float = 0.0
        self.messages: int = 0

    def over(self, messages: int, now: float) -> bool:
        """Start once the warm-up is over; tell whether the measured time is."""
        if self.running:
            return now - self.started >= self.timing.seconds
        if now - self.begun >= self.timing.warmup_s:
            self.start(messages)
        return False

    def start(self, messages: int) -> None:
        self.running = True
        self.messages = messages
        self.generator_s = own_cpu_s()
        self.broker_s = cpu_s(self.timing.broker_pid)
        self.started = time.monotonic()

    def stop(self, messages: int) -> Figures:
        figures = Figures()
        figures.seconds = time.monotonic() - self.started
        figures.messages = messages - self.messages
        figures.generator_cpu_s = own_cpu_s() - self.generator_s
        figures.broker_cpu_s = cpu_s(self.timing.broker_pid) - self.broker_s
        return figures


class Standstill:
    """Tells when a count has not moved for too long."""

    def __init__(self, limit_s: float = STALL_S) -> None:
        self.limit_s = limit_s
        self.count: int = -1
        self.moved: float = time.monotonic()

    def lasts(self, count: int, now: float) -> bool:
        """Tell whether the count is what it was all that time."""
        if count != self.count:
            self.count = count
            self.moved = now
            return False
        return now - self.moved > self.limit_s


def own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_s(pid: int) -> float:
    """Return the processor seconds a process has used, all threads, or 0 if there is none to ask about."""
    if not pid:
        return 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100.0  # clock ticks of 10 ms


class Loop:
    """One epoll over all links of a work item."""

    def __init__(self, links: list[Link]) -> None:
        self.poller = select.epoll()
        self.links: dict[int, Link] = {}
        for link in links:
            self.links[link.fd] = link
            link.attach(self.poller)

    def turn(self, timeout_s: float) -> int:
        """Wait for sockets, serve them, and return how many there were."""
        events = self.poller.poll(timeout_s, 512)
        for fd, mask in events:
            link = self.links[fd]
            if mask & select.EPOLLOUT:
                link.writable()
            if mask & ~select.EPOLLOUT:
                link.readable()
        return len(events)

    def close(self) -> None:
        self.poller.close()
        for link in self.links.values():
            link.close()


def closed_loop(
    source: Source, drains: list[Drain], window: int, timing: Timing, *, competing: bool = False
) -> Figures:
    """Keep `window` publications under way until the time is over.

    One has arrived when every drain has it, or where they are `competing`, when any has.
    """
    links: list[Link] = [source]
    links.extend(drains)
    loop = Loop(links)
    meter = Meter(timing)
    arrivals = Standstill()
    refill = max(1, window // REFILL_SHARE)
    lost = 0
    while True:
        arrived = (total(drains) if competing else least(drains)) + lost
        room = window - source.sent + min(arrived, source.confirmed)
        if room >= refill:
            source.publish(room)
        loop.turn(0.1)
        now = time.monotonic()
        if arrivals.lasts(arrived, now):
            if source.confirmed < source.sent:
                raise WorkError(f"{source.sent - source.confirmed} messages were never confirmed")
            lost += source.sent - arrived
        if meter.over(total(drains), now):
            break
    figures = meter.stop(total(drains))
    figures.lost = lost
    loop.close()
    return figures


def least(drains: list[Drain]) -> int:
    count = drains[0].received
    for drain in drains:
        count = min(count, drain.received)
    return count


def total(drains: list[Drain]) -> int:
    count = 0
    for drain in drains:
        count += drain.received
    return count


def fixed_rate(source: Source, drain: Drain, rate: int, timing: Timing, *, stamped: bool = True) -> Figures:
    """Send `rate` messages a second whatever happens, those of a tick together when the last of them is due.

    Where they are `stamped`, `drain.latencies` then holds those of the measured time.
    """
    loop = Loop([source, drain])
    meter = Meter(timing)
    step_ns = 1_000_000_000 // rate
    drain.stamped = stamped
    due = time.monotonic_ns() + step_ns
    tick_ns = (max(1, TICK_NS // step_ns) - 1) * step_ns  # from the first message of a tick to its last
    measured_from = due + int(timing.warmup_s * 1e9)
    end = measured_from + int(timing.seconds * 1e9)
    poller = [loop.poller.fileno()]
    nothing: list[int] = []
    while True:
        now = time.monotonic_ns()
        if not meter.running and now >= measured_from:
            drain.latencies = []
            meter.start(drain.received)
        if now >= end:
            break
        if due + tick_ns <= now:
            stamps: list[int] = []
            while due <= now:
                stamps.append(due)
                due += step_ns
            source.publish_stamped(stamps)
        # select waits in microseconds; epoll's own timeout has milliseconds, which would batch five messages
        wait_ns = due + tick_ns - time.monotonic_ns()
        select.select(poller, nothing, nothing, max(0, wait_ns) / 1e9)
        loop.turn(0.0)
    figures = meter.stop(drain.received)
    drain_rest(loop, source, drain)
    figures.lost = source.sent - drain.received
    loop.close()
    return figures


def drain_rest(loop: Loop, source: Source, drain: Drain) -> None:
    """Wait for the messages still under way: a late one belongs to the percentiles."""
    deadline = time.monotonic() + STALL_S
    while drain.received < source.sent and time.monotonic() < deadline:
        loop.turn(0.05)
