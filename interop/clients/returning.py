"""Clients of MQTT that come back by themselves when their connection is lost, each with its library's own means."""

import asyncio
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Final

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
from amqtt.client import MQTTClient
from amqtt.errors import AMQTTError, ClientError
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S

SESSION_S: Final = 600
AGAIN_S: Final = 0.05  # between two attempts to connect


class Returning(ABC):
    """One client with a session that outlives its connections, connected to `port` of the broker's host.

    `bodies` has what it received, in the order of arrival.
    """

    name: str
    receives: tuple[int, ...] = (1, 2)  # QoS that the library carries across its connections
    sends: tuple[int, ...] = (1, 2)

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        self.endpoint = endpoint
        self.port = port
        self.client_id = client_id
        self.bodies: queue.Queue[bytes] = queue.Queue()

    @abstractmethod
    def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe, and return when that has been acknowledged."""

    @abstractmethod
    def publish(self, topic: str, bodies: list[bytes], qos: int) -> None:
        """Hand messages to the library, which sends them as it can."""

    @abstractmethod
    def close(self) -> None:
        """End."""


class ReturningPaho(Returning):
    """paho-mqtt, with MQTT 3.1.1."""

    name = "paho-mqtt"
    version = MQTTProtocolVersion.MQTTv311

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        super().__init__(endpoint, port, client_id)
        self._answers: queue.Queue[str] = queue.Queue()
        newer = self.version == MQTTProtocolVersion.MQTTv5
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=None if newer else False, protocol=self.version
        )
        self._client.reconnect_delay_set(AGAIN_S, AGAIN_S)  # type: ignore[arg-type]
        if endpoint.named:
            self._client.username_pw_set(endpoint.user, endpoint.password)
        self._client.on_connect = lambda *_: self._answers.put("connected")
        self._client.on_subscribe = lambda *_: self._answers.put("subscribed")
        self._client.on_message = lambda client, data, message: self.bodies.put(bytes(message.payload))
        more: dict[str, Any] = {}
        if newer:
            said = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            said.SessionExpiryInterval = SESSION_S
            more = {"clean_start": False, "properties": said}
        self._client.connect(endpoint.host, port, **more)
        self._client.loop_start()
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == "connected"

    def subscribe(self, topic: str, qos: int) -> None:
        self._client.subscribe(topic, qos)
        assert self._answers.get(timeout=ANSWER_LIMIT_S) == "subscribed"

    def publish(self, topic: str, bodies: list[bytes], qos: int) -> None:
        for body in bodies:
            self._client.publish(topic, body, qos)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class ReturningPaho5(ReturningPaho):
    """paho-mqtt, with MQTT 5.0."""

    name = "paho-mqtt 5"
    version = MQTTProtocolVersion.MQTTv5


class OnLoop(Returning):
    """A client of asyncio, on a loop and a thread of its own."""

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        super().__init__(endpoint, port, client_id)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # lost connections are what this is about
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, Any], limit_s: float = ANSWER_LIMIT_S) -> Any:
        """Run to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run, and do not wait."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop with all that it still does."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_LIMIT_S)


class ReturningGmqtt(OnLoop):
    """gmqtt, with MQTT 5.0. It passes a message of QoS 2 on as often as it comes."""

    name = "gmqtt"
    receives = sends = (1,)

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        super().__init__(endpoint, port, client_id)
        self._subscribed = threading.Event()
        self.wait(self._connect())

    async def _connect(self) -> None:
        self._client = gmqtt.Client(self.client_id, clean_session=False, session_expiry_interval=SESSION_S)
        self._client.set_config({"reconnect_retries": -1, "reconnect_delay": AGAIN_S})
        if self.endpoint.named:
            self._client.set_auth_credentials(self.endpoint.user, self.endpoint.password)
        self._client.on_subscribe = lambda *_: self._subscribed.set()

        async def on_message(client: Any, topic: str, body: bytes, qos: int, said: dict[str, Any]) -> int:
            del client, topic, qos, said
            self.bodies.put(bytes(body))
            return 0

        self._client.on_message = on_message
        await self._client.connect(self.endpoint.host, self.port, version=gmqtt.constants.MQTTv50)

    def subscribe(self, topic: str, qos: int) -> None:
        self._loop.call_soon_threadsafe(lambda: self._client.subscribe(topic, qos=qos))
        assert self._subscribed.wait(ANSWER_LIMIT_S)

    def publish(self, topic: str, bodies: list[bytes], qos: int) -> None:
        def say() -> None:
            for body in bodies:
                self._client.publish(topic, body, qos=qos)

        self._loop.call_soon_threadsafe(say)

    def close(self) -> None:
        self.wait(self._client.disconnect())
        self.stop()


class ReturningAiomqtt(OnLoop):
    """aiomqtt, whose context is entered again after each loss.

    It does not learn of a connection that is lost while it is made, so it asks once in a while whether anybody is there.
    A publish that fails is for the application to repeat, which makes QoS 2 no more than QoS 1.
    """

    name = "aiomqtt"
    sends = (1,)
    PROBE_S = 1.0

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        super().__init__(endpoint, port, client_id)
        self._wanted = (f"{client_id}/nothing", 0)  # what is asked for when nothing else is
        self._subscribed = threading.Event()
        self._connected = threading.Event()
        self._to_publish: list[tuple[str, bytes, int]] = []
        self._lost = False
        self.begin(self._run())
        assert self._connected.wait(ANSWER_LIMIT_S)

    async def _run(self) -> None:
        login: Any = {"username": self.endpoint.user, "password": self.endpoint.password} if self.endpoint.named else {}

        def made() -> aiomqtt.Client:
            return aiomqtt.Client(
                self.endpoint.host, self.port, identifier=self.client_id, clean_session=False, timeout=1.0, **login
            )

        client = made()
        reading = asyncio.ensure_future(self._read(client))
        while True:
            self._lost = False
            try:
                async with client:
                    self._connected.set()
                    await self._talk(client)
            except aiomqtt.MqttReentrantError:  # its lock is never released once it was cut off at the wrong moment
                reading.cancel()
                client = made()
                reading = asyncio.ensure_future(self._read(client))
            except aiomqtt.MqttError:
                await asyncio.sleep(AGAIN_S)

    async def _read(self, client: aiomqtt.Client) -> None:
        while True:
            try:
                async for message in client.messages:
                    self.bodies.put(bytes(message.payload))
            except aiomqtt.MqttError:
                self._lost = True
                await asyncio.sleep(AGAIN_S)

    async def _talk(self, client: aiomqtt.Client) -> None:
        probe_at = self._loop.time() + self.PROBE_S
        while not self._lost:
            while self._to_publish:
                topic, body, qos = self._to_publish[0]
                await client.publish(topic, body, qos)
                self._to_publish.pop(0)
            if not self._subscribed.is_set() or self._loop.time() > probe_at:
                wanted = self._wanted
                await client.subscribe(*wanted)
                if wanted is self._wanted:
                    self._subscribed.set()
                probe_at = self._loop.time() + self.PROBE_S
            await asyncio.sleep(AGAIN_S / 5)

    def subscribe(self, topic: str, qos: int) -> None:
        self._wanted = (topic, qos)
        self._subscribed.clear()
        assert self._subscribed.wait(ANSWER_LIMIT_S)

    def publish(self, topic: str, bodies: list[bytes], qos: int) -> None:
        self._to_publish += [(topic, body, qos) for body in bodies]

    def close(self) -> None:
        self.stop()


class ReturningAmqtt(OnLoop):
    """amqtt's client, with MQTT 3.1.1.

    What it was sending when it lost its connection it never sends again, and it forgets messages of QoS 2 that it had
    received and not passed on: with Mosquitto it does the same.
    """

    name = "amqtt"
    receives = (1,)
    sends = ()

    def __init__(self, endpoint: Endpoint, port: int, client_id: str) -> None:
        super().__init__(endpoint, port, client_id)
        self.wait(self._connect())
        self.begin(self._read())

    async def _connect(self) -> None:
        who = f"{self.endpoint.user}:{self.endpoint.password}@" if self.endpoint.named else ""
        again = {"auto_reconnect": True, "reconnect_retries": 50, "reconnect_max_interval": 1, "keep_alive": 60}
        self._client: Any = MQTTClient(self.client_id, again)
        await self._client.connect(f"mqtt://{who}{self.endpoint.host}:{self.port}", cleansession=False)

    async def _read(self) -> None:
        while True:
            try:
                message = await self._client.deliver_message()
            except (AMQTTError, ClientError):  # asked between two connections
                await asyncio.sleep(AGAIN_S)
                continue
            if message is not None:
                self.bodies.put(bytes(message.data))

    def subscribe(self, topic: str, qos: int) -> None:
        self.wait(self._client.subscribe([(topic, qos)]))

    def publish(self, topic: str, bodies: list[bytes], qos: int) -> None:
        async def say() -> None:
            for body in bodies:
                await self._client.publish(topic, body, qos=qos)

        self.begin(say())

    def close(self) -> None:
        self.stop()


KINDS: Final[tuple[type[Returning], ...]] = (
    ReturningPaho,
    ReturningPaho5,
    ReturningGmqtt,
    ReturningAiomqtt,
    ReturningAmqtt,
)
