"""The work items in which an AMQP exchange chooses among queues."""

from typing import Final

from bench.load import amqp, amqp_frames
from bench.load.amqp_frames import TRANSIENT
from bench.load.body import body
from bench.load.link import Drain
from bench.load.order import Order, Work, closed


def fanout(order: Order) -> dict[str, float]:
    """Publish to a fanout exchange that is bound to many queues, each with a consumer on its own connection."""
    exchange = f"bench-{order.run}"
    sock = amqp.connect(order.ports["amqp"])
    amqp.declare_exchange(sock, exchange, "fanout")
    consumers = [amqp.connect(order.ports["amqp"]) for _ in range(order.queues)]
    for number, consumer in enumerate(consumers):
        queue = f"{exchange}-{number}"
        amqp.declare(consumer, queue, exchange)
        amqp.consume(consumer, queue, order.window)
    publication = amqp_frames.publish(exchange, "", body(order.size_bytes), TRANSIENT)
    source = amqp.AmqpSource(sock, publication, order.size_bytes, order.window, False)
    source.publish(1)
    drains: list[Drain] = []
    for consumer in consumers:
        delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
        drains.append(amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes))
    return closed(source, drains, order)


def topics(order: Order) -> dict[str, float]:
    """Publish, with one or many keys, to a topic exchange of which one binding matches each of them."""
    exchange = f"bench-{order.run}"
    port = order.ports["amqp"]
    consumer = amqp.connect(port)
    amqp.declare_exchange(consumer, exchange, "topic")
    amqp.declare(consumer, exchange, exchange, "bench.0.*")
    amqp.declare(consumer, f"{exchange}-others", flags=amqp_frames.EXCLUSIVE)
    amqp.bind(consumer, f"{exchange}-others", exchange, [other_key(number + 1) for number in range(order.others)])
    amqp.consume(consumer, exchange, order.window)
    content = body(order.size_bytes)
    publications = [
        amqp_frames.publish(exchange, f"bench.0.k{number:05}", content, TRANSIENT) for number in range(order.keys)
    ]
    if order.keys == 1:
        source = amqp.AmqpSource(amqp.connect(port), publications[0], order.size_bytes, order.window, False)
    else:
        source = amqp.AmqpKeySource(amqp.connect(port), publications, order.size_bytes)
    source.publish(1)
    delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
    figures = closed(source, [amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes)], order)
    amqp.delete_exchange(port, exchange)
    return figures


def other_key(number: int) -> str:
    """Return a binding key that matches no `bench.0.k…`; a quarter of them are plain words, the others have wildcards."""
    return (f"bench.{number}.one", f"*.{number}.*", f"bench.*.{number}", f"bench.{number}.#")[number % 4]


WORK: Final[dict[str, Work]] = {"amqp-fanout": fanout, "amqp-topics": topics}
