"""What client and broker tell each other before a connection is open (AMQP 0-9-1 §1.4.2, RabbitMQ's capabilities)."""

from typing import Final

from core.model.properties import Headers
from protocols.amqp.connection_methods import TuneOk
from protocols.amqp.errors import NOT_ALLOWED, PeerError
from protocols.amqp.frames import CHANNEL_MAX, FRAME_MAX, FRAME_MIN, HEARTBEAT_S
from protocols.amqp.table import decode_table
from protocols.amqp.table_encoding import encode_table

NAME_LIMIT: Final = 255  # characters of a connection's name that are shown
CLUSTER_NAME: Final = "dragoman"  # of the one node that there is; not its host, which is nobody's affair before a login

# RabbitMQ's names for what is beyond the specification; each is true of this broker.
CAPABILITIES: Final = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
)


# What clients decide by: kombu, and with it a Celery worker, changes the prefetch of a running consumer (`basic.qos` with
# `global`) only for this product from 3.3 and before 4.0. `platform` has our own name and version.
PRODUCT: Final = "RabbitMQ"
PRODUCT_VERSION: Final = "3.10.0"  # whose behaviour this is


def server_properties(version: str) -> Headers:
    """Return what the broker says about itself."""
    return {
        "capabilities": dict.fromkeys(CAPABILITIES, True),
        "cluster_name": CLUSTER_NAME,
        "product": PRODUCT,
        "version": PRODUCT_VERSION,
        "platform": f"Dragoman {version}",
        "information": "Licensed under the Apache License 2.0",
    }


class Offer:
    """What every client is offered: the values of connection.tune, and whether mechanism ANONYMOUS is there.

    `heartbeat_s` 0 offers none; a client may still ask for some.
    """

    def __init__(
        self,
        *,
        channel_max: int = CHANNEL_MAX,
        frame_max: int = FRAME_MAX,
        heartbeat_s: int = HEARTBEAT_S,
        anonymous: bool = False,
    ) -> None:
        self.channel_max = channel_max
        self.frame_max = frame_max
        self.heartbeat_s = heartbeat_s
        self.anonymous = anonymous

    def check(self, method: TuneOk) -> None:
        """Refuse what was not offered; 0 stands for no limit, which is more than was offered."""
        _check_negotiated("channel_max", method.channel_max, 1, self.channel_max)
        _check_negotiated("frame_max", method.frame_max, FRAME_MIN, self.frame_max)


RABBITMQS_OFFER: Final = Offer()  # its defaults


def _check_negotiated(field: str, value: int, least: int, most: int) -> None:
    if value != 0 and value < least:
        raise PeerError(NOT_ALLOWED, f"negotiated {field} = {value} is lower than the minimum allowed value ({least})")
    if value == 0 or value > most:
        shown = "0 (no limit)" if value == 0 else str(value)
        raise PeerError(NOT_ALLOWED, f"negotiated {field} = {shown} is higher than the maximum allowed value ({most})")


class ClientTraits:
    """What the client said about itself in connection.start-ok, of at most FIRST_FRAMES_MAX bytes."""

    def __init__(self, properties: Headers) -> None:
        capabilities = properties.get("capabilities")
        if not isinstance(capabilities, dict):
            capabilities = {}
        self.hears_cancels = capabilities.get("consumer_cancel_notify") is True
        self.hears_blocked = capabilities.get("connection.blocked") is True
        self.hears_refusals = capabilities.get("authentication_failure_close") is True
        name = properties.get("connection_name")
        self.name = name[:NAME_LIMIT] if isinstance(name, str) and name.isprintable() else ""
        self._encoded = encode_table(properties)  # a third of the size of what it says

    def properties(self) -> Headers:
        """Return all that the client said, for pages."""
        return decode_table(self._encoded, 0)
