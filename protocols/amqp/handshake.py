"""What client and broker tell each other before a connection is open (AMQP 0-9-1 §1.4.2, RabbitMQ's capabilities)."""

from typing import Final

from core.model.properties import Headers
from protocols.amqp.errors import COMMAND_INVALID, NOT_ALLOWED, SYNTAX_ERROR, PeerError
from protocols.amqp.frames import CHANNEL_MAX, FRAME_MAX, FRAME_MIN
from protocols.amqp.methods import StartOk, TuneOk
from protocols.amqp.table import FIRST_ELEMENTS_LIMIT, check_table, decode_table

NAME_LIMIT: Final = 255  # characters of a connection's name that are shown

# RabbitMQ's names for what is beyond the specification; each is true of this broker.
CAPABILITIES: Final = (
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
    "per_consumer_qos",
)


def server_properties(version: str) -> Headers:
    """Return what the broker says about itself."""
    return {
        "capabilities": dict.fromkeys(CAPABILITIES, True),
        "product": "Dragoman",
        "version": version,
        "platform": "Python",
        "information": "Licensed under the Apache License 2.0",
    }


class ClientTraits:
    """What the client said about itself in connection.start-ok."""

    def __init__(self, properties: Headers) -> None:
        capabilities = properties.get("capabilities")
        if not isinstance(capabilities, dict):
            capabilities = {}
        self.hears_cancels = capabilities.get("consumer_cancel_notify") is True
        self.hears_blocked = capabilities.get("connection.blocked") is True
        self.hears_refusals = capabilities.get("authentication_failure_close") is True
        name = properties.get("connection_name")
        self.name = name[:NAME_LIMIT] if isinstance(name, str) and name.isprintable() else ""


def credentials(method: StartOk) -> tuple[str, bytes]:
    """Return user name and password from a SASL response; PeerError never shows what was in it."""
    if method.mechanism == "PLAIN":
        return _plain(method.response)
    if method.mechanism == "AMQPLAIN":
        return _amqplain(method.response)
    raise PeerError(COMMAND_INVALID, f"unknown authentication mechanism '{method.mechanism}'")


def _plain(response: bytes) -> tuple[str, bytes]:
    # RFC 4616: authorization identity NUL authentication identity NUL password
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0]:
        raise PeerError(SYNTAX_ERROR, "response of mechanism PLAIN is invalid")
    return _user_name(parts[1]), parts[2]


def _amqplain(response: bytes) -> tuple[str, bytes]:
    """Read a field table without its length, which is what RabbitMQ and old clients exchange."""
    data = len(response).to_bytes(4, "big") + response
    check_table(data, 0, len(data), FIRST_ELEMENTS_LIMIT)
    table = decode_table(data, 0)
    login, password = table.get("LOGIN"), table.get("PASSWORD")
    if isinstance(login, str):
        login = login.encode()
    if isinstance(password, str):
        password = password.encode()
    if not isinstance(login, bytes) or not isinstance(password, bytes):
        raise PeerError(SYNTAX_ERROR, "AMQPLAIN auth info is missing LOGIN or PASSWORD field")
    return _user_name(login), password


def _user_name(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise PeerError(SYNTAX_ERROR, "user name is not UTF-8") from None


def check_tune(method: TuneOk) -> None:
    """Refuse what the broker did not offer; 0 stands for no limit, which is more than was offered."""
    _check_negotiated("channel_max", method.channel_max, 1, CHANNEL_MAX)
    _check_negotiated("frame_max", method.frame_max, FRAME_MIN, FRAME_MAX)


def _check_negotiated(field: str, value: int, least: int, most: int) -> None:
    if value != 0 and value < least:
        raise PeerError(NOT_ALLOWED, f"negotiated {field} = {value} is lower than the minimum allowed value ({least})")
    if value == 0 or value > most:
        shown = "0 (no limit)" if value == 0 else str(value)
        raise PeerError(NOT_ALLOWED, f"negotiated {field} = {shown} is higher than the maximum allowed value ({most})")
