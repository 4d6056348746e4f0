"""A consumer by paho-mqtt, of either version, that acknowledges when it is told to, or at once."""

import itertools
import queue
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho5_client import properties

SESSION_EXPIRY_S: Final = 1_000
_numbers: Final = itertools.count()


class PahoWorker:
    """One connected client. `persistent`: its session outlives the connection; `manual`: it waits for `acknowledge`."""

    def __init__(
        self,
        endpoint: Endpoint,
        version: int,
        client_id: str = "",
        *,
        persistent: bool = False,
        manual: bool = True,
        window: int = 0,
    ) -> None:
        self.inbox: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._answers: queue.Queue[list[int]] = queue.Queue()
        said: dict[str, Any] = {}
        if version == 5:
            if persistent:
                said["SessionExpiryInterval"] = SESSION_EXPIRY_S
            if window:
                said["ReceiveMaximum"] = window
            started: dict[str, Any] = {
                "clean_start": not persistent,
                "properties": properties(PacketTypes.CONNECT, **said),
            }
            made: dict[str, Any] = {"protocol": MQTTProtocolVersion.MQTTv5}
        else:
            started, made = {}, {"clean_session": not persistent}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id or f"worker-{next(_numbers)}",
            reconnect_on_failure=False,
            manual_ack=manual,
            **made,
        )
        if endpoint.named:
            self._client.username_pw_set(endpoint.user, endpoint.password)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._answered
        self._client.on_unsubscribe = self._answered
        self._client.on_message = self._arrived
        self._client.connect(endpoint.host, endpoint.ports["mqtt"], **started)
        self._client.loop_start()
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == [0]

    def subscribe(self, topic_filter: str, qos: int) -> int:
        """Return the reason code or the QoS granted."""
        self._client.subscribe(topic_filter, qos)
        return self._answers.get(timeout=ANSWER_LIMIT_S)[0]

    def unsubscribe(self, topic_filter: str) -> None:
        self._client.unsubscribe(topic_filter)
        self._answers.get(timeout=ANSWER_LIMIT_S)

    def receive(self) -> paho.MQTTMessage:
        """Return the next message, which is not acknowledged yet."""
        return self.inbox.get(timeout=ANSWER_LIMIT_S)

    def acknowledge(self, message: paho.MQTTMessage) -> None:
        """Send PUBACK or PUBCOMP."""
        self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, body: bytes, qos: int = 1) -> None:
        """Publish and wait for the end of the exchange."""
        info = self._client.publish(topic, body, qos)
        info.wait_for_publish(ANSWER_LIMIT_S)
        assert info.is_published()

    def close(self) -> None:
        """Say DISCONNECT."""
        self._client.disconnect()
        self._client.loop_stop()

    def vanish(self) -> None:
        """Close the socket without a DISCONNECT."""
        connection: Any = self._client.socket()
        connection.shutdown(2)
        self._client.loop_stop()

    def come_back(self) -> None:
        """Connect again, with what the library remembers of its session."""
        self._client.reconnect()
        self._client.loop_start()
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == [0]

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, said: Any) -> None:
        del client, data, flags, said
        self._answers.put([reason.value])

    def _answered(self, client: Any, data: Any, number: Any, reasons: Any, said: Any) -> None:
        del client, data, number, said
        self._answers.put([reason.value for reason in reasons])

    def _arrived(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        del client, data
        self.inbox.put(message)
