"""MQTT 5.0 by paho-mqtt, which reads on a thread of its own."""

import itertools
import queue
import threading
from dataclasses import dataclass, field
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

_numbers: Final = itertools.count()


@dataclass(frozen=True)
class Message:
    """A message as the library shows it; `said` has its properties by the library's names."""

    topic: str
    body: bytes
    qos: int
    retain: bool
    said: dict[str, Any] = field(default_factory=dict)


def properties(kind: int, **said: Any) -> Properties:
    """Return the library's form of properties: `properties(PacketTypes.PUBLISH, ContentType="x")`."""
    found = Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in said.items():
        setattr(found, name, value)
    return found


class Paho5:
    """One connected client."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str = "",
        *,
        clean: bool = True,
        keep_alive_s: int = 60,
        will: tuple[str, bytes, Properties] | None = None,
        **said: Any,
    ) -> None:
        self.inbox: queue.Queue[Message] = queue.Queue()
        self.ended = threading.Event()
        self.end_code = -1
        self.present = False
        self.terms: dict[str, Any] = {}
        self.code = -1
        self._answers: queue.Queue[Any] = queue.Queue()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or f"paho5-{next(_numbers)}",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        if endpoint.named:
            self._client.username_pw_set(endpoint.user, endpoint.password)
        if will is not None:
            self._client.will_set(will[0], will[1], 1, properties=will[2])
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._arrived
        self._client.on_subscribe = self._answered
        self._client.on_unsubscribe = self._answered
        self._client.on_publish = self._published
        self._client.connect(
            endpoint.host,
            endpoint.ports["mqtt"],
            keep_alive_s,
            clean_start=clean,
            properties=properties(PacketTypes.CONNECT, **said),
        )
        self._client.loop_start()
        self._answers.get(timeout=ANSWER_LIMIT_S)

    def subscribe(self, *filters: tuple[str, SubscribeOptions], identifier: int = 0) -> list[int]:
        """Return the reason codes."""
        said = properties(PacketTypes.SUBSCRIBE, **({"SubscriptionIdentifier": identifier} if identifier else {}))
        self._client.subscribe(list(filters), properties=said)
        return list(self._answers.get(timeout=ANSWER_LIMIT_S))

    def unsubscribe(self, topic_filter: str) -> list[int]:
        """Return the reason codes."""
        self._client.unsubscribe(topic_filter)
        return list(self._answers.get(timeout=ANSWER_LIMIT_S))

    def publish(self, topic: str, body: bytes, qos: int = 0, *, retain: bool = False, **said: Any) -> int:
        """Publish and return the reason code of the end of the exchange; 0 for QoS 0."""
        self._client.publish(topic, body, qos, retain, properties(PacketTypes.PUBLISH, **said))
        return int(self._answers.get(timeout=ANSWER_LIMIT_S))

    def receive(self) -> Message:
        """Return the next message."""
        return self.inbox.get(timeout=ANSWER_LIMIT_S)

    def close(self, **said: Any) -> None:
        """Say DISCONNECT."""
        self._client.disconnect(properties=properties(PacketTypes.DISCONNECT, **said))
        self._client.loop_stop()

    def vanish(self) -> None:
        """Close the socket without a DISCONNECT."""
        connection: Any = self._client.socket()
        connection.shutdown(2)
        self._client.loop_stop()

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, said: Any) -> None:
        del client, data
        self.present = bool(flags.session_present)
        self.terms = _plain(said)
        self.code = reason.value
        self._answers.put(reason.value)

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: Any, said: Any) -> None:
        del client, data, flags, said
        self.end_code = reason.value
        self.ended.set()

    def _answered(self, client: Any, data: Any, number: Any, reasons: Any, said: Any) -> None:
        del client, data, number, said
        self._answers.put([reason.value for reason in reasons])

    def _published(self, client: Any, data: Any, number: Any, reason: Any, said: Any) -> None:
        del client, data, number, said
        self._answers.put(reason.value)

    def _arrived(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        del client, data
        said = _plain(message.properties)
        self.inbox.put(Message(message.topic, bytes(message.payload), message.qos, message.retain, said))


def _plain(said: Any) -> dict[str, Any]:
    return {
        name: getattr(said, name) for name in vars(said) if name not in {"packetType", "types", "names", "properties"}
    }
