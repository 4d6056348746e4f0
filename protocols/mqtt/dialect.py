"""What a version of MQTT says and how it reads what its clients say: one object for each connection.

The machine, sessions and deliveries speak through it and know of no version. This file is MQTT 3.1.1, which 3.1 differs
from in one answer; `dialect5` is MQTT 5.0. Codes are reason codes; 3.1.1 says those that it has a word for.
"""

from typing import Final

from core.counters import Counters
from core.model.message import FOR_MQTT, Message
from protocols.mqtt.errors import (
    BAD_CREDENTIALS,
    CLIENT_ID_NOT_VALID,
    FAILURE,
    NOT_AUTHORIZED,
    UNSUPPORTED_VERSION,
    Forbidden,
    Malformed,
)
from protocols.mqtt.frames import (
    BYTE,
    DUP,
    PUBLISH,
    PUBREL,
    PUBREL_START,
    RETAIN,
    SUBSCRIBE,
    UNSUBSCRIBE,
)
from protocols.mqtt.packets import (
    V3_1,
    V3_1_1,
    Connect,
    Subscribe,
    Unsubscribe,
    decode_subscribe,
    decode_unsubscribe,
    encode_connack,
    encode_suback,
    encode_unsuback,
)
from protocols.mqtt.packets5 import Auth, Disconnect
from protocols.mqtt.properties import NONE
from protocols.mqtt.subscription import Grant
from protocols.mqtt.topics import topic_field
from protocols.mqtt.translate import from_core, publish_at_most_once, publish_header

SERVER_UNAVAILABLE: Final = 3
RETURN_CODES: Final = {UNSUPPORTED_VERSION: 1, CLIENT_ID_NOT_VALID: 2, BAD_CREDENTIALS: 4, NOT_AUTHORIZED: 5}

MARKED_SENT_AGAIN: Final = (PUBREL | DUP, SUBSCRIBE | DUP, UNSUBSCRIBE | DUP)


class Terms:
    """What a CONNECT is answered with when it is accepted."""

    def __init__(self) -> None:
        self.session_present = False
        self.session_expiry_s = -1  # where it is not what the client asked for; -1 says nothing
        self.keep_alive_s = -1  # the same
        self.assigned_client_id = ""
        self.packet_limit_bytes = 0  # of a whole packet from the client
        self.authentication = b""  # properties that end an exchange of AUTH packets


class Dialect:
    """MQTT 3.1.1, or 3.1."""

    def __init__(self, level: int, counters: Counters) -> None:
        self.level = level
        self.counters = counters
        self.explains = False  # whether acknowledgements may say why in words
        self.shares = FOR_MQTT  # whose frames of QoS 0 may go to this client as they are (`Message.encoded_for`)

    def heed(self, connect: Connect) -> None:
        """Take what the client asks of what is said to it."""

    # What the client says

    def first_byte(self, first: int) -> int:
        """Return the first byte of a packet without the flags that mean nothing."""
        if self.level == V3_1 and first in MARKED_SENT_AGAIN:
            return first & ~DUP  # MQTT 3.1 §2.1 lets a client mark these as sent again; 3.1.1 does not
        return first

    def read_ack(self, first: int, data: bytes) -> tuple[int, int]:
        """Return packet id and reason code of an acknowledgement."""
        if len(data) != 2:
            raise Malformed(f"acknowledgement of type {first >> 4} and {len(data)} bytes")
        packet_id = data[0] << 8 | data[1]
        if packet_id == 0:
            raise Malformed("acknowledgement of packet id 0 [MQTT-2.3.1-1]")
        return packet_id, 0

    def read_subscribe(self, data: bytes) -> Subscribe:
        """Return a SUBSCRIBE."""
        return decode_subscribe(data)

    def read_unsubscribe(self, data: bytes) -> Unsubscribe:
        """Return an UNSUBSCRIBE."""
        return decode_unsubscribe(data)

    def read_disconnect(self, data: bytes) -> Disconnect:
        """Return a DISCONNECT."""
        if data:
            raise Malformed(f"DISCONNECT of {len(data)} bytes")
        return Disconnect(0, NONE)

    def read_auth(self, data: bytes) -> Auth:
        """Return an AUTH."""
        raise Forbidden(f"packet of type 15 and {len(data)} bytes [MQTT-2.2.2-2]")

    # What the broker says

    def accept(self, terms: Terms) -> bytes:
        """Return the CONNACK that lets a client in [MQTT-3.2.2-2]; nothing when it is larger than the client takes."""
        return encode_connack(0, session_present=terms.session_present and self.level != V3_1)

    def refuse(self, code: int, text: str) -> bytes:
        """Return the CONNACK that keeps a client out [MQTT-3.2.2-4], or nothing when there is no word for it."""
        del text
        return encode_connack(RETURN_CODES.get(code, SERVER_UNAVAILABLE), session_present=False)

    def mistake(self, code: int, text: str) -> bytes:
        """Return what is said about a mistake in a CONNECT: nothing."""
        del code, text
        return b""

    def goodbye(self, code: int, text: str) -> bytes:
        """Return what is said before the connection is closed: nothing."""
        del code, text
        return b""

    def auth(self, code: int, properties: bytes) -> bytes:
        """Return an AUTH; nothing when the client cannot take it."""
        raise AssertionError("AUTH in a version that has none")

    def pubrel(self, packet_id: int) -> bytes:
        """Return a PUBREL."""
        return PUBREL_START[packet_id >> 8] + BYTE[packet_id & 0xFF]

    def fits(self, packet: bytes) -> bool:
        """Whether the client takes a packet of this size."""
        return True

    def suback(self, packet_id: int, codes: list[int], text: str) -> bytes:
        """Return a SUBACK; every failure has the same code [MQTT-3.9.3-2]. Nothing when the client cannot take it."""
        del text
        return encode_suback(packet_id, [min(code, FAILURE) for code in codes])

    def unsuback(self, packet_id: int, codes: list[int]) -> bytes:
        """Return an UNSUBACK; nothing when the client cannot take it."""
        del codes
        return encode_unsuback(packet_id)

    def at_most_once(self, message: Message, grant: Grant) -> bytes:
        """Return a message as a PUBLISH of QoS 0; nothing, and it is counted, when it cannot be one."""
        if message.retained or grant.topic:
            frame = publish_at_most_once(message, grant.topic or topic_field(message.address), self.counters)
        else:
            frame = from_core(message, self.counters)
        if not frame:
            self.counters.drop("not_a_topic")
        return frame

    def header(self, message: Message, grant: Grant, qos: int, dup: int, packet_id: int) -> bytes:
        """Return what stands before the body in a PUBLISH of QoS 1 or 2; nothing when the client cannot take it."""
        first = PUBLISH | dup | qos << 1
        if message.retained:
            first |= RETAIN
        return publish_header(first, grant.topic or topic_field(message.address), message, packet_id, self.counters)


def dialect_of(counters: Counters) -> Dialect:
    """Return what is spoken before a CONNECT has told the version."""
    return Dialect(V3_1_1, counters)
