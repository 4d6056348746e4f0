"""The face that every client wears, so that a test can be said once for all pairs of them.

Addresses are said in AMQP's form and each driver translates them into its protocol's. Nothing returns before the broker
has answered: a subscription is active when `subscribe` returns, a message is routed when `publish` returns, unless the
protocol has no answer (MQTT QoS 0).
"""

import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from interop.broker import Endpoint

ANSWER_LIMIT_S: Final = 4.0  # no test waits this long unless it fails


@dataclass(frozen=True)
class Topic:
    """A key or a pattern of topic space in AMQP's form: levels parted by dots, `*` one level, `#` the rest."""

    key: str


@dataclass(frozen=True)
class Queue:
    """A durable queue, declared by whoever comes first."""

    name: str


Address = Topic | Queue
Connect = Callable[..., Any]  # the fixture that connects a driver of the given class


@dataclass(frozen=True)
class Received:
    """A message as the client's library shows it, named as its own protocol names things."""

    body: bytes
    address: str
    headers: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    durable: bool = False


class Driver(ABC):
    """One connected client. `headers` are the protocol's own; a protocol without headers refuses them."""

    name: str
    protocol: str

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.inbox: queue.Queue[Received] = queue.Queue()

    @abstractmethod
    def subscribe(self, address: Address) -> None:
        """Receive what is published there from now on."""

    @abstractmethod
    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        """Publish one message; a queue is declared first."""

    def receive(self) -> Received:
        """Return the next message, in the order of arrival; it is settled."""
        try:
            return self.inbox.get(timeout=ANSWER_LIMIT_S)
        except queue.Empty:
            raise AssertionError(f"{self.name} received nothing within {ANSWER_LIMIT_S} s") from None

    @abstractmethod
    def close(self) -> None:
        """Say good-bye and close the connection."""
