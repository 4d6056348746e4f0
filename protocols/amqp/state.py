"""What an AMQP connection waits for, and for how long where nothing is negotiated."""

from enum import Enum
from typing import Final

CLOSE_TIMEOUT_S: Final = 30.0  # for close-ok; as RabbitMQ
DEAF_TIMEOUT_S: Final = 3.0  # for close-ok from a peer that cannot be understood; as RabbitMQ


class State(Enum):
    """What the connection waits for. RabbitMQ's words, where its error texts have them."""

    HEADER = "header"
    START_OK = "starting"
    LOGIN = "securing"
    TUNE_OK = "tuning"
    OPEN = "opening"
    RUNNING = "running"
    CLOSING = "closing"
    DEAF = "deaf"
