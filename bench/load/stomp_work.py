"""The work items in which every client speaks STOMP."""

from typing import Final

from bench.load import stomp
from bench.load.link import Drain, Source
from bench.load.order import Order, Work, closed, paced


def client_ack(order: Order) -> dict[str, float]:
    source, drains = one_queue(order)
    return closed(source, drains, order)


def latency(order: Order) -> dict[str, float]:
    source, drains = one_queue(order)
    return paced(source, drains[0], order)


def receipts(order: Order) -> dict[str, float]:
    """Do the work of `client_ack` with a receipt for each message."""
    destination = f"/queue/bench-{order.run}"
    consumer = stomp.connect(order.ports["stomp"])
    stomp.subscribe(consumer, destination, order.window)
    sock = stomp.connect(order.ports["stomp"])
    source = stomp.StompReceiptSource(sock, destination, order.size_bytes, order.window)
    return closed(source, [stomp.StompDrain(consumer)], order)


def durable(order: Order) -> dict[str, float]:
    """Do the work of `receipts` with persistent messages, in a queue that STOMP makes durable."""
    destination = f"/queue/bench-{order.run}"
    consumer = stomp.connect(order.ports["stomp"])
    stomp.subscribe(consumer, destination, order.window)
    sock = stomp.connect(order.ports["stomp"])
    source = stomp.StompReceiptSource(sock, destination, order.size_bytes, order.window, "persistent:true\n")
    return closed(source, [stomp.StompDrain(consumer)], order)


def fanout(order: Order) -> dict[str, float]:
    destination = f"/topic/bench-{order.run}"
    drains: list[Drain] = []
    for _ in range(order.subscribers):
        sock = stomp.connect(order.ports["stomp"])
        stomp.subscribe(sock, destination, order.window, ack="auto")
        drains.append(stomp.StompTopicDrain(sock))
    sock = stomp.connect(order.ports["stomp"])
    return closed(stomp.StompSource(sock, destination, order.size_bytes, order.window), drains, order)


def consumers(order: Order) -> dict[str, float]:
    """Share a queue among consumers that take whatever comes."""
    return share_queue(order, "")


def selectors(order: Order) -> dict[str, float]:
    """Share a queue among consumers of which each selects a group of the messages."""
    return share_queue(order, "grp = 'g{number:03}'")


def share_queue(order: Order, selector: str) -> dict[str, float]:
    """Send messages of as many groups as there are consumers, one after the other."""
    destination = f"/queue/bench-{order.run}"
    drains: list[Drain] = []
    for number in range(order.consumers):
        sock = stomp.connect(order.ports["stomp"])
        stomp.subscribe(sock, destination, order.window, selector=selector.format(number=number))
        drains.append(stomp.StompDrain(sock))
    sock = stomp.connect(order.ports["stomp"])
    headers = [f"grp:g{number:03}\n" for number in range(order.consumers)]
    source = stomp.StompSource(sock, destination, order.size_bytes, order.window, headers)
    return closed(source, drains, order, competing=True)


def one_queue(order: Order) -> tuple[Source, list[Drain]]:
    """Connect a publisher and a subscriber of its queue."""
    destination = f"/queue/bench-{order.run}"
    consumer = stomp.connect(order.ports["stomp"])
    stomp.subscribe(consumer, destination, order.window)
    sock = stomp.connect(order.ports["stomp"])
    return stomp.StompSource(sock, destination, order.size_bytes, order.window), [stomp.StompDrain(consumer)]


WORK: Final[dict[str, Work]] = {
    "stomp-client-ack": client_ack,
    "stomp-receipt": receipts,
    "stomp-durable": durable,
    "stomp-fanout": fanout,
    "stomp-consumers": consumers,
    "stomp-selectors": selectors,
    "stomp-latency": latency,
}
