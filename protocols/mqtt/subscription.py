"""A subscription: what the topic space hands its messages to.

QoS 0 goes straight into the output of the connection, in one frame that all such subscribers share; QoS 1 and 2 go
through the session's queue. Of a session's subscriptions that match a message one stands for all, so the client gets one
copy [MQTT-3.3.5-1]: that with the highest QoS, or where MQTT 5.0's options come in, an `Overlap`. Those that a queue feeds
are bound nowhere and stand alone (`queue_fed`).
"""

from typing import TYPE_CHECKING, Final

from core.access import READ
from core.client import Client
from core.model.message import Message
from core.model.names import TOPIC_SPACE
from core.queueing.entry import Entry
from core.queueing.notes import Notes
from core.routing.binding import Binding
from core.routing.pattern import Pattern
from core.routing.sink import Sink
from core.store.errors import Damaged
from core.vhost import VirtualHost
from protocols.mqtt.properties import SUBSCRIPTION_IDENTIFIER, variable
from protocols.mqtt.topics import UNSAYABLE, topic_field

if TYPE_CHECKING:
    from protocols.mqtt.deliveries import Deliveries


NOTES_LIMIT: Final = 64  # kept for one session, so that entries of the same subscription share a grant
AS_PUBLISHED: Final = 4  # in the first byte of a stored note, beside the QoS


class Grant(Sink):
    """What a subscription was given: what an entry must remember of the way it came in."""

    def __init__(self, qos: int) -> None:
        super().__init__()
        self.qos = qos
        self.identifiers = b""  # subscription identifiers as they stand in a PUBLISH
        self.as_published = False  # the retain flag stays as the publisher set it [MQTT-3.3.1-13]
        self.topic = b""  # of all that comes in by it, as a field, instead of the message's own: `$queue/NAME`
        self._note = b""  # made when it is first asked for

    def identify(self, identifier: int) -> None:
        """Name the subscription in what comes in by it (MQTT 5.0 §3.8.2.1.2); 0 is no name."""
        if identifier:
            self.identifiers = variable(SUBSCRIPTION_IDENTIFIER, identifier)

    def stored_note(self) -> bytes:
        if not self._note:
            self._note = bytes([self.qos | (AS_PUBLISHED if self.as_published else 0)]) + self.identifiers
        return self._note

    def qos_of(self, message: Message) -> int:
        """Return the lower of what was published and what was granted [MQTT-3.8.4-6].

        What a queue holds is published to nobody: the client takes it from there, with the QoS that it was granted.
        """
        return self.qos if self.topic else min(message.qos, self.qos)


def noted(note: bytes) -> Grant:
    """Return what a stored note remembers of a grant, or raise Damaged."""
    if not note:
        raise Damaged("an entry of a session that says nothing of its subscription")
    grant = Grant(note[0] & 3)
    grant.as_published = bool(note[0] & AS_PUBLISHED)
    grant.identifiers = note[1:]
    return grant


class GrantNotes(Notes):
    """The grants that the entries of one session came in by, as far as they have been in the store."""

    def __init__(self) -> None:
        self._grants: dict[bytes, Grant] = {}

    def way_of(self, note: bytes) -> Grant:
        grant = self._grants.get(note)
        if grant is None:
            if len(self._grants) >= NOTES_LIMIT:
                self._grants.clear()
            grant = self._grants[note] = noted(note)
        return grant


class Subscription(Grant):
    """One topic filter of one session, with the QoS it was granted."""

    def __init__(self, deliveries: "Deliveries", text: str, qos: int) -> None:
        super().__init__(qos)
        self.group = deliveries
        self.text = text  # the filter in the core's form, to authorise it again
        self.deliveries = deliveries
        self.pattern: Pattern | None = None  # what retained messages it is greeted with

    def start(self, client: Client) -> None:
        """Begin to get messages. A BrokerError changes nothing."""
        assert self.pattern is not None
        client.subscribe(self.pattern, self.text, self)

    def restore(self, vhost: VirtualHost) -> None:
        """Begin to get messages again, in a new process; what is permitted is asked when the client comes back."""
        vhost.bind(vhost.exchange(TOPIC_SPACE), Binding(self, self.text, {}, self.pattern))

    def end(self, vhost: VirtualHost) -> None:
        """Get no more messages."""
        vhost.unbind_all(self)

    def authorize_again(self, client: Client) -> None:
        """Go on for a client that is back; a BrokerError when it may not any more."""
        client.authorize(READ, "exchange", TOPIC_SPACE, self.text)

    def take(self, message: Message) -> bool:
        deliveries = self.deliveries
        if message.qos and self.qos:
            return keep(deliveries, message, self)
        if deliveries.keeps_qos0 and deliveries.has_waiting:
            return keep(deliveries, message, self)
        connection = deliveries.connection
        if connection is None:
            deliveries.counters.drop("session_offline")
            return True
        if connection.overrun():
            deliveries.counters.drop("slow_subscriber")
            return True
        frame = message.encoded
        if message.encoded_for != deliveries.shares:
            frame = deliveries.dialect.at_most_once(message, self)
            if not frame:
                return True
        deliveries.counters.delivered += 1
        connection.write(frame)
        return True

    def failed(self, error: Exception) -> None:
        self.deliveries.failed(error)

    def merged(self, others: list[Sink]) -> Sink:
        everything: list[Subscription] = [self]
        chosen = self
        plain = self.plain
        for other in others:
            assert isinstance(other, Subscription)
            everything.append(other)
            plain = plain and other.plain
            if other.qos > chosen.qos:
                chosen = other
        return chosen if plain else Overlap(everything)

    @property
    def plain(self) -> bool:
        """Whether it has none of MQTT 5.0's options."""
        return True


class OptionedSubscription(Subscription):
    """A subscription with options of MQTT 5.0 (§3.8.3.1) or a subscription identifier (§3.8.2.1.2); 0 is none."""

    def __init__(
        self,
        deliveries: "Deliveries",
        text: str,
        qos: int,
        identifier: int,
        *,
        no_local: bool,
        as_published: bool,
    ) -> None:
        super().__init__(deliveries, text, qos)
        self.identify(identifier)
        self.no_local = no_local
        self.as_published = as_published

    @property
    def plain(self) -> bool:
        return False

    def take(self, message: Message) -> bool:
        if self.no_local and self.deliveries.publishing:  # [MQTT-3.8.3-3]
            return True
        return send(self.deliveries, message, self)


class Overlap(Grant):
    """The subscriptions of one session that match the same messages: one copy, with all that they ask for.

    It carries every identifier [MQTT-3.3.4-4] and has the highest QoS [MQTT-3.3.4-2]. What the session's own client has
    published reaches those without No Local only.
    """

    def __init__(self, subscriptions: list[Subscription]) -> None:
        super().__init__(0)
        self.group = subscriptions[0].deliveries
        self._deliveries = subscriptions[0].deliveries
        foreign = [member for member in subscriptions if not _is_deaf_to_own(member)]
        self._all = _combined(subscriptions)
        self._of_own = _combined(foreign) if foreign else None

    def take(self, message: Message) -> bool:
        grant = self._of_own if self._deliveries.publishing else self._all
        if grant is None:
            return True
        return send(self._deliveries, message, grant)

    def failed(self, error: Exception) -> None:
        self._deliveries.failed(error)


def _is_deaf_to_own(subscription: Subscription) -> bool:
    return isinstance(subscription, OptionedSubscription) and subscription.no_local


def _combined(subscriptions: list[Subscription]) -> Grant:
    grant = Grant(max([member.qos for member in subscriptions]))
    identifiers = {member.identifiers: None for member in subscriptions}
    grant.identifiers = b"".join(identifiers)
    grant.as_published = any(member.as_published for member in subscriptions)
    return grant


def keep(deliveries: "Deliveries", message: Message, grant: Grant) -> bool:
    """Have a message wait in the session's queue."""
    if topic_field(message.address) == UNSAYABLE:
        deliveries.counters.drop("not_a_topic")
        return True
    return deliveries.keep(message, grant)


def send(deliveries: "Deliveries", message: Message, grant: Grant) -> bool:
    """Send a message in a frame that is made for this one subscriber, or have it wait."""
    if (message.qos and grant.qos) or (deliveries.keeps_qos0 and deliveries.has_waiting):
        return keep(deliveries, message, grant)
    connection = deliveries.connection
    if connection is None:
        deliveries.counters.drop("session_offline")
    elif connection.overrun():
        deliveries.counters.drop("slow_subscriber")
    else:
        frame = deliveries.dialect.at_most_once(message, grant)
        if frame:
            deliveries.counters.delivered += 1
            connection.write(frame)
    return True


def sent_at_most_once(deliveries: "Deliveries", entry: Entry) -> bool:
    """Send an entry if its QoS is 0, which ends it; it needs no packet id."""
    if delivered_qos(entry):
        return False
    grant = entry.via
    assert isinstance(grant, Grant)
    frame = deliveries.dialect.at_most_once(entry.message, grant)
    connection = deliveries.connection
    if frame and connection is not None:
        connection.write(frame)
    entry.queue.accept(entry)
    return True


def delivered_qos(entry: Entry) -> int:
    """Return the QoS that an entry is sent with."""
    grant = entry.via
    assert isinstance(grant, Grant)
    return grant.qos_of(entry.message)
