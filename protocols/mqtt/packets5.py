"""The rare packets of MQTT 5.0: SUBSCRIBE, UNSUBSCRIBE, acknowledgements, DISCONNECT in; CONNACK, SUBACK, … out.

`decode_…` gets the bytes behind the fixed header and raises a PeerError, as in `packets`.
"""

from typing import Final

from protocols.mqtt.errors import DISCONNECT_WITH_WILL, FAILURE, Forbidden, Malformed
from protocols.mqtt.frames import AUTH, BYTE, DISCONNECT, encode_length, two_bytes
from protocols.mqtt.packets import Subscribe, Unsubscribe, read_filter
from protocols.mqtt.properties import (
    AUTHENTICATION_DATA,
    AUTHENTICATION_METHOD,
    IN_ACK,
    IN_AUTH,
    IN_DISCONNECT,
    IN_SUBSCRIBE,
    IN_UNSUBSCRIBE,
    NONE,
    REASON_STRING,
    SUBSCRIPTION_IDENTIFIER,
    PropertySet,
    field,
    read_properties,
)
from protocols.mqtt.reader import Reader

# Subscription options (§3.8.3.1).
QOS: Final = 0x03
NO_LOCAL: Final = 0x04
RETAIN_AS_PUBLISHED: Final = 0x08
RETAIN_HANDLING: Final = 0x30
RETAIN_IF_NEW: Final = 0x10
RETAIN_NEVER: Final = 0x20
RESERVED: Final = 0xC0

# Reason codes of AUTH (§3.15.2.1).
AUTH_GO_ON: Final = 0x18
AUTH_AGAIN: Final = 0x19

REASON_LIMIT_BYTES: Final = 1_024  # of a reason string


class Auth:
    """The AUTH packet (§3.15). Without a method, which must be there, the `method` is empty, which is none."""

    def __init__(self, code: int, method: str, data: bytes | None) -> None:
        self.code = code
        self.method = method
        self.data = data


class Disconnect:
    """The DISCONNECT packet (§3.14)."""

    def __init__(self, code: int, properties: PropertySet) -> None:
        self.code = code
        self.properties = properties

    @property
    def with_will(self) -> bool:
        """Whether the will is to be published all the same: any code but 0 [MQTT-3.14.4-3]."""
        return self.code >= FAILURE or self.code == DISCONNECT_WITH_WILL


def decode_subscribe(data: bytes) -> Subscribe:
    """Decode SUBSCRIBE."""
    reader = Reader("SUBSCRIBE", data)
    packet_id = reader.packet_id()
    properties = read_properties(reader.block(), IN_SUBSCRIBE)
    filters: list[tuple[str, int]] = []
    while not reader.finished:
        topic_filter = read_filter(reader)
        options = reader.byte()
        if options & RESERVED or options & QOS == 3:
            raise Malformed("SUBSCRIBE with reserved bits or QoS 3 [MQTT-3.8.3-5]")
        if options & RETAIN_HANDLING == RETAIN_HANDLING:
            raise Malformed("SUBSCRIBE with retain handling 3 (§3.8.3.1)")
        if options & NO_LOCAL and topic_filter.startswith("$share/"):
            raise Forbidden("SUBSCRIBE to a shared subscription with No Local [MQTT-3.8.3-4]")
        filters.append((topic_filter, options))
    if not filters:
        raise Malformed("SUBSCRIBE without a topic filter [MQTT-3.8.3-2]")
    return Subscribe(packet_id, filters, properties.number(SUBSCRIPTION_IDENTIFIER, 0))


def decode_unsubscribe(data: bytes) -> Unsubscribe:
    """Decode UNSUBSCRIBE."""
    reader = Reader("UNSUBSCRIBE", data)
    packet_id = reader.packet_id()
    read_properties(reader.block(), IN_UNSUBSCRIBE)
    filters: list[str] = []
    while not reader.finished:
        filters.append(read_filter(reader))
    if not filters:
        raise Malformed("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(packet_id, filters)


def decode_ack(data: bytes, allowed: frozenset[int]) -> tuple[int, int]:
    """Decode PUBACK, PUBREC, PUBREL or PUBCOMP: return packet id and reason code, which may be left out (§3.4.2.1)."""
    reader = Reader("acknowledgement", data)
    packet_id = reader.number()
    if packet_id == 0:
        raise Forbidden("acknowledgement of packet id 0 [MQTT-2.2.1-3]")
    if reader.finished:
        return packet_id, 0
    code = reader.byte()
    if code not in allowed:
        raise Forbidden(f"acknowledgement with reason code 0x{code:02x}, which it does not have")
    if not reader.finished:
        read_properties(reader.block(), IN_ACK)
        reader.finish()
    return packet_id, code


def decode_disconnect(data: bytes) -> Disconnect:
    """Decode DISCONNECT. Whatever its reason code is, the client leaves."""
    reader = Reader("DISCONNECT", data)
    if reader.finished:
        return Disconnect(0, NONE)
    code = reader.byte()
    properties = NONE
    if not reader.finished:
        properties = read_properties(reader.block(), IN_DISCONNECT)
        reader.finish()
    return Disconnect(code, properties)


def decode_auth(data: bytes) -> Auth:
    """Decode AUTH (§3.15)."""
    reader = Reader("AUTH", data)
    code = 0
    said = NONE
    if not reader.finished:
        code = reader.byte()
        if not reader.finished:
            said = read_properties(reader.block(), IN_AUTH)
            reader.finish()
    return Auth(code, said.texts.get(AUTHENTICATION_METHOD, ""), said.binaries.get(AUTHENTICATION_DATA))


def reason(text: str) -> bytes:
    """Encode a reason string; it is cut rather than left out when it is very long."""
    raw = text.encode("utf-8", "replace").replace(b"\0", b"?")[:REASON_LIMIT_BYTES]
    return field(REASON_STRING, raw.decode("utf-8", "ignore").encode())


def encode_connack(code: int, properties: bytes, *, session_present: bool) -> bytes:
    """Encode CONNACK (§3.2)."""
    payload = (b"\x01" if session_present else b"\x00") + BYTE[code] + encode_length(len(properties)) + properties
    return b"\x20" + encode_length(len(payload)) + payload


def encode_ack(first: int, packet_id: int, code: int, properties: bytes) -> bytes:
    """Encode PUBACK, PUBREC, PUBREL or PUBCOMP in the shortest form (§3.4.2.1)."""
    if not code and not properties:
        return BYTE[first] + b"\x02" + two_bytes(packet_id)
    if not properties:
        return BYTE[first] + b"\x03" + two_bytes(packet_id) + BYTE[code]
    payload = two_bytes(packet_id) + BYTE[code] + encode_length(len(properties)) + properties
    return BYTE[first] + encode_length(len(payload)) + payload


def encode_codes(first: int, packet_id: int, codes: list[int], properties: bytes) -> bytes:
    """Encode SUBACK or UNSUBACK, one code for each filter in order [MQTT-3.9.3-1], [MQTT-3.11.3-1]."""
    payload = two_bytes(packet_id) + encode_length(len(properties)) + properties + bytes(codes)
    return BYTE[first] + encode_length(len(payload)) + payload


def encode_disconnect(code: int, properties: bytes) -> bytes:
    """Encode DISCONNECT (§3.14)."""
    if not properties:
        return BYTE[DISCONNECT] + b"\x01" + BYTE[code]
    payload = BYTE[code] + encode_length(len(properties)) + properties
    return BYTE[DISCONNECT] + encode_length(len(payload)) + payload


def encode_auth(code: int, properties: bytes) -> bytes:
    """Encode AUTH (§3.15)."""
    payload = BYTE[code] + encode_length(len(properties)) + properties
    return BYTE[AUTH] + encode_length(len(payload)) + payload
