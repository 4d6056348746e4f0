"""Publishers that keep a few messages under way until their connection breaks: pika, paho-mqtt and stomp.py."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as paho
import pika
import stomp
from paho.mqtt.enums import CallbackAPIVersion
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from interop.broker import Endpoint
from interop.crash.ledger import Ledger

UNDER_WAY: Final = 64  # publishes without a confirm, for each client that need not wait for each
POLL_S: Final = 0.05

QUEUES: Final = ("crash-amqp", "crash-mqtt", "crash-stomp")
MQTT_TOPIC: Final = "crash/mqtt"
SESSION_TOPIC: Final = "crash/session"

logging.getLogger("stomp.py").setLevel(logging.CRITICAL)  # it tells of each connection that breaks, as all do here

Publish = Callable[[Endpoint, Ledger, str, threading.Event], None]


def declare(channel: BlockingChannel) -> None:
    """Declare what the messages go to."""
    for queue in QUEUES:
        channel.queue_declare(queue, durable=True)
    channel.queue_bind("crash-mqtt", "amq.topic", "crash.mqtt")


def _has_room(room: threading.Semaphore, stop: threading.Event) -> bool:
    """Wait until another message may be under way, or it is time to stop: a broker that is dead confirms none."""
    while not stop.is_set():
        if room.acquire(timeout=POLL_S):
            return True
    return False


def over_amqp(endpoint: Endpoint, ledger: Ledger, prefix: str, stop: threading.Event) -> None:
    """Publish through pika, one transaction or confirm at a time, in turn."""
    with suppress(AMQPError, OSError):
        connection = pika.BlockingConnection(pika.ConnectionParameters(endpoint.host, endpoint.ports["amqp"]))
        confirming, transacting = connection.channel(), connection.channel()
        confirming.confirm_delivery()
        transacting.tx_select()
        persistent = pika.BasicProperties(delivery_mode=2)
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{prefix}-amqp-{number}"
            ledger.attempt(name)
            confirming.basic_publish("", "crash-amqp", name.encode(), persistent)
            ledger.confirm(name)
            names = [f"{prefix}-tx-{number}-{part}" for part in range(3)]
            for name in names:
                ledger.attempt(name)
                transacting.basic_publish("", "crash-amqp", name.encode(), persistent)
            transacting.tx_commit()
            for name in names:
                ledger.confirm(name)
        connection.close()


def over_mqtt(endpoint: Endpoint, ledger: Ledger, prefix: str, stop: threading.Event) -> None:
    """Publish through paho at QoS 1 to a queue."""
    _over_mqtt(endpoint, ledger, f"{prefix}-mqtt", MQTT_TOPIC, stop)


def to_a_session(endpoint: Endpoint, ledger: Ledger, prefix: str, stop: threading.Event) -> None:
    """Publish through paho at QoS 1 to a persistent session."""
    _over_mqtt(endpoint, ledger, f"{prefix}-session", SESSION_TOPIC, stop)


def _over_mqtt(endpoint: Endpoint, ledger: Ledger, prefix: str, topic: str, stop: threading.Event) -> None:
    """Have many messages under way."""
    room = threading.Semaphore(UNDER_WAY)
    names: dict[int, str] = {}
    early: set[int] = set()
    lock = threading.Lock()
    client = paho.Client(CallbackAPIVersion.VERSION2, f"{prefix}-publisher", reconnect_on_failure=False)
    client.max_inflight_messages_set(UNDER_WAY)

    def published(_client: Any, _data: Any, mid: int, *_: Any) -> None:
        with lock:
            name = names.pop(mid, None)
            if name is None:
                early.add(mid)
        if name is not None:
            ledger.confirm(name)
        room.release()

    client.on_publish = published
    try:
        client.connect(endpoint.host, endpoint.ports["mqtt"])
    except OSError:
        return
    client.loop_start()
    number = 0
    while _has_room(room, stop):
        number += 1
        name = f"{prefix}-{number}"
        ledger.attempt(name)
        info = client.publish(topic, name.encode(), qos=1)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            break
        with lock:
            known = info.mid in early
            if known:
                early.discard(info.mid)
            else:
                names[info.mid] = name
        if known:
            ledger.confirm(name)
    client.disconnect()
    client.loop_stop()


class _Receipts(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self, ledger: Ledger, room: threading.Semaphore) -> None:
        self._ledger = ledger
        self._room = room

    def on_receipt(self, frame: Any) -> None:
        name = frame.headers["receipt-id"]
        if "-stomp-" in name:  # else it is that of DISCONNECT, which the library has made
            self._ledger.confirm(name)
            self._room.release()


def over_stomp(endpoint: Endpoint, ledger: Ledger, prefix: str, stop: threading.Event) -> None:
    """Publish through stomp.py with a receipt for each message, many under way."""
    room = threading.Semaphore(UNDER_WAY)
    listeners = [(endpoint.host, endpoint.ports["stomp"])]
    connection = stomp.Connection12(listeners, vhost="/", reconnect_attempts_max=1)  # it asks for the host's name else
    connection.set_listener("receipts", _Receipts(ledger, room))
    with suppress(stomp.exception.StompException, OSError):
        connection.connect(endpoint.user, endpoint.password, wait=True)
        number = 0
        while _has_room(room, stop):
            number += 1
            name = f"{prefix}-stomp-{number}"
            ledger.attempt(name)
            connection.send("/queue/crash-stomp", name, persistent="true", receipt=name)
        connection.disconnect()


PUBLISHERS: Final[dict[str, Publish]] = {
    "amqp": over_amqp,
    "mqtt": over_mqtt,
    "mqtt to a session": to_a_session,
    "stomp": over_stomp,
}
