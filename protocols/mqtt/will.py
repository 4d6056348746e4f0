"""The will: a message that the client left to be published should it go without a good-bye (MQTT 3.1.1 §3.1.2.5)."""

from core.client import Client
from core.model.errors import BrokerError
from core.model.names import TOPIC_SPACE
from protocols.connection import Connection
from protocols.mqtt.packets import WillFields
from protocols.mqtt.publishing import retain
from protocols.mqtt.topics import check_publishable, topic_to_key
from protocols.mqtt.translate import to_core


class Will:
    """A will whose topic is valid."""

    def __init__(self, fields: WillFields, key: str) -> None:
        self._fields = fields
        self._key = key

    def publish(self, connection: Connection, client: Client) -> None:
        """Publish the will; what its client may do is asked now, for much can have changed since it was left."""
        fields = self._fields
        try:
            check_publishable(self._key)
            target = client.target(TOPIC_SPACE, self._key)
        except BrokerError as error:
            client.counters.drop("denied")
            connection.outlet.note("will denied", error.text)
            return
        message = to_core(target.address, fields.body, fields.qos)
        client.publish(target.exchange, message, None, 0)
        if fields.retain:  # [MQTT-3.1.2-16], [MQTT-3.1.2-17]
            retain(connection, client, message)


def accept_will(fields: WillFields | None) -> Will | None:
    """Check the topic of a will; a PeerError or Limit when it is none."""
    return Will(fields, topic_to_key(fields.topic)) if fields is not None else None
