"""The headers of JMS, and where a message of this broker has them.

What was not said in the protocol's own way may stand in a header of that name: so do the clients of JMS over AMQP 0-9-1.
"""

from typing import Final

from core.model.destination import Destination, formatted
from core.model.message import Message
from core.model.names import DEFAULT_EXCHANGE, TOPIC_SPACE
from core.model.properties import Properties, Value
from core.routing.selector.expressions import Identifier
from core.routing.selector.values import known

DEFAULT_PRIORITY: Final = 4  # JMS 2.0 §3.4.10: of a message that says nothing

HEADERS: Final = (
    "JMSCorrelationID",
    "JMSDeliveryMode",
    "JMSDestination",
    "JMSExpiration",
    "JMSMessageID",
    "JMSPriority",
    "JMSReplyTo",
    "JMSTimestamp",
    "JMSType",
    "JMSXUserID",
)
# They belong to a delivery, not to the message; JMS 2.0 §3.8.1.1 does not allow them in a selector.
OF_DELIVERIES: Final = frozenset({"JMSRedelivered", "JMSXDeliveryCount"})


class JmsHeader(Identifier):
    """One of `HEADERS`."""

    def value(self, message: Message, said: Properties) -> Value:
        value = _stated(self.name, message, said)
        if value is None:
            value = known(said.headers.get(self.name))
            if value is None and self.name == "JMSPriority":
                return DEFAULT_PRIORITY
        return value


def _stated(name: str, message: Message, said: Properties) -> Value:
    if name == "JMSDeliveryMode":
        return "PERSISTENT" if message.qos else "NON_PERSISTENT"
    if name == "JMSPriority":
        return said.priority
    if name == "JMSType":
        return said.type
    if name == "JMSMessageID":
        return said.message_id
    if name == "JMSCorrelationID":
        return _text(said.correlation_id)
    if name == "JMSTimestamp":
        return None if said.timestamp_s is None else said.timestamp_s * 1_000
    if name == "JMSExpiration":
        return _expiration_ms(said)
    if name == "JMSDestination":
        return formatted(Destination(message.address.exchange, message.address.key))
    if name == "JMSReplyTo":
        return _reply_to(said)
    return said.user_id


def _text(value: str | bytes | None) -> str | None:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _expiration_ms(said: Properties) -> int | None:
    """Return when the message expires, in milliseconds since the epoch; 0 for never."""
    if said.expiration_ms is None:
        return 0
    return None if said.timestamp_s is None else said.timestamp_s * 1_000 + said.expiration_ms


def _reply_to(said: Properties) -> str | None:
    if said.reply_to is not None:
        return formatted(Destination(DEFAULT_EXCHANGE, said.reply_to))
    return None if said.reply_to_topic is None else formatted(Destination(TOPIC_SPACE, said.reply_to_topic))
