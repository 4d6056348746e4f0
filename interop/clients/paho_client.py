"""MQTT 3.1.1 by paho-mqtt, which reads on a thread of its own."""

import itertools
import queue
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Received
from interop.clients.mqtt_topic import mqtt_topic

_numbers: Final = itertools.count()


@dataclass(frozen=True)
class Will:
    topic: str
    body: bytes
    qos: int = 0
    retain: bool = False


class PahoDriver(Driver):
    """Besides the common face: what only MQTT has, with its own words for topics."""

    name = "paho-mqtt"
    protocol = "mqtt"
    transport: Literal["tcp", "websockets"] = "tcp"
    port = "mqtt"  # of the endpoint

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str = "",
        *,
        clean: bool = True,
        will: Will | None = None,
        keep_alive_s: int = 60,
    ) -> None:
        super().__init__(endpoint)
        self.session_present = False
        self.granted: list[int] = []
        self.closed = threading.Event()
        self._answers: queue.Queue[object] = queue.Queue()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or f"paho-{next(_numbers)}",
            clean_session=clean,
            transport=self.transport,
            reconnect_on_failure=False,
        )
        if endpoint.named:
            self._client.username_pw_set(endpoint.user, endpoint.password)
        if will is not None:
            self._client.will_set(will.topic, will.body, will.qos, will.retain)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrived
        self._client.on_subscribe = self._subscribed
        self._client.on_unsubscribe = self._unsubscribed
        self._client.connect(endpoint.host, endpoint.ports[self.port], keep_alive_s)
        self._client.loop_start()
        code = self._answer()
        assert code == 0, f"connection refused: {code}"

    def subscribe(self, address: Address) -> None:
        assert self.subscribe_filter(mqtt_topic(address), qos=1) == 1

    def subscribe_filter(self, topic_filter: str, qos: int) -> int:
        """Return the granted QoS, or 0x80."""
        self._client.subscribe(topic_filter, qos)
        self._answer()
        return self.granted[0]

    def unsubscribe(self, topic_filter: str) -> None:
        self._client.unsubscribe(topic_filter)
        self._answer()

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        assert not headers, "MQTT 3.1.1 has no headers"
        assert not properties, "MQTT 3.1.1 has no properties"
        self.publish_topic(mqtt_topic(address), body, qos=1 if durable else 0)

    def publish_topic(self, topic: str, body: bytes, qos: int = 0, *, retain: bool = False) -> None:
        """Publish and wait for the end of the QoS exchange; QoS 0 ends in the socket."""
        info = self._client.publish(topic, body, qos, retain)
        info.wait_for_publish(ANSWER_LIMIT_S)
        assert info.is_published(), f"no answer to the publish of {topic!r}"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """Close the socket without a DISCONNECT."""
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _answer(self) -> object:
        return self._answers.get(timeout=ANSWER_LIMIT_S)

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        del client, data, properties
        self.session_present = bool(flags.session_present)
        self._answers.put(reason.value)

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        del client, data, flags, reason, properties
        self.closed.set()

    def _subscribed(self, client: Any, data: Any, number: Any, reasons: Any, properties: Any) -> None:
        del client, data, properties
        self.granted = [reason.value for reason in reasons]
        self._answers.put(number)

    def _unsubscribed(self, client: Any, data: Any, number: Any, reasons: Any, properties: Any) -> None:
        del client, data, reasons, properties
        self._answers.put(number)

    def _arrived(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        del client, data
        said = {"qos": message.qos, "retain": message.retain, "dup": message.dup}
        self.inbox.put(Received(bytes(message.payload), message.topic, {}, said, durable=message.qos > 0))
