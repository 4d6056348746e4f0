"""The work items in which every client speaks MQTT."""

import time
from collections import deque
from typing import Final

from bench.load import mqtt
from bench.load.fan_in import QueuedSource, fan_in
from bench.load.filters import hold_filters
from bench.load.idle import open_idle
from bench.load.link import Drain, Source
from bench.load.loop import own_cpu_s
from bench.load.order import Order, Work, closed, paced, rates
from bench.load.retained import greet_in_turn
from bench.load.visits import Visitors, visit_in_turn


def qos0(order: Order) -> dict[str, float]:
    source, drains = one_topic(order, 0, 1)
    return closed(source, drains, order)


def qos1(order: Order) -> dict[str, float]:
    source, drains = one_topic(order, 1, 1)
    return closed(source, drains, order)


def lasting(order: Order) -> dict[str, float]:
    """Do the work of `qos1` with a subscriber whose session stays, and end that session."""
    source, drains = one_topic(order, 1, 1, clean=False)
    figures = closed(source, drains, order)
    mqtt.connect(order.ports["mqtt"], f"{order.run}-sub-0").close()
    return figures


def qos2(order: Order) -> dict[str, float]:
    source, drains = one_topic(order, 2, 1)
    return closed(source, drains, order)


def filters(order: Order) -> dict[str, float]:
    """Do the work of `qos0` beside subscriptions that match nothing."""
    holders = hold_filters(order.ports["mqtt"], order.run, order.others)
    figures = qos0(order)
    for sock in holders:
        sock.close()
    return figures


def fanout(order: Order) -> dict[str, float]:
    source, drains = one_topic(order, 0, order.subscribers)
    return closed(source, drains, order)


def latency(order: Order) -> dict[str, float]:
    source, drains = one_topic(order, 1, 1)
    return paced(source, drains[0], order)


def one_topic(order: Order, qos: int, subscribers: int, *, clean: bool = True) -> tuple[Source, list[Drain]]:
    """Connect a publisher and subscribers of its topic, whose sessions stay without `clean`."""
    topic = f"bench/{order.run}/one"
    drains: list[Drain] = []
    for number in range(subscribers):
        sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-sub-{number}", clean=clean)
        mqtt.subscribe(sock, topic, qos)
        if qos == 2:
            drains.append(mqtt.MqttExactDrain(sock, topic, order.size_bytes))
        else:
            drains.append(mqtt.MqttDrain(sock, topic, qos, order.size_bytes))
    sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub")
    return mqtt.MqttSource(sock, topic, qos, order.size_bytes, order.window), drains


def many_to_one(order: Order) -> dict[str, float]:
    prefix = f"bench/{order.run}"
    share = max(1, order.window // order.publishers)
    consumer = mqtt.connect(order.ports["mqtt"], f"{order.run}-sub")
    mqtt.subscribe(consumer, f"{prefix}/+", 1)
    drain = mqtt.MqttDrain(consumer, f"{prefix}/0000", 1, order.size_bytes)
    line: deque[Source] = deque()
    sources: list[Source] = []
    for number in range(order.publishers):
        sock = mqtt.connect(order.ports["mqtt"], f"{order.run}-pub-{number}")
        sources.append(QueuedSource(sock, f"{prefix}/{number:04}", order.size_bytes, share, line))
    return rates(fan_in(sources, drain, line, order.window, order.timing()))


def retained(order: Order) -> dict[str, float]:
    run = greet_in_turn(order.ports["mqtt"], order.run, order.retained, order.size_bytes, order.timing())
    return {"value": run.messages / run.seconds}


def visits(order: Order) -> dict[str, float]:
    visitors = Visitors(order.ports["mqtt"], order.run, order.visitors)
    return rates(visit_in_turn(visitors, order.timing()))


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


WORK: Final[dict[str, Work]] = {
    "mqtt-qos0": qos0,
    "mqtt-qos1": qos1,
    "mqtt-qos1-lasting": lasting,
    "mqtt-qos2": qos2,
    "mqtt-qos0-fanout": fanout,
    "mqtt-qos1-fanin": many_to_one,
    "mqtt-qos1-latency": latency,
    "mqtt-filters": filters,
    "mqtt-retained": retained,
    "mqtt-visits": visits,
    "idle": idle,
    "sink": sink,
}
