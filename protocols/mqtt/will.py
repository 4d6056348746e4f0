"""The will: a message that the client left to be published should it go without a good-bye (MQTT 3.1.1 §3.1.2.5).

With MQTT 5.0 it may wait, so that a client that comes back in time is not reported as gone (MQTT 5.0 §3.1.3.2.2).
"""

from typing import Final

from core.client import Client
from core.model.errors import BrokerError, Limit
from core.model.message import Message
from core.timers import NEVER, Clock, Timed
from protocols.connection import NOWHERE, Outlet
from protocols.mqtt.destinations import check_destination, find_target
from protocols.mqtt.packets import WillFields
from protocols.mqtt.properties import WILL_DELAY
from protocols.mqtt.retaining import retain
from protocols.mqtt.translate5 import NO_EXPIRY, Published

WILL_COST_BYTES: Final = 2_048  # of memory, for one that waits, beside what it says


class Will:
    """A will whose topic is valid."""

    def __init__(self, fields: WillFields) -> None:
        self._fields = fields
        self._said = Published(fields.properties)
        self.size_bytes = WILL_COST_BYTES + len(fields.topic) + len(fields.body) + self._said.native.size_bytes
        self.delay_s = fields.properties.number(WILL_DELAY, 0)

    def publish(self, outlet: Outlet, client: Client, clock: Clock) -> None:
        """Publish the will; what its client may do is asked now, for much can have changed since it was left."""
        fields = self._fields
        try:
            target = find_target(client, fields.topic)
        except BrokerError as error:
            client.counters.drop("denied")
            outlet.note("will denied", error.text)
            return
        message = Message(target.address, fields.body, fields.qos, self._said.native)
        if self._said.expiry_s != NO_EXPIRY:
            message.expires_at = clock.now + self._said.expiry_s
        message.retain = fields.retain
        client.publish(target.exchange, message, None, 0)
        if fields.retain:  # [MQTT-3.1.2-14], [MQTT-3.1.2-15]; in 3.1.1 [MQTT-3.1.2-16], [MQTT-3.1.2-17]
            retain(outlet, client, message)


class DelayedWill(Timed):
    """A will whose client may still come back. Its session publishes it when it ends before.

    What all of them take counts as defined; the will that finds no room is published at once.
    """

    def __init__(self, will: Will, client: Client) -> None:
        super().__init__()
        self._will: Will | None = will
        self._client = client
        self._surroundings = client.vhost.surroundings

    def wait(self) -> None:
        """Begin to wait."""
        will, surroundings = self._will, self._surroundings
        assert will is not None
        try:
            surroundings.usage.define(will.size_bytes)
        except Limit:
            self._will = None
            will.publish(NOWHERE, self._client, surroundings.clock)
            return
        self.deadline = surroundings.clock.now + will.delay_s
        surroundings.timers.watch(self)

    def timeout(self) -> None:
        self.publish()

    def cancel(self) -> None:
        """Never publish the will: its client is back."""
        self._take()

    def publish(self) -> None:
        """Publish the will now, unless that was done before."""
        will = self._take()
        if will is not None:
            will.publish(NOWHERE, self._client, self._surroundings.clock)

    def _take(self) -> Will | None:
        will = self._will
        if will is not None:
            self._will = None
            self._surroundings.usage.undefine(will.size_bytes)
            self.deadline = NEVER
            self._surroundings.timers.forget(self)
        return will


def accept_will(fields: WillFields | None) -> Will | None:
    """Check the topic of a will; a PeerError or Limit when it is none."""
    if fields is None:
        return None
    check_destination(fields.topic)
    return Will(fields)
