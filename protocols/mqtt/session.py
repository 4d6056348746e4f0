"""The session of a client: what lasts from one of its connections to the next (MQTT 3.1.1 §3.1.2.4, 5.0 §3.1.2.11.2, §4.1).

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
from protocols.mqtt.dialect import Dialect
from protocols.mqtt.packets5 import NO_LOCAL, QOS, RETAIN_AS_PUBLISHED
from protocols.mqtt.subscription import OptionedSubscription, Subscription
from protocols.mqtt.topics import Filter
from protocols.mqtt.will import DelayedWill

SESSIONS_LIMIT: Final = 100_000  # in one virtual host, connected or not
SUBSCRIPTIONS_LIMIT: Final = 50_000  # in one session


class MqttSession(Session):
    """Subscriptions, deliveries, and the packet ids of QoS 2 that the client has not released."""

    def __init__(self, vhost: VirtualHost, client_id: str, user: str, expiry_s: int) -> None:
        super().__init__(client_id, user)
        self.expiry_s = expiry_s  # after the end of its last connection; 0 ends it at once
        self.deliveries = Deliveries(f"mqtt session '{client_id}'", vhost.surroundings)
        self.subscriptions: dict[str, Subscription] = {}  # by filter as the client wrote it
        self.received: set[int] = set()  # packet ids of QoS 2 between PUBLISH and PUBREL [MQTT-4.3.3-2]
        self._will: DelayedWill | None = None  # of the last connection, while its client may still come back
        self._vhost = vhost
        vhost.sessions[client_id] = self

    def subscribe(self, client: Client, text: str, topic_filter: Filter, options: int, identifier: int) -> Subscription:
        """Add a subscription in place of one to the same filter [MQTT-3.8.4-3]; a BrokerError changes nothing.

        `options` are those of MQTT 5.0 (§3.8.3.1), of which 3.1.1 has the QoS only.
        """
        replaced = self.subscriptions.get(text)
        if replaced is None and len(self.subscriptions) >= SUBSCRIPTIONS_LIMIT:
            raise Limit(f"session '{self.client_id}' has {SUBSCRIPTIONS_LIMIT} subscriptions already")
        qos = options & QOS
        no_local, as_published = bool(options & NO_LOCAL), bool(options & RETAIN_AS_PUBLISHED)
        if identifier or no_local or as_published:
            subscription: Subscription = OptionedSubscription(
                self.deliveries, topic_filter.text, qos, identifier, no_local=no_local, as_published=as_published
            )
        else:
            subscription = Subscription(self.deliveries, topic_filter.text, qos)
        client.subscribe(topic_filter.pattern, topic_filter.text, subscription)
        self.subscriptions[text] = subscription
        if replaced is not None:
            client.unsubscribe(replaced)
        return subscription

    def unsubscribe(self, text: str) -> bool:
        """Remove the subscription with exactly this filter [MQTT-3.10.4-1]; False when there is none."""
        subscription = self.subscriptions.pop(text, None)
        if subscription is None:
            return False
        self._vhost.unbind_all(subscription)
        return True

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

    def attach(self, connection: Connection, dialect: Dialect, window: int) -> None:
        """Serve a new connection, which takes `window` messages of QoS 1 and 2 at a time."""
        self.deadline = NEVER
        if self._will is not None:  # its client is back [MQTT-3.1.3-9]
            self._will.cancel()
            self._will = None
        self.deliveries.attach(connection, dialect, window)

    def detach(self) -> None:
        """Lose the connection: the session ends with it, or waits for its client to come back."""
        if not self.expiry_s:
            self.end()
            return
        self.deliveries.detach()
        timers = self._vhost.surroundings.timers
        self.deadline = timers.clock.now + self.expiry_s
        timers.watch(self)

    def leave(self, will: DelayedWill) -> None:
        """Have a will wait for its client, as long as the session lasts [MQTT-3.1.2-8]."""
        self._will = will
        will.wait()

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
        will = self._will
        if will is not None:
            self._will = None
            will.publish()


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
    vhost: VirtualHost, client_id: str, user: str, existing: MqttSession | None, expiry_s: int, *, clean: bool
) -> MqttSession:
    """Return the existing session to go on with, or a new one in its place [MQTT-3.1.2-4], [MQTT-3.1.2-6]."""
    if existing is not None:
        if existing.expiry_s and not clean:
            existing.expiry_s = expiry_s
            return existing
        existing.end()
    elif len(vhost.sessions) >= SESSIONS_LIMIT:
        raise Limit(f"vhost '{vhost.name}' has {SESSIONS_LIMIT} sessions already")
    return MqttSession(vhost, client_id, user, expiry_s)
