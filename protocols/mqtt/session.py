"""The session of a client: what lasts from one of its connections to the next (MQTT 3.1.1 §3.1.2.4, §4.1).

Registered in the virtual host under the client id, also for clean sessions, so that a second connection with the same
id finds the first.
"""

from typing import Final

from core.access import READ
from core.client import Client
from core.model.errors import Denied, Limit
from core.model.names import TOPIC_SPACE
from core.queueing.session import Session
from core.timers import NEVER
from core.vhost import VirtualHost
from protocols.connection import Connection
from protocols.mqtt.deliveries import Deliveries
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.topics import Filter

SESSION_EXPIRY_S: Final = 7 * 24 * 3_600.0  # after the end of its last connection
SESSIONS_LIMIT: Final = 100_000  # in one virtual host, connected or not
SUBSCRIPTIONS_LIMIT: Final = 50_000  # in one session


class MqttSession(Session):
    """Subscriptions, deliveries, and the packet ids of QoS 2 that the client has not released."""

    def __init__(self, vhost: VirtualHost, client_id: str, user: str, *, persistent: bool) -> None:
        super().__init__(client_id, user)
        self.persistent = persistent
        self.deliveries = Deliveries(f"mqtt session '{client_id}'", vhost.surroundings)
        self.subscriptions: dict[str, Subscription] = {}  # by filter as the client wrote it
        self.received: set[int] = set()  # packet ids of QoS 2 between PUBLISH and PUBREL [MQTT-4.3.3-2]
        self._vhost = vhost
        vhost.sessions[client_id] = self

    def subscribe(self, client: Client, text: str, topic_filter: Filter, qos: int) -> Subscription:
        """Add a subscription in place of one to the same filter [MQTT-3.8.4-3]; a BrokerError changes nothing."""
        replaced = self.subscriptions.get(text)
        if replaced is None and len(self.subscriptions) >= SUBSCRIPTIONS_LIMIT:
            raise Limit(f"session '{self.client_id}' has {SUBSCRIPTIONS_LIMIT} subscriptions already")
        subscription = Subscription(self.deliveries, topic_filter.text, qos)
        client.subscribe(topic_filter.pattern, topic_filter.text, subscription)
        self.subscriptions[text] = subscription
        if replaced is not None:
            client.unsubscribe(replaced)
        return subscription

    def unsubscribe(self, text: str) -> None:
        """Remove the subscription with exactly this filter, if there is one [MQTT-3.10.4-1]."""
        subscription = self.subscriptions.pop(text, None)
        if subscription is not None:
            self._vhost.unbind_all(subscription)

    def authorize_again(self, client: Client) -> int:
        """Drop the subscriptions that the client may no longer have, and return how many they were."""
        denied: list[str] = []
        for text, subscription in self.subscriptions.items():
            try:
                client.authorize(READ, "exchange", TOPIC_SPACE, subscription.text)
            except Denied:
                denied.append(text)
        for text in denied:
            self.unsubscribe(text)
        return len(denied)

    def attach(self, connection: Connection) -> None:
        """Serve a new connection."""
        self.deadline = NEVER
        self.deliveries.attach(connection)

    def detach(self) -> None:
        """Lose the connection: a clean session ends with it, another waits for its client to come back."""
        if not self.persistent:
            self.end()
            return
        self.deliveries.detach()
        timers = self._vhost.surroundings.timers
        self.deadline = timers.clock.now + SESSION_EXPIRY_S
        timers.watch(self)

    def timeout(self) -> None:
        self.end()

    def end(self) -> None:
        self.deadline = NEVER
        self._vhost.surroundings.timers.forget(self)
        if self._vhost.sessions.get(self.client_id) is self:
            del self._vhost.sessions[self.client_id]
        for subscription in self.subscriptions.values():
            self._vhost.unbind_all(subscription)
        self.subscriptions.clear()
        self.received.clear()
        self.deliveries.end()


def find_session(vhost: VirtualHost, client_id: str, user: str) -> MqttSession | None:
    """Return the session of a client id, or raise Denied when it is another user's."""
    session = vhost.sessions.get(client_id)
    if session is None:
        return None
    assert isinstance(session, MqttSession)
    if session.user != user:
        raise Denied(f"client id '{client_id}' has a session of user '{session.user}', not of '{user}'")
    return session


def open_session(
    vhost: VirtualHost, client_id: str, user: str, existing: MqttSession | None, *, clean: bool
) -> MqttSession:
    """Return the existing session to go on with, or a new one in its place [MQTT-3.1.2-4], [MQTT-3.1.2-6]."""
    if existing is not None:
        if existing.persistent and not clean:
            return existing
        existing.end()
    elif len(vhost.sessions) >= SESSIONS_LIMIT:
        raise Limit(f"vhost '{vhost.name}' has {SESSIONS_LIMIT} sessions already")
    return MqttSession(vhost, client_id, user, persistent=not clean)
