"""Many subscriptions that match nothing of what is published, as a house full of devices has them.

Half are plain topics and half have wildcards. All lie in the tree that the publisher uses and begin as its topic does,
so that a broker has to go into the tree to find that they do not match.
"""

import socket
from collections.abc import Iterator
from typing import Final

from bench.load import mqtt, mqtt_frames
from bench.load.link import WorkError, read_exactly

HOLDERS: Final = 5  # connections; 20,000 filters each is far below any broker's limit on one session
FILTERS_OF_A_PACKET: Final = 500
FLOORS: Final = 20
ROOMS: Final = 25
READINGS: Final = ("temperature", "humidity", "power", "presence")


def plain_and_wild(prefix: str, count: int) -> Iterator[str]:
    """Yield `count` different filters: topics of devices, then five kinds of wildcards over the same devices."""
    for number in range(count // 2):
        device, reading = divmod(number, len(READINGS))
        room, floor = device % ROOMS, device // ROOMS % FLOORS
        yield f"{prefix}/floor-{floor}/room-{room}/device-{device}/{READINGS[reading]}"
    for number in range(count - count // 2):
        device, kind = divmod(number, 5)
        room, floor = device % ROOMS, device // ROOMS % FLOORS
        if kind == 0:
            yield f"{prefix}/floor-{floor}/room-{room}/device-{device}/+"
        elif kind == 1:
            yield f"{prefix}/floor-{floor}/+/device-{device}/power"
        elif kind == 2:
            yield f"{prefix}/+/room-{room}/device-{device}/#"
        elif kind == 3:
            yield f"{prefix}/+/+/device-{device}/temperature"
        else:
            yield f"+/+/floor-{floor}/room-{room}/device-{device}/#"


def hold_filters(port: int, run: str, count: int) -> list[socket.socket]:
    """Subscribe to `count` filters on a handful of connections, and return those."""
    holders = [mqtt.connect(port, f"{run}-filters-{number}") for number in range(HOLDERS)]
    waiting: list[str] = []
    packets = 0
    for topic_filter in plain_and_wild(f"bench/{run}", count):
        waiting.append(topic_filter)
        if len(waiting) == FILTERS_OF_A_PACKET:
            subscribe_all(holders[packets % HOLDERS], waiting)
            waiting = []
            packets += 1
    if waiting:
        subscribe_all(holders[packets % HOLDERS], waiting)
    return holders


def subscribe_all(sock: socket.socket, filters: list[str]) -> None:
    content = b"\x00\x01" + b"".join(mqtt_frames.text(one) + b"\x00" for one in filters)
    sock.sendall(mqtt_frames.packet(mqtt_frames.SUBSCRIBE, content))
    wanted = mqtt_frames.packet(mqtt_frames.SUBACK, b"\x00\x01" + b"\x00" * len(filters))
    answer = read_exactly(sock, len(wanted))
    if answer != wanted:
        raise WorkError(f"SUBSCRIBE was answered {answer[:80]!r}")
