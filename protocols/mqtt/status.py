"""`$SYS`: what the broker says about itself, in the tree of topics that Mosquitto has (mosquitto(8) "Broker Status").

Retained, and published again when it has changed. The topics are in the virtual host that MQTT clients are in and are for
subscriptions of MQTT only: a queue that AMQP has bound with `#` asked for what is published, and not for this.
"""

from collections.abc import Callable
from typing import Final

from core.broker import Broker
from core.model.errors import Limit
from core.model.message import EXACTLY_ONCE, FOR_NOBODY, plain_message
from core.model.names import DEFAULT_VHOST, TOPIC_SPACE
from core.queueing.group import Group
from core.routing.exchanges.topic import TopicExchange
from core.routing.route import Collector
from core.routing.sink import Sink, take_all
from core.timers import Timed
from protocols.mqtt.census import Census
from protocols.mqtt.load import Load
from protocols.mqtt.subscription import Grant

SYS_INTERVAL_S: Final = 10  # unless configured, as in Mosquitto
EXPIRY_S: Final = 60.0  # of what waits for a client that is away, as in Mosquitto: later values will have come
ROOT: Final = "$SYS.broker."


class Status(Timed):
    """Publishes the tree every `interval_s`. `memory_bytes` tells how much memory the process has."""

    def __init__(self, broker: Broker, interval_s: float, memory_bytes: Callable[[], int]) -> None:
        super().__init__()
        self._broker = broker
        self._vhost = broker.vhosts[DEFAULT_VHOST]
        exchange = self._vhost.exchange(TOPIC_SPACE)
        assert isinstance(exchange, TopicExchange)
        self._exchange = exchange
        self._interval_s = interval_s
        self._memory_bytes = memory_bytes
        self._started_at = broker.clock.now
        self._updated_at = broker.clock.now
        self._said: dict[str, str] = {}  # what is retained, by topic below the root
        self._most_clients = 0
        self._most_memory_bytes = 0
        self._loads: dict[str, Load] = {}

    def start(self) -> None:
        """Publish for the first time, and from then on."""
        self._say("version", f"dragoman version {self._broker.version}")
        self.timeout()
        self._broker.timers.watch(self)

    def timeout(self) -> None:
        now = self._broker.clock.now
        self._say("uptime", f"{int(now - self._started_at)} seconds")
        census = Census(self._broker)
        self._say_clients(census)
        self._say_traffic(now - self._updated_at)
        self._say_store(census)
        self._updated_at = now
        self.deadline = now + self._interval_s

    def _say_clients(self, census: Census) -> None:
        away = census.clients - census.connected
        self._most_clients = max(self._most_clients, census.clients)
        self._say_number("clients.total", census.clients)
        self._say_number("clients.maximum", self._most_clients)
        self._say_number("clients.connected", census.connected)
        self._say_number("clients.active", census.connected)  # Mosquitto's older words for the same
        self._say_number("clients.disconnected", away)
        self._say_number("clients.inactive", away)
        self._say_number("clients.expired", self._broker.counters.traffic_of("mqtt").expired)
        self._say_number("subscriptions.count", census.subscriptions)
        self._say_number("shared_subscriptions.count", census.shared)

    def _say_traffic(self, elapsed_s: float) -> None:
        counters = self._broker.counters
        traffic = counters.traffic_of("mqtt")
        dropped = sum(counters.dropped.values())
        sent = traffic.sent_packets - traffic.sent_other
        totals = {
            "messages.received": traffic.received_packets,
            "messages.sent": traffic.sent_packets,
            "publish.received": traffic.received_messages,
            "publish.sent": sent,
            "publish.dropped": dropped,
            "bytes.received": traffic.received_bytes,
            "bytes.sent": traffic.sent_bytes,
            "sockets": traffic.sockets,
            "connections": traffic.logins,
        }
        for name, total in totals.items():
            load = self._loads.get(name)
            if load is None:
                load = self._loads[name] = Load()
            if elapsed_s > 0.0:
                load.update(total, elapsed_s)
            for span, text in load.texts():
                self._say(f"load.{name}.{span}", text)
        self._say_number("messages.received", traffic.received_packets)
        self._say_number("messages.sent", traffic.sent_packets)
        self._say_number("publish.messages.received", traffic.received_messages)
        self._say_number("publish.messages.sent", sent)
        self._say_number("publish.messages.dropped", dropped)
        self._say_number("publish.bytes.received", traffic.received_message_bytes)
        self._say_number("publish.bytes.sent", traffic.sent_bytes - traffic.sent_other_bytes)
        self._say_number("bytes.received", traffic.received_bytes)
        self._say_number("bytes.sent", traffic.sent_bytes)

    def _say_store(self, census: Census) -> None:
        memory_bytes = self._memory_bytes()
        self._most_memory_bytes = max(self._most_memory_bytes, memory_bytes)
        self._say_number("messages.stored", census.stored)
        self._say_number("store.messages.count", census.stored)
        self._say_number("store.messages.bytes", census.stored_bytes)
        self._say_number("store.commits.count", self._broker.counters.commits)
        self._say_number("store.commits.messages", self._broker.counters.committed_messages)
        self._say_number("retained messages.count", census.retained)
        self._say_number("heap.current", memory_bytes)
        self._say_number("heap.maximum", self._most_memory_bytes)

    def _say_number(self, name: str, number: int) -> None:
        self._say(name, str(number))

    def _say(self, name: str, text: str) -> None:
        """Publish what has changed, and retain it."""
        if self._said.get(name) == text:
            return
        self._said[name] = text
        address = self._exchange.address(ROOT + name)
        kept = plain_message(address, text.encode(), EXACTLY_ONCE)
        kept.retained = True
        try:
            self._vhost.retained.keep(kept)
        except Limit:
            self._broker.counters.drop("retained_limit")
        message = plain_message(address, kept.body, EXACTLY_ONCE)
        message.retain = True
        message.expires_at = self._broker.clock.now + EXPIRY_S
        take_all(self._subscribers(address.key), message)
        message.encoded = b""
        message.encoded_for = FOR_NOBODY

    def _subscribers(self, key: str) -> list[Sink]:
        """Return the subscriptions of MQTT to a topic, one for each session."""
        found = Collector([key], None)
        for binding in self._exchange.matching(key):
            if isinstance(binding.sink, (Grant, Group)):
                found.add(binding.sink)
        return found.sinks()
