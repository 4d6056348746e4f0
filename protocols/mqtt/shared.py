"""Shared subscriptions: `$share/GROUP/FILTER`, of which each message is for one member (MQTT 5.0 §4.8.2; MQTT 3.1.1 alike).

The group is the core's (`core.queueing.group`). What MQTT adds: QoS 2 stays with the member that it was sent to, whatever
becomes of that one [MQTT-4.8.2-4], [MQTT-4.8.2-5]; QoS 1 goes on to another as soon as the connection is lost.

In the store what a member has is in the group's queue, and its packet id is the session's. Sent with QoS 2 to a session that ends
with its connection, a message is in the store no more: nobody may get it after a stop [MQTT-4.8.2-5].
"""

from typing import TYPE_CHECKING, Final

from core.access import READ
from core.client import Client
from core.model.errors import Invalid
from core.model.message import Message
from core.model.names import TOPIC_SPACE
from core.queueing.entry import Entry
from core.queueing.group import AWAY, BUSY, READY, Group, Member
from core.vhost import VirtualHost
from protocols.mqtt.lasting import AS_PUBLISHED, OF_GROUP, QOS_SHIFT, RELEASED
from protocols.mqtt.queue_fed import QueueFed
from protocols.mqtt.subscription import Subscription
from protocols.mqtt.topics import Filter, parse_filter

if TYPE_CHECKING:
    from protocols.mqtt.deliveries import Deliveries

SHARE: Final = "$share/"


def parse_shared(text: str) -> Filter:
    """Return the filter of a shared subscription; Invalid when that, or the name of the group, is not valid."""
    name, slash, topic_filter = text[len(SHARE) :].partition("/")
    if not name:
        raise Invalid(f"topic filter '{text}' has no share name [MQTT-4.8.2-1]")
    if "+" in name or "#" in name:
        raise Invalid(f"topic filter '{text}' has a wildcard in its share name [MQTT-4.8.2-2]")
    if not slash or not topic_filter:
        raise Invalid(f"topic filter '{text}' has no topic filter behind its share name [MQTT-4.8.2-2]")
    return parse_filter(topic_filter)


class SharedSubscription(QueueFed):
    """One member's part in a group."""

    def __init__(
        self,
        deliveries: "Deliveries",
        name: str,
        topic_filter: Filter,
        qos: int,
        identifier: int,
        *,
        as_published: bool,
    ) -> None:
        super().__init__(deliveries, topic_filter.text, qos, identifier)
        self.as_published = as_published
        self._name = name  # as the client wrote it: that is one group
        self._pattern = topic_filter.pattern
        self.member = ShareMember(self)
        self._group: Group | None = None

    def is_way(self, group: Group, state: int) -> bool:
        """Whether entries of a group that are kept with this state came by this subscription."""
        return self._group is group and self.kept_state() == state & ~RELEASED

    def finish(self, group: Group) -> None:
        """Be the way of what was begun in a group that this session is no member of any more."""
        self._group = group
        self.lend(self.member)

    def start(self, client: Client) -> None:
        self._group = client.join(self._name, self._pattern, self.text, self.member)
        self.deliveries.add_feed(self)

    def restore(self, vhost: VirtualHost) -> None:
        self._group = vhost.join(self._name, self._pattern, self.text, self.member)
        self.deliveries.add_feed(self)
        self.disconnected()

    def end(self, vhost: VirtualHost) -> None:
        self.deliveries.remove_feed(self)
        assert self._group is not None
        vhost.leave(self._group, self.member)

    def authorize_again(self, client: Client) -> None:
        client.authorize(READ, "exchange", TOPIC_SPACE, self.text)

    def connected(self) -> None:
        self.lend(self.member)
        self._move(BUSY)

    def pause(self) -> None:
        self._move(BUSY)

    def go_on(self) -> None:
        self._move(READY)

    def disconnected(self) -> None:
        self._move(AWAY)

    def _move(self, place: int) -> None:
        assert self._group is not None
        self._group.move(self.member, place)

    def kept_state(self) -> int:
        return OF_GROUP | self.qos << QOS_SHIFT | (AS_PUBLISHED if self.as_published else 0)

    def may_have_been_sent(self, entry: Entry) -> bool:
        shelf = entry.queue.shelf
        return entry.row > 0 and shelf is not None and shelf.may_have_been_delivered(entry.row)

    def leaves_store(self, entry: Entry) -> bool:
        return self.qos_of(entry.message) == 2

    def goes_back(self, entry: Entry) -> bool:
        group = self._group
        return group is not None and group.redistributes and self.qos_of(entry.message) != 2

    def abandon(self, entry: Entry) -> None:
        if self.qos_of(entry.message) == 2:  # nobody else may get it: this client may have it already [MQTT-4.8.2-5]
            self.deliveries.counters.drop("session_ended")
            entry.queue.accept(entry)
        else:
            entry.queue.requeue(entry)

    def unsendable(self, entry: Entry) -> None:
        entry.queue.accept(entry)  # [MQTT-3.1.2-25] leaves the choice, and asks that it be as if it had been sent


class ShareMember(Member):
    """What the group knows of a shared subscription."""

    def __init__(self, subscription: SharedSubscription) -> None:
        settles = subscription.qos > 0
        super().__init__(settles=settles, lasts=settles and subscription.deliveries.lasting is not None)
        self._subscription = subscription

    def deliver(self, entry: Entry) -> None:
        self._subscription.deliver(entry)

    def pass_on(self, message: Message) -> bool:
        subscription = self._subscription
        if not subscription.send(message):
            return False
        subscription.deliveries.counters.delivered += 1
        return True

    def hand_back(self) -> None:
        self._subscription.deliveries.hand_back(self._subscription)

    def failed(self, error: Exception) -> None:
        self._subscription.deliveries.failed(error)


def restore_lent(
    deliveries: "Deliveries", subscription: Subscription | None, group: Group, message: Message, row: int
) -> None:
    """Take back an entry of a group that was on its way to a session, which may have another subscription there now, or none."""
    packet_id, state, _ = deliveries.was_lent.pop(row)
    way = subscription
    if not isinstance(way, SharedSubscription) or not way.is_way(group, state):
        qos, as_published = state >> QOS_SHIFT & 3, bool(state & AS_PUBLISHED)
        way = SharedSubscription(deliveries, group.name, parse_shared(group.name), qos, 0, as_published=as_published)
        way.finish(group)
    entry = group.recover_held(message, row, way, way.member)
    deliveries.restore_lent(entry, packet_id, released=bool(state & RELEASED))
