"""The message and the address it was aimed at.

Both are immutable once published. An address is shared by all messages to the same place, so that protocols can
keep their encoding of it there; a message keeps the encoding that the last of many like subscribers asked for.

`acyclic`: compiled, these objects stay outside the cyclic garbage collector, so that a queue of a million messages
costs its collections nothing. They must not refer back to whoever holds them.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.model.properties import NO_PROPERTIES, Native, Properties, Stated

AT_MOST_ONCE: Final = 0
AT_LEAST_ONCE: Final = 1
EXACTLY_ONCE: Final = 2

# Slots of `Address.encoded` and values of `Message.encoded_for`: whose encoding it is. A protocol's codec owns its slot.
FOR_NOBODY: Final = -1
FOR_AMQP: Final = 0
FOR_MQTT: Final = 1
FOR_STOMP: Final = 2
FOR_STORE: Final = 3  # of `Address.encoded` only
FOR_MQTT5: Final = 3  # of `encoded_for` only: topics look the same in both versions

DECODED_LIMIT_BYTES: Final = 2_048  # of native properties; decoded, a header table takes up to 50 times its size


@mypyc_attr(acyclic=True)
class Address:
    """An exchange and a routing key, in the core's form (levels of a topic separated by dots)."""

    def __init__(self, exchange: str, key: str) -> None:
        self.exchange = exchange
        self.key = key
        self.own_bytes = 0  # of memory, where the address is not shared; counted with its message
        self.encoded: list[bytes] = [b"", b"", b"", b""]  # one slot a protocol; empty until first asked for

    def __repr__(self) -> str:
        return f"Address({self.exchange!r}, {self.key!r})"


@mypyc_attr(acyclic=True)
class Message:
    """A body on its way, with what was said about it.

    `qos` is the strongest promise that the publisher asked for: 0 transient, 1 durable, 2 durable and exactly once
    (MQTT QoS; AMQP and STOMP persistent messages are 1).
    """

    def __init__(self, address: Address, body: bytes, qos: int, native: Native) -> None:
        self.address = address
        self.body = body
        self.qos = qos
        self.native = native
        self.size_bytes = len(body) + native.size_bytes + address.own_bytes
        self.retained = False  # the copy kept for later subscribers
        self.retain = False  # its publisher asked for that copy
        self.expires_at = 0.0  # monotonic seconds; 0 means never
        self.forwarded_by: tuple[str, ...] = ()  # names of the forwarding rules that made this copy
        self.also_to: tuple[str, ...] = ()  # routing keys that it is routed to beside the address's own (CC and BCC)
        self.encoded = b""  # a whole frame, shared by subscribers that would write the same bytes
        self.encoded_for = FOR_NOBODY
        self._properties: Properties | None = None

    @property
    def properties(self) -> Properties:
        """The properties in the core's form, decoded on first use, or each time where keeping them would cost much."""
        properties = self._properties
        if properties is None:
            properties = self.native.decode()
            if self.native.size_bytes <= DECODED_LIMIT_BYTES:
                self._properties = properties
        return properties

    def aimed_at(self, address: Address) -> "Message":
        """Return a copy for another address; body and properties are shared."""
        copy = Message(address, self.body, self.qos, self.native)
        copy.expires_at = self.expires_at
        copy.forwarded_by = self.forwarded_by
        copy.retain = self.retain
        copy._properties = self._properties
        return copy

    def restated(self, address: Address, properties: Properties, size_bytes: int = -1) -> "Message":
        """Return a copy for another address about which something else is said; the body is shared.

        It never expires and goes nowhere else until its maker says so. It owns `properties`: nobody changes them later.
        Their size is found out unless it is known.
        """
        copy = Message(address, self.body, self.qos, Stated(properties, size_bytes))
        copy.forwarded_by = self.forwarded_by
        return copy


def plain_message(address: Address, body: bytes, qos: int = AT_MOST_ONCE) -> Message:
    """Return a message that says nothing about itself."""
    return Message(address, body, qos, NO_PROPERTIES)
