"""Between a PUBLISH packet of MQTT 3.1.1 and the core's message, both ways; `translate5` does it for MQTT 5.0.

MQTT 3.1.1 has a topic, a QoS, a retain flag and a body. What else a message of another protocol says is lost on the
way, and counted under the reasons of docs/conversions.md each time that a packet is made of it.
"""

from core.counters import Counters
from core.model.message import FOR_MQTT, Address, Message
from core.model.properties import NO_PROPERTIES
from protocols.mqtt.frames import BYTE, PUBLISH, RETAIN, encode_length
from protocols.mqtt.topics import UNSAYABLE, topic_field


def to_core(address: Address, body: bytes, qos: int) -> Message:
    """Return the message of a PUBLISH."""
    return Message(address, body, qos, NO_PROPERTIES)


def from_core(message: Message, counters: Counters) -> bytes:
    """Return the message as a PUBLISH of QoS 0, or nothing when its key is no topic. Kept for the next to ask."""
    if message.encoded_for == FOR_MQTT:
        return message.encoded
    frame = publish_at_most_once(message, topic_field(message.address), counters)
    if frame:
        message.encoded = frame
        message.encoded_for = FOR_MQTT
    return frame


def publish_at_most_once(message: Message, field: bytes, counters: Counters) -> bytes:
    """Return the message as a PUBLISH of QoS 0 with a topic, or nothing when that is none."""
    if field == UNSAYABLE:
        return b""
    if message.native is not NO_PROPERTIES:
        count_losses(message, counters)
    body = message.body
    first = PUBLISH | RETAIN if message.retained else PUBLISH
    return BYTE[first] + encode_length(len(field) + len(body)) + field + body


def publish_header(first: int, field: bytes, message: Message, packet_id: int, counters: Counters) -> bytes:
    """Return what stands before the body in a PUBLISH of QoS 1 or 2 with a topic, which must be one."""
    if message.native is not NO_PROPERTIES:
        count_losses(message, counters)
    length = encode_length(len(field) + 2 + len(message.body))
    return BYTE[first] + length + field + BYTE[packet_id >> 8] + BYTE[packet_id & 0xFF]


def count_losses(message: Message, counters: Counters) -> None:
    """Count what the message says and MQTT 3.1.1 cannot."""
    properties = message.properties
    if properties.headers:
        counters.lose("headers", len(properties.headers))
    if properties.content_type is not None:
        counters.lose("content_type")
    if properties.content_encoding is not None:
        counters.lose("content_encoding")
    if properties.priority is not None:
        counters.lose("priority")
    if properties.correlation_id is not None:
        counters.lose("correlation_id")
    if properties.reply_to is not None or properties.reply_to_topic is not None:
        counters.lose("reply_to")
    if properties.expiration_ms is not None:
        counters.lose("expiration")
    if properties.message_id is not None:
        counters.lose("message_id")
    if properties.timestamp_s is not None:
        counters.lose("timestamp")
    if properties.type is not None:
        counters.lose("type")
    if properties.user_id is not None:
        counters.lose("user_id")
    if properties.app_id is not None:
        counters.lose("app_id")
