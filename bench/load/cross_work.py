"""The work items that cross from one protocol to another."""

from typing import Final

from bench.load import amqp, mqtt
from bench.load.link import Drain
from bench.load.order import Order, Work, closed


def mqtt_to_amqp(order: Order) -> dict[str, float]:
    """Connect a publisher at QoS 0 and a consumer of a queue bound to `amq.topic`."""
    queue = f"bench-{order.run}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, "amq.topic", f"bench.{order.run}.cross")
    amqp.consume(consumer, queue, order.window)
    sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub")
    source = mqtt.MqttSource(sock, f"bench/{order.run}/cross", 0, order.size_bytes, order.window)
    source.publish(1)
    delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
    drains: list[Drain] = [amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes)]
    return closed(source, drains, order)


WORK: Final[dict[str, Work]] = {"cross-mqtt0-amqp": mqtt_to_amqp}
