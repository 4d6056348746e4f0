"""What a CONNECT leads to: which dialect is spoken, whether its client may come in, and on what terms (MQTT 5.0 §3.1.4)."""

from typing import Final

from core.access import User
from core.broker import Broker
from core.client import Client
from core.model.errors import Denied
from protocols.mqtt.dialect import Dialect, Terms
from protocols.mqtt.dialect5 import Dialect5
from protocols.mqtt.errors import (
    BAD_CREDENTIALS,
    CLIENT_ID_NOT_VALID,
    Forbidden,
    Refused,
)
from protocols.mqtt.frames import LENGTH_MOST_BYTES, PROPERTIES_LIMIT_BYTES, PUBLISH_HEADER_BYTES
from protocols.mqtt.packets import V3_1, V5, Connect
from protocols.mqtt.properties import AUTHENTICATION_DATA, AUTHENTICATION_METHOD, SESSION_EXPIRY
from protocols.mqtt.session import MqttSession, open_session
from protocols.mqtt.topics import CONTROLS

CLIENT_ID_LIMIT_BYTES: Final = 8_192  # the protocol allows what fits a string, and asks for 23 at least [MQTT-3.1.3-5]
FIXED_HEADER_BYTES: Final = 5  # at most


class Entry:
    """What a client has when it is let in."""

    def __init__(self, session: MqttSession, keep_alive_s: int, terms: Terms) -> None:
        self.session = session
        self.keep_alive_s = keep_alive_s  # 0 for none
        self.terms = terms


def dialect_for(level: int, broker: Broker) -> Dialect:
    """Return what is spoken at a protocol level; what is not served is told no in the words of 3.1.1."""
    return Dialect5(broker.counters, broker.clock) if level == V5 else Dialect(level, broker.counters)


def publish_limit(broker: Broker, dialect: Dialect) -> int:
    """Return how long a PUBLISH may be behind its fixed header, in bytes."""
    properties = PROPERTIES_LIMIT_BYTES if dialect.level == V5 else 0
    return min(LENGTH_MOST_BYTES, broker.message_limit_bytes + PUBLISH_HEADER_BYTES + properties)


def check_connect(connect: Connect) -> None:
    """Refuse a CONNECT that nobody can be let in with."""
    said = connect.properties
    if AUTHENTICATION_DATA in said.binaries and AUTHENTICATION_METHOD not in said.texts:
        raise Forbidden("CONNECT with authentication data and without a method (§3.1.2.11.10)")
    if not connect.client_id and (connect.level == V3_1 or (not connect.clean and connect.level != V5)):
        raise Refused("client id is empty [MQTT-3.1.3-8]", CLIENT_ID_NOT_VALID)
    if len(connect.client_id.encode()) > CLIENT_ID_LIMIT_BYTES:
        raise Refused(f"client id is longer than {CLIENT_ID_LIMIT_BYTES} bytes", CLIENT_ID_NOT_VALID)
    if CONTROLS.search(connect.client_id):
        raise Refused("client id has a control character in it", CLIENT_ID_NOT_VALID)
    if connect.password and not connect.username:
        raise Refused("the user name is empty", BAD_CREDENTIALS)


def check_name(connect: Connect, user: User) -> None:
    """Refuse a client that has proven to be somebody else than its CONNECT names."""
    if connect.username and connect.username != user.name:
        raise Denied(f"user name '{connect.username}' with the proof of user '{user.name}'")


def enter(
    broker: Broker, dialect: Dialect, connect: Connect, client: Client, client_id: str, existing: MqttSession | None
) -> Entry:
    """Open the session of a client that has logged in, and say on what terms where they differ from what it asked for."""
    limit_s = broker.session_expiry_limit_s
    terms = Terms()
    if connect.level == V5:
        asked_s = connect.properties.number(SESSION_EXPIRY, 0)
        expiry_s = min(asked_s, limit_s)
        if expiry_s != asked_s:
            terms.session_expiry_s = expiry_s  # [MQTT-3.2.2-21] does the same for the keep alive
    else:
        expiry_s = 0 if connect.clean else limit_s
    session = open_session(client.vhost, client_id, client.user.name, existing, expiry_s, clean=connect.clean)
    terms.packet_limit_bytes = publish_limit(broker, dialect) + FIXED_HEADER_BYTES
    keep_alive_s = connect.keep_alive_s
    if connect.level == V5 and broker.keep_alive_limit_s and not 0 < keep_alive_s <= broker.keep_alive_limit_s:
        keep_alive_s = terms.keep_alive_s = broker.keep_alive_limit_s  # [MQTT-3.1.2-21], [MQTT-3.2.2-21]
    return Entry(session, keep_alive_s, terms)
