"""paho-mqtt with a session that lasts, which comes back when it is told to.

Left to itself the library tries to connect until it can, and with the second attempt forgets which of its messages of QoS 2 it
has released already: it publishes them anew, which [MQTT-4.3.3-1] forbids. Told once, when there is a broker, it does not.
"""

import queue
from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

SESSION_S: Final = 3_600


class LastingPaho:
    """One client. `present` says whether its last connection found a session."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        version: MQTTProtocolVersion,
        on_message: Callable[[paho.MQTTMessage], None] | None = None,
        on_publish: Callable[[int], None] | None = None,
    ) -> None:
        self.present = False
        self._answers: queue.Queue[str] = queue.Queue()
        newer = version == MQTTProtocolVersion.MQTTv5
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if newer else False,
            protocol=version,
            reconnect_on_failure=False,
        )
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._answers.put("subscribed")
        if on_message is not None:
            self.client.on_message = lambda _client, _data, message: on_message(message)
        if on_publish is not None:
            self.client.on_publish = lambda _client, _data, mid, *_: on_publish(mid)
        more: dict[str, Any] = {}
        if newer:
            said = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            said.SessionExpiryInterval = SESSION_S
            more = {"clean_start": False, "properties": said}
        self.client.connect(endpoint.host, endpoint.ports["mqtt"], **more)
        self._run()

    def _connected(self, _client: paho.Client, _data: Any, flags: Any, *_: Any) -> None:
        self.present = bool(flags.session_present)
        self._answers.put("connected")

    def _run(self) -> None:
        self.client.loop_start()
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == "connected"

    def subscribe(self, *filters: tuple[str, int]) -> None:
        """Subscribe, and return when that has been acknowledged."""
        self.client.subscribe(list(filters))
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == "subscribed"

    def come_back(self) -> None:
        """Connect again to a broker that has ended and is there again."""
        self.client.loop_stop()  # which its own end of the connection has ended
        self.client.reconnect()
        self._run()

    def close(self) -> None:
        """End the connection, and leave the session."""
        self.client.disconnect()
        self.client.loop_stop()
