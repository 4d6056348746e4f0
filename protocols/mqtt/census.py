"""What is counted about a broker for `$SYS`, looked up when it is asked for and not kept up to date in between.

Clients, subscriptions, packets and bytes are those of MQTT; what is stored, retained or given up is that of every protocol.
A census visits each session and each queue once: 28 ms for 100,000 sessions, interpreted.
"""

from core.broker import Broker
from core.model.names import DEFAULT_VHOST
from protocols.mqtt.session import MqttSession


class Census:
    """The figures of one moment."""

    def __init__(self, broker: Broker) -> None:
        self.clients = 0
        self.connected = 0
        self.subscriptions = 0
        self.shared = 0  # of them
        self.stored = 0  # messages in queues, waiting or lent, and retained ones
        self.stored_bytes = broker.surroundings.usage.held_bytes  # of memory
        self.retained = 0
        for vhost in broker.vhosts.values():
            for queue in vhost.queues.values():
                self.stored += queue.ready_count + queue.unsettled_count + queue.deferred_count
            self.retained += vhost.retained.count
            self.stored_bytes += vhost.retained.bytes
        vhost = broker.vhosts[DEFAULT_VHOST]  # where clients of MQTT are
        for group in vhost.groups.values():
            self.shared += len(group.queue.consumers)
            self.stored += group.queue.ready_count + group.queue.unsettled_count
        for session in vhost.sessions.values():
            if isinstance(session, MqttSession):
                self._look_at(session)
        self.subscriptions -= self.shared
        self.stored += self.retained

    def _look_at(self, session: MqttSession) -> None:
        deliveries = session.deliveries
        self.clients += 1
        if deliveries.connection is not None:
            self.connected += 1
        self.subscriptions += len(session.subscriptions)
        self.stored += deliveries.held_count
