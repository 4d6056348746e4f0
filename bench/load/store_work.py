"""The work items that show what a store costs: confirms that wait for it, and backlogs that are on disk."""

import time
from collections import deque
from typing import Final

from bench.load import amqp
from bench.load.amqp_frames import AUTO_DELETE, DURABLE
from bench.load.backlog import fill, peak_bytes, take_out
from bench.load.commits import count_commits
from bench.load.confirms import TimedSource, WaitingSource, persistent
from bench.load.fan_in import fan_in
from bench.load.link import Source
from bench.load.loop import closed_loop, fixed_rate
from bench.load.order import Order, Work, latencies, rates

STATUS_S: Final = 1.5  # for the broker to tell its counts: the item has it do so every second
MIB: Final = 1 << 20


def confirm_latency(order: Order) -> dict[str, float]:
    """Find the rate of a closed loop, and at half of it how long confirms take."""
    source, drain = _durable(order, "closed")
    unpaced = closed_loop(source, [drain], order.window, order.timing())
    rate = max(1, int(unpaced.messages / unpaced.seconds / 2))
    source, drain = _durable(order, "paced")
    figures = fixed_rate(source, drain, rate, order.timing(), stamped=False)
    found = latencies(figures, source.taken_after(order.warmup_s))
    found["rate"] = float(rate)
    return found


def _durable(order: Order, part: str) -> tuple[TimedSource, amqp.AmqpDrain]:
    """Connect a publisher of persistent messages, and a consumer of its durable queue, which goes with it."""
    queue = f"bench-{order.run}-{part}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, flags=DURABLE | AUTO_DELETE)
    amqp.consume(consumer, queue, order.window)
    sock = amqp.connect(order.ports["amqp"])
    source = TimedSource(sock, persistent(queue, order.size_bytes), order.size_bytes, order.window)
    source.publish(1)
    return source, amqp.AmqpDrain(consumer, amqp.measure_delivery(consumer, order.size_bytes), order.size_bytes)


def one_each(order: Order) -> dict[str, float]:
    """Have many publishers with one durable message each under way, and count how many share a sync."""
    queue = f"bench-{order.run}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, flags=DURABLE | AUTO_DELETE)
    amqp.consume(consumer, queue, order.window)
    line: deque[Source] = deque()
    sources: list[Source] = []
    publication = persistent(queue, order.size_bytes)
    for _ in range(order.publishers):
        sources.append(WaitingSource(amqp.connect(order.ports["amqp"]), publication, order.size_bytes, line))
    line.popleft().publish_share()
    drain = amqp.AmqpDrain(consumer, amqp.measure_delivery(consumer, order.size_bytes), order.size_bytes)
    time.sleep(STATUS_S)
    before = count_commits(order.ports["mqtt"], f"{order.run}-before")
    figures = rates(fan_in(sources, drain, line, order.window, order.timing()))
    time.sleep(STATUS_S)
    after = count_commits(order.ports["mqtt"], f"{order.run}-after")
    if after:
        commits = after["count"] - before["count"]
        figures["per_sync"] = (after["messages"] - before["messages"]) / max(1, commits)
        figures["commits"] = float(commits)
    return figures


def depth(order: Order) -> dict[str, float]:
    """Fill a queue and take all of it out again; the broker has done nothing else."""
    figures = fill(order)
    filled_bytes = peak_bytes(order.broker_pid)
    seconds = take_out(order)
    return {
        "value": order.messages / seconds,
        "publish_rate": figures.rate,
        "empty_rate": figures.empty_rate,
        "deep_rate": figures.deep_rate,
        "deep_percent": 100.0 * figures.deep_rate / figures.empty_rate,
        "filled_mib": filled_bytes / MIB,
        "memory_mib": peak_bytes(order.broker_pid) / MIB,
        "messages": float(order.messages),
    }


def filled(order: Order) -> dict[str, float]:
    """Fill a queue, for the broker to be started with."""
    return {"publish_rate": fill(order).rate}


def taken_out(order: Order) -> dict[str, float]:
    """Take out what `filled` has put there."""
    return {"value": order.messages / take_out(order)}


WORK: Final[dict[str, Work]] = {
    "amqp-confirm-latency": confirm_latency,
    "amqp-durable-fanin": one_each,
    "amqp-depth": depth,
    "store-start": filled,
    "store-drain": taken_out,
}
