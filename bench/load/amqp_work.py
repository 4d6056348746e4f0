"""The work items in which a message goes through one AMQP queue."""

from collections import deque
from typing import Final

from bench.load import amqp, amqp_frames
from bench.load.amqp_frames import AUTO_DELETE, DURABLE, PERSISTENT, TRANSIENT
from bench.load.body import body
from bench.load.fan_in import TurnSource, fan_in
from bench.load.link import Drain, Source
from bench.load.order import Order, Work, closed, paced, rates


def transient(order: Order) -> dict[str, float]:
    source, drains = one_queue(order, False)
    return closed(source, drains, order)


def confirmed(order: Order) -> dict[str, float]:
    source, drains = one_queue(order, True)
    return closed(source, drains, order)


def durable(order: Order) -> dict[str, float]:
    """Do the work of `confirmed` with persistent messages in a durable queue, which goes with its consumer."""
    source, drains = one_queue(order, True, DURABLE | AUTO_DELETE, PERSISTENT)
    return closed(source, drains, order)


def latency(order: Order) -> dict[str, float]:
    source, drains = one_queue(order, False)
    return paced(source, drains[0], order)


def one_queue(
    order: Order, confirms: bool, flags: int = AUTO_DELETE, mode: int = TRANSIENT
) -> tuple[Source, list[Drain]]:
    """Connect a publisher and a consumer of its queue, which acknowledges at least eight times in a window."""
    queue = f"bench-{order.run}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, flags=flags)
    amqp.consume(consumer, queue, order.window)
    sock = amqp.connect(order.ports["amqp"])
    publication = amqp_frames.publish("", queue, body(order.size_bytes), mode)
    source = amqp.AmqpSource(sock, publication, order.size_bytes, order.window, confirms)
    source.publish(1)
    delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
    ack_every = max(1, min(amqp.ACK_EVERY, order.window // 8))
    return source, [amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes, ack_every)]


def many_to_one(order: Order) -> dict[str, float]:
    """Publish from many connections in turn to one queue."""
    queue = f"bench-{order.run}"
    share = max(1, order.window // order.publishers)
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue)
    amqp.consume(consumer, queue, order.window)
    publication = amqp_frames.publish("", queue, body(order.size_bytes), TRANSIENT)
    line: deque[Source] = deque()
    sources: list[Source] = []
    for _ in range(order.publishers):
        sock = amqp.connect(order.ports["amqp"])
        sources.append(TurnSource(sock, publication, order.size_bytes, share, line))
    sources[0].publish(1)
    drain = amqp.AmqpDrain(consumer, amqp.measure_delivery(consumer, order.size_bytes), order.size_bytes)
    return rates(fan_in(sources, drain, line, order.window, order.timing()))


WORK: Final[dict[str, Work]] = {
    "amqp-transient": transient,
    "amqp-confirm": confirmed,
    "amqp-durable": durable,
    "amqp-latency": latency,
    "amqp-fanin": many_to_one,
}
