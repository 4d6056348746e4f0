"""The protocols that a listener can speak. A new one is added here, and to `protocols.detect` if its start is its own."""

from core.broker import Broker
from gateway.config import Config
from gateway.origins import Origins
from gateway.reactor import Machine
from gateway.websocket_opening import WEBSOCKET, WebSocketOpening
from protocols.amqp.connection import AmqpConnection
from protocols.amqp.handshake import Offer
from protocols.connection import Connection, Outlet, Peer
from protocols.mqtt.connection import MqttConnection
from protocols.stomp.connection import StompConnection
from protocols.stomp.dialect import DIALECTS, RABBITMQ


def machines(config: Config, origins: Origins, stomp_dialect: str = RABBITMQ.name) -> dict[str, Machine]:
    """Return what makes the machine of each protocol, as the configuration wants them.

    `origins`: the web pages that may open a WebSocket.
    """
    offer = Offer(
        channel_max=config.amqp.channel_max,
        frame_max=config.amqp.frame_max,
        heartbeat_s=config.amqp.heartbeat,
        anonymous=bool(config.anonymous),
    )

    def amqp(broker: Broker, outlet: Outlet, peer: Peer) -> Connection:
        return AmqpConnection(broker, outlet, peer, offer)

    dialect = next(dialect for dialect in DIALECTS if dialect.name == stomp_dialect)

    def stomp(broker: Broker, outlet: Outlet, peer: Peer) -> Connection:
        return StompConnection(broker, outlet, peer, dialect)

    inside: dict[str, Machine] = {"amqp": amqp, "mqtt": MqttConnection, "stomp": stomp}

    def websocket(broker: Broker, outlet: Outlet, peer: Peer) -> Connection:
        return WebSocketOpening(broker, outlet, peer, origins, inside)

    return {**inside, WEBSOCKET: websocket}
