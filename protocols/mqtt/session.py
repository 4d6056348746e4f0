"""The session of a client: what lasts from one of its connections to the next (MQTT 3.1.1 §3.1.2.4, 5.0 §3.1.2.11.2, §4.1).

Registered in the virtual host under the client id, also for clean sessions, so that a second connection with the same
id finds the first. One that is to outlive its connection outlives the process too, where there is a store; the others
store nothing.
"""

from typing import TYPE_CHECKING, Any, Final

from core.client import Client
from core.model.errors import BrokerError, Denied, Limit
from core.model.message import Message
from core.queueing.group import Group
from core.queueing.queue import Queue
from core.queueing.session import Session
from core.store.shelf import Shelf
from core.store.stating import Kept
from core.timers import NEVER
from core.vhost import VirtualHost
from protocols.mqtt.deliveries import Deliveries
from protocols.mqtt.dialect import Dialect
from protocols.mqtt.granting import grant, grant_again
from protocols.mqtt.lasting import SENT, Lasting
from protocols.mqtt.received import Received
from protocols.mqtt.shared import restore_lent
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.will import DelayedWill

if TYPE_CHECKING:
    from protocols.mqtt.stream import PacketStream

SESSIONS_LIMIT: Final = 100_000  # in one virtual host, connected or not
SUBSCRIPTIONS_LIMIT: Final = 50_000  # in one session


class MqttSession(Session):
    """Subscriptions, deliveries, and the packet ids of QoS 2 that the client has not released."""

    def __init__(self, vhost: VirtualHost, client_id: str, user: str, expiry_s: int, *, lasts: bool) -> None:
        super().__init__(client_id, user)
        self.expiry_s = expiry_s  # after the end of its last connection; 0 ends it at once
        self.deliveries = Deliveries(f"mqtt session '{client_id}'", vhost.surroundings)
        self.subscriptions: dict[str, Subscription] = {}  # by filter as the client wrote it
        self.received = Received()
        self._will: DelayedWill | None = None  # of the last connection, while its client may still come back
        self._vhost = vhost
        self._queue_number = 0  # in the store, until its queue is made again
        self._ended_at = 0.0
        self._lasting: Lasting | None = None
        if lasts:
            lasting = Lasting(vhost, client_id, user, self.deliveries, self.received)
            self._lasting = self.deliveries.lasting = self.received.lasting = lasting
        vhost.sessions[client_id] = self

    def subscribe(self, client: Client, text: str, options: int, identifier: int) -> Subscription:
        """Add a subscription in place of one to the same filter [MQTT-3.8.4-3]; a BrokerError changes nothing.

        `options` are those of MQTT 5.0 (§3.8.3.1), of which 3.1.1 has the QoS only.
        """
        replaced = self.subscriptions.get(text)
        if replaced is None and len(self.subscriptions) >= SUBSCRIPTIONS_LIMIT:
            raise Limit(f"session '{self.client_id}' has {SUBSCRIPTIONS_LIMIT} subscriptions already")
        subscription = grant(client, self.deliveries, text, options, identifier, anew=replaced is None)
        self.subscriptions[text] = subscription
        if replaced is not None:
            replaced.end(self._vhost)
        if self._lasting is not None:
            self._lasting.subscribed(text, options, identifier)
        return subscription

    def unsubscribe(self, text: str) -> bool:
        """Remove the subscription with exactly this filter [MQTT-3.10.4-1]; False when there is none."""
        subscription = self.subscriptions.pop(text, None)
        if subscription is None:
            return False
        subscription.end(self._vhost)
        if self._lasting is not None:
            self._lasting.unsubscribed(text)
        return True

    def authorize_again(self, client: Client) -> int:
        """Drop the subscriptions that the client may no longer have, and return how many they were."""
        denied: list[str] = []
        for text, subscription in self.subscriptions.items():
            try:
                subscription.authorize_again(client)
            except BrokerError:
                denied.append(text)
        for text in denied:
            self.unsubscribe(text)
        return len(denied)

    def attach(self, connection: "PacketStream", dialect: Dialect, window: int) -> None:
        """Serve a new connection, which takes `window` messages of QoS 1 and 2 at a time."""
        self.deadline = NEVER
        if self._will is not None:  # its client is back [MQTT-3.1.3-9]
            self._will.cancel()
            self._will = None
        if self._lasting is not None:
            self._lasting.state(self.expiry_s, 0.0)
        self.deliveries.attach(connection, dialect, window)

    def detach(self) -> None:
        """Lose the connection: the session ends with it, or waits for its client to come back."""
        if not self.expiry_s:
            self.end()
            return
        self.deliveries.detach()
        timers = self._vhost.surroundings.timers
        if self._lasting is not None:
            self._lasting.state(self.expiry_s, timers.clock.wall)
        self.deadline = timers.clock.now + self.expiry_s
        timers.watch(self)

    def leave(self, will: DelayedWill) -> None:
        """Have a will wait for its client, as long as the session lasts [MQTT-3.1.2-8]."""
        self._will = will
        will.wait()

    def timeout(self) -> None:
        self._vhost.surroundings.counters.traffic_of("mqtt").expired += 1
        self.end()

    def end(self) -> None:
        self.deadline = NEVER
        self._vhost.surroundings.timers.forget(self)
        if self._vhost.sessions.get(self.client_id) is self:
            del self._vhost.sessions[self.client_id]
        if self._lasting is not None:
            queue = self.deliveries.own_queue
            self._lasting.end(list(self.subscriptions), None if queue is None else queue.shelf)
            self._lasting = self.deliveries.lasting = self.received.lasting = None
        for subscription in self.subscriptions.values():
            subscription.end(self._vhost)
        self.subscriptions.clear()
        self.received.clear()
        self.deliveries.end()
        will = self._will
        if will is not None:
            self._will = None
            will.publish()

    # From the store

    def own_queue(self) -> Queue | None:
        return self.deliveries.own_queue

    def restore(self, queue_number: int, ended_at: float) -> None:
        """Be what an earlier process has told a store of."""
        self._queue_number = queue_number
        self._ended_at = ended_at

    def restore_subscription(self, text: str, stated: list[Any]) -> None:
        options, identifier = stated
        self.subscriptions[text] = grant_again(self._vhost, self.deliveries, text, options, identifier)

    def restore_in_flight(self, direction: str, lines: list[Kept]) -> None:
        lasting = self._lasting
        assert lasting is not None
        for kept in lines:
            lasting.restored_page(direction, kept[0])
            if direction == SENT:
                self.deliveries.restore_in_flight(kept)
            else:
                self.received.restore(kept[0])

    def restore_queue(self) -> Shelf | None:
        return self.deliveries.restore_queue(self._queue_number)

    def last_in_flight(self) -> int:
        return self.deliveries.last_in_flight()

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        self.deliveries.restore_entry(message, row, note, redelivered=redelivered)

    def lent_rows(self) -> list[int]:
        return list(self.deliveries.was_lent)

    def restore_lent(self, group: Group, message: Message, row: int) -> None:
        restore_lent(self.deliveries, self.subscriptions.get(group.name), group, message, row)

    def restored(self) -> None:
        """Wait for the client, for as long as is left by the clock on the wall; from now on if the process has died on it."""
        self.deliveries.restored()
        lasting, timers = self._lasting, self._vhost.surroundings.timers
        assert lasting is not None
        lasting.restored()
        clock = timers.clock
        ended_at = self._ended_at or clock.wall
        self.deadline = clock.now + (ended_at - clock.wall) + self.expiry_s
        if self.deadline <= clock.now:
            self.timeout()
            return
        if not self._ended_at:
            lasting.state(self.expiry_s, clock.wall)
        else:
            lasting.restore(self.expiry_s, self._ended_at)
        timers.watch(self)


def restore_session(vhost: VirtualHost, client_id: str, stated: list[Any]) -> Session:
    """Make a session again that an earlier process has told a store of."""
    user, expiry_s, queue_number, ended_at = stated
    session = MqttSession(vhost, client_id, user, expiry_s, lasts=True)
    session.restore(queue_number, ended_at)
    return session


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
    lasts = expiry_s > 0 and vhost.surroundings.journal.active
    return MqttSession(vhost, client_id, user, expiry_s, lasts=lasts)
