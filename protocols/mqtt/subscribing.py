"""SUBSCRIBE and UNSUBSCRIBE: each filter for itself, then one answer, then the retained messages (§3.8.4, §3.10.4)."""

from core.client import Client
from core.model.errors import BrokerError
from core.routing.pattern import Pattern
from protocols.connection import Connection
from protocols.mqtt.errors import NO_SUBSCRIPTION_EXISTED, SUCCESS, outcome_of
from protocols.mqtt.greeting import Greeting
from protocols.mqtt.packets import Subscribe, Unsubscribe
from protocols.mqtt.packets5 import QOS, RETAIN_HANDLING, RETAIN_IF_NEW, RETAIN_NEVER
from protocols.mqtt.session import MqttSession
from protocols.mqtt.subscription import Subscription


class Subscribing:
    """What one connection subscribes to."""

    def __init__(self, connection: Connection, client: Client, session: MqttSession) -> None:
        self._connection = connection
        self._client = client
        self._session = session
        self._greeting: Greeting | None = None  # from the first subscription on that may find something retained

    def subscribe(self, packet: Subscribe) -> None:
        """Make the subscriptions, say what became of each [MQTT-3.8.4-6], and send what is retained for them."""
        session = self._session
        codes: list[int] = []
        refused: list[str] = []
        greeted: dict[str, tuple[Subscription, Pattern]] = {}
        for text, options in packet.filters:
            existed = text in session.subscriptions
            try:
                subscription = session.subscribe(self._client, text, options, packet.identifier)
            except BrokerError as error:
                codes.append(outcome_of(error).reason)
                refused.append(error.text)
                continue
            codes.append(options & QOS)
            if subscription.pattern is not None and _wants_retained(options, existed=existed):
                greeted[text] = (subscription, subscription.pattern)
        if refused:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            self._connection.outlet.note("subscription refused", f"{refused[0]}{more}")
        self._connection.complete_output()
        text = refused[0] if refused else ""
        self._answer(session.deliveries.dialect.suback(packet.packet_id, codes, text))
        for text, (subscription, pattern) in greeted.items():  # also when it replaced another [MQTT-3.8.4-3]
            self._greet(text, subscription, pattern)

    def _greet(self, text: str, subscription: Subscription, pattern: Pattern) -> None:
        """Send what is retained for a new subscription. Most find nothing, and a connection of theirs needs no greeting."""
        greeting = self._greeting
        if greeting is None:
            if not self._client.vhost.retained.count:
                return
            greeting = self._greeting = Greeting(self._connection, self._session, self._client)
        if greeting.full:
            self._client.counters.drop("slow_subscriber")
        else:
            greeting.add(text, subscription, pattern)

    def unsubscribe(self, packet: Unsubscribe) -> None:
        """End the subscriptions, and say of each whether there was one [MQTT-3.10.4-4], [MQTT-3.11.3-1]."""
        session = self._session
        codes = [SUCCESS if session.unsubscribe(text) else NO_SUBSCRIPTION_EXISTED for text in packet.filters]
        self._connection.complete_output()
        self._answer(session.deliveries.dialect.unsuback(packet.packet_id, codes))

    def _answer(self, packet: bytes) -> None:
        if packet:
            self._connection.traffic.answered(len(packet))
            self._connection.write(packet)

    def go_on(self) -> None:
        """Send more of what is retained: the output has room again."""
        if self._greeting is not None:
            self._greeting.go_on()

    def end(self) -> None:
        """Send no more, because the connection has ended."""
        if self._greeting is not None:
            self._greeting.end()


def _wants_retained(options: int, *, existed: bool) -> bool:
    handling = options & RETAIN_HANDLING  # [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    return handling != RETAIN_NEVER and not (handling == RETAIN_IF_NEW and existed)
