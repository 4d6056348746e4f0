"""The clients: one driver each around seven third-party libraries, all with the face of `driver.Driver`."""

from interop.clients.aio_pika_client import AioPikaDriver
from interop.clients.amqtt_client import AmqttDriver
from interop.clients.driver import Address, Connect, Driver, Queue, Received, Topic
from interop.clients.paho_client import PahoDriver
from interop.clients.pika_client import PikaDriver
from interop.clients.stomp_py_client import StompPyDriver
from interop.clients.stomper_client import StomperDriver
from interop.clients.stompest_client import StompestDriver

TOPIC_DRIVERS: tuple[type[Driver], ...] = (
    PikaDriver,
    AioPikaDriver,
    PahoDriver,
    AmqttDriver,
    StompPyDriver,
    StomperDriver,
    StompestDriver,
)
QUEUE_DRIVERS: tuple[type[Driver], ...] = (PikaDriver, AioPikaDriver, StompPyDriver, StomperDriver, StompestDriver)

__all__ = [
    "QUEUE_DRIVERS",
    "TOPIC_DRIVERS",
    "Address",
    "AioPikaDriver",
    "AmqttDriver",
    "Connect",
    "Driver",
    "PahoDriver",
    "PikaDriver",
    "Queue",
    "Received",
    "StompPyDriver",
    "StomperDriver",
    "StompestDriver",
    "Topic",
]
