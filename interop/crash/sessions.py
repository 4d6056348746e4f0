"""MQTT clients with persistent sessions that live through all rounds: paho-mqtt.

One subscribes with QoS 1 and 2. The other publishes with QoS 2 and sends again what its library has not seen completed, so that
nothing of it may be lost, and nothing may come twice, marked or not.
"""

import threading
import time
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion

from interop.broker import Endpoint
from interop.clients.lasting_paho import LastingPaho
from interop.crash.ledger import Ledger
from interop.crash.publishers import SESSION_TOPIC

EXACT_TOPIC: Final = "crash/exact"
UNDER_WAY: Final = 20  # messages of QoS 2 that are not completed
LIMIT_S: Final = 30.0  # for all that is under way to arrive in the end
POLL_S: Final = 0.05


class Sessions:
    """The two clients, connected to a broker that will die and come back at the same ports."""

    def __init__(self, endpoint: Endpoint, ledger: Ledger, name: str) -> None:
        self._name = name
        self._ledger = ledger
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}  # of messages of QoS 2 that are not completed, by packet id
        self._owed: set[str] = set()  # names of messages of QoS 2 that have not arrived
        self._early: set[int] = set()  # packet ids that were completed before `publish` has returned them
        self._room = threading.Semaphore(UNDER_WAY)
        self._number = 0
        version = MQTTProtocolVersion.MQTTv311
        self._subscriber = LastingPaho(endpoint, f"{name}-subscriber", version, on_message=self._received)
        self._publisher = LastingPaho(endpoint, f"{name}-exact", version, on_publish=self._completed)
        self._subscriber.subscribe((SESSION_TOPIC, 1), (EXACT_TOPIC, 2))

    def come_back(self) -> None:
        """Connect again: the broker is there again, and must know both."""
        for client in (self._subscriber, self._publisher):
            client.come_back()
            assert client.present, "a session is gone"

    def _received(self, message: paho.MQTTMessage) -> None:
        name = message.payload.decode()
        self._ledger.receive(name, marked=message.dup and message.qos == 1)  # QoS 2 has no excuse
        with self._lock:
            self._owed.discard(name)

    def _completed(self, mid: int) -> None:
        with self._lock:
            name = self._names.pop(mid, None)
            if name is None:
                self._early.add(mid)
        if name is not None:
            self._ledger.confirm(name)
        self._room.release()

    def publish(self, prefix: str, stop: threading.Event) -> None:
        """Publish with QoS 2 until told to stop, whether the broker is there or not."""
        while not stop.is_set():
            if self._room.acquire(timeout=POLL_S):
                self._publish(prefix)

    def _publish(self, prefix: str) -> None:
        self._number += 1
        name = f"{prefix}-exact-{self._number}"
        self._ledger.attempt(name)
        with self._lock:
            self._owed.add(name)
        mid = self._publisher.client.publish(
            EXACT_TOPIC, name.encode(), qos=2
        ).mid  # without the lock: it may call `_completed`
        with self._lock:
            completed = mid in self._early
            if completed:
                self._early.discard(mid)
            else:
                self._names[mid] = name
        if completed:
            self._ledger.confirm(name)

    def settle(self) -> None:
        """Wait until everything of QoS 2 has arrived, and so all of QoS 1 that was published before: a session keeps the order."""
        stop = time.monotonic() + LIMIT_S
        self._publish(f"{self._name}-last")
        while (self._owed or self._names) and time.monotonic() < stop:
            time.sleep(POLL_S)
        for name in sorted(self._owed):
            self._ledger.confirm(name)  # its publisher's library will send it for ever: not to arrive is to be lost
        self._owed.clear()

    def close(self) -> None:
        """End."""
        for client in (self._subscriber, self._publisher):
            client.close()
