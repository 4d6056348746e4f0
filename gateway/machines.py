"""The protocols that a listener can speak. A new one is added here, and to `protocols.detect` if its start is its own."""

from typing import Final

from gateway.reactor import Machine
from protocols.amqp.connection import AmqpConnection
from protocols.mqtt.connection import MqttConnection
from protocols.stomp.connection import StompConnection

MACHINES: Final[dict[str, Machine]] = {
    "amqp": AmqpConnection,
    "mqtt": MqttConnection,
    "stomp": StompConnection,
}
