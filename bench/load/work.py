"""The work items: which clients each one has, and how they are driven.

Every run uses names of its own (`run`), so that nothing a former run left in the broker can reach it.
"""

import time
from collections import deque
from typing import Final

from bench.load import amqp, amqp_frames, mqtt, stomp
from bench.load.body import body
from bench.load.fan_in import QueuedSource, fan_in
from bench.load.idle import open_idle
from bench.load.link import Drain, Source, WorkError
from bench.load.loop import Figures, Timing, closed_loop, fixed_rate, own_cpu_s

TRANSIENT: Final = 1  # AMQP delivery mode


class Order:
    """What the generator was asked for."""

    def __init__(self, ports: dict[str, int], run: str, broker_pid: int, seconds: float, warmup_s: float) -> None:
        self.ports = ports  # of the broker, by protocol
        self.run = run
        self.broker_pid = broker_pid
        self.seconds = seconds
        self.warmup_s = warmup_s
        self.size_bytes: int = 256
        self.window: int = 2_000  # publications under way
        self.rate: int = 5_000  # messages a second, at a fixed rate
        self.subscribers: int = 100
        self.publishers: int = 1_000
        self.connections: int = 10_000


def perform(item: str, order: Order) -> dict[str, float]:
    """Run one work item and return its figures by name; `value` is the one for the table."""
    if item == "idle":
        return idle(order)
    if item == "mqtt-qos1-fanin":
        return rates(many_to_one(order))
    if item == "sink":
        return sink(order)
    kind, _, mode = item.partition("-latency")
    source, drains = clients(kind + mode, order)
    if "-latency" in item:
        figures = fixed_rate(source, drains[0], order.rate, timing_of(order))
        return latencies(figures, drains[0].latencies)
    return rates(closed_loop(source, drains, order.window, timing_of(order)))


def timing_of(order: Order) -> Timing:
    return Timing(order.warmup_s, order.seconds, order.broker_pid)


def clients(kind: str, order: Order) -> tuple[Source, list[Drain]]:
    """Connect the publisher and the subscribers of a work item."""
    if kind == "cross-mqtt0-amqp":
        return crossing(order)
    if kind.startswith("mqtt-qos"):
        return mqtt_clients(order, int(kind[8]), order.subscribers if kind.endswith("-fanout") else 1)
    if kind.startswith("amqp"):
        return amqp_clients(order, kind == "amqp-confirm")
    if kind.startswith("stomp"):
        return stomp_clients(order)
    raise WorkError(f"no work item {kind!r}")


def mqtt_clients(order: Order, qos: int, subscribers: int) -> tuple[Source, list[Drain]]:
    topic = f"bench/{order.run}/one"
    drains: list[Drain] = []
    for number in range(subscribers):
        sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-sub-{number}")
        mqtt.subscribe(sock, topic, qos)
        if qos == 2:
            drains.append(mqtt.MqttExactDrain(sock, topic, order.size_bytes))
        else:
            drains.append(mqtt.MqttDrain(sock, topic, qos, order.size_bytes))
    sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub")
    return mqtt.MqttSource(sock, topic, qos, order.size_bytes, order.window), drains


def amqp_clients(order: Order, confirms: bool) -> tuple[Source, list[Drain]]:
    queue = f"bench-{order.run}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue)
    amqp.consume(consumer, queue, order.window)
    sock = amqp.connect(order.ports["amqp"])
    publication = amqp_frames.publish("", queue, body(order.size_bytes), TRANSIENT)
    source = amqp.AmqpSource(sock, publication, order.size_bytes, order.window, confirms)
    source.publish(1)
    delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
    return source, [amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes)]


def crossing(order: Order) -> tuple[Source, list[Drain]]:
    """Connect an MQTT publisher at QoS 0 and a consumer of a queue bound to `amq.topic`."""
    queue = f"bench-{order.run}"
    consumer = amqp.connect(order.ports["amqp"])
    amqp.declare(consumer, queue, "amq.topic", f"bench.{order.run}.cross")
    amqp.consume(consumer, queue, order.window)
    sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub")
    source = mqtt.MqttSource(sock, f"bench/{order.run}/cross", 0, order.size_bytes, order.window)
    source.publish(1)
    delivery_bytes = amqp.measure_delivery(consumer, order.size_bytes)
    return source, [amqp.AmqpDrain(consumer, delivery_bytes, order.size_bytes)]


def stomp_clients(order: Order) -> tuple[Source, list[Drain]]:
    destination = f"/queue/bench-{order.run}"
    consumer = stomp.connect(order.ports["stomp"])
    stomp.subscribe(consumer, destination, order.window)
    sock = stomp.connect(order.ports["stomp"])
    return stomp.StompSource(sock, destination, order.size_bytes, order.window), [stomp.StompDrain(consumer)]


def many_to_one(order: Order) -> Figures:
    prefix = f"bench/{order.run}"
    share = max(1, order.window // order.publishers)
    consumer = mqtt.connect(order.ports["mqtt"], f"{order.run}-sub")
    mqtt.subscribe(consumer, f"{prefix}/+", 1)
    drain = mqtt.MqttDrain(consumer, f"{prefix}/0000", 1, order.size_bytes)
    line: deque[QueuedSource] = deque()
    sources: list[QueuedSource] = []
    for number in range(order.publishers):
        sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub-{number}")
        sources.append(QueuedSource(sock, f"{prefix}/{number:04}", order.size_bytes, share, line))
    return fan_in(sources, drain, line, order.window, timing_of(order))


def sink(order: Order) -> dict[str, float]:
    """Publish at QoS 0 as fast as the other side reads."""
    sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub")
    source = mqtt.MqttSource(sock, "bench/sink/one", 0, order.size_bytes, order.window)
    source.sock.setblocking(True)
    started = time.monotonic()
    used = own_cpu_s()
    while time.monotonic() - started < order.seconds:
        source.sock.sendall(source.block)
        source.sent += 2 * order.window
    elapsed = time.monotonic() - started
    source.close()
    return {"value": source.sent / elapsed, "generator_busy": (own_cpu_s() - used) / elapsed}


def idle(order: Order) -> dict[str, float]:
    figures = open_idle(order.ports["mqtt"], order.connections, order.broker_pid)
    return {
        "value": figures.growth_bytes / figures.connections / 1024,
        "connects_per_s": figures.connections / figures.seconds,
        "connections": figures.connections,
    }


def rates(figures: Figures) -> dict[str, float]:
    return {
        "value": figures.messages / figures.seconds,
        "lost": figures.lost,
        "generator_busy": figures.generator_cpu_s / figures.seconds,
        "broker_busy": figures.broker_cpu_s / figures.seconds,
    }


def latencies(figures: Figures, samples: list[int]) -> dict[str, float]:
    """Return percentiles in milliseconds; p99 is the one for the table."""
    result = rates(figures)
    result["rate"] = result["value"]
    if not samples:
        raise WorkError("nothing arrived in the measured time")
    ordered = sorted(samples)
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        result[name] = ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6
    result["max_ms"] = ordered[-1] / 1e6
    result["value"] = result["p99_ms"]
    return result
