"""MQTT 3.1.1 by amqtt's client."""

import logging
from collections.abc import Mapping
from typing import Any

from amqtt.client import MQTTClient

from interop.broker import Endpoint
from interop.clients.background import on_loop
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Received
from interop.clients.mqtt_topic import mqtt_topic

logging.getLogger("amqtt").setLevel(logging.ERROR)  # it warns of every connection without TLS


class AmqttDriver(Driver):
    """Besides the common face: what only MQTT has, with its own words for topics."""

    name = "amqtt"
    protocol = "mqtt"

    def __init__(self, endpoint: Endpoint, client_id: str | None = None, *, clean: bool = True) -> None:
        super().__init__(endpoint)
        who = f"{endpoint.user}:{endpoint.password}@" if endpoint.named else ""
        self._uri = f"mqtt://{who}{endpoint.host}:{endpoint.ports['mqtt']}"
        self._client: Any = MQTTClient(client_id, {"auto_reconnect": False, "keep_alive": 60})
        on_loop(self._client.connect(self._uri, cleansession=clean))

    def subscribe(self, address: Address) -> None:
        assert self.subscribe_filter(mqtt_topic(address), qos=1) == 1

    def subscribe_filter(self, topic_filter: str, qos: int) -> int:
        """Return the granted QoS, or 0x80."""
        granted: list[int] = on_loop(self._client.subscribe([(topic_filter, qos)]))
        return granted[0]

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
        on_loop(self._client.publish(topic, body, qos=qos, retain=retain))

    def receive(self) -> Received:
        message = on_loop(self._client.deliver_message(ANSWER_LIMIT_S))
        assert message is not None, "the connection ended"
        said = {"qos": message.qos, "retain": message.retain}
        return Received(bytes(message.data), message.topic, {}, said, durable=message.qos > 0)

    def close(self) -> None:
        on_loop(self._client.disconnect())
