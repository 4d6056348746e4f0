"""STOMP 1.2 by stomp.py, which reads on a thread of its own."""

import itertools
import queue
from collections.abc import Mapping
from typing import Any, Final

import stomp

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Received
from interop.clients.stomp_address import stomp_destination

_numbers: Final = itertools.count()


class StompError(AssertionError):
    """The broker sent ERROR; the message is that frame's `message` header with its body."""


class _Ears:
    """What stomp.py calls from its thread. Receipts and errors answer whoever waits; messages go to the inbox."""

    def __init__(self, inbox: "queue.Queue[Received]") -> None:
        self.inbox = inbox
        self.answers: queue.Queue[str | StompError] = queue.Queue()

    def on_receipt(self, frame: Any) -> None:
        self.answers.put(frame.headers["receipt-id"])

    def on_error(self, frame: Any) -> None:
        self.answers.put(StompError(f"{frame.headers.get('message', '')}: {frame.body!r}"))

    def on_message(self, frame: Any) -> None:
        headers = dict(frame.headers)
        durable = headers.get("persistent") == "true"
        self.inbox.put(Received(bytes(frame.body or b""), headers["destination"], headers, durable=durable))


class StompPyDriver(Driver):
    """Besides the common face: acknowledgement modes and transactions, with STOMP's own words for destinations."""

    name = "stomp.py"
    protocol = "stomp"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._ears = _Ears(self.inbox)
        self.connection: Any = self.opened(endpoint)
        self.connection.set_listener("ears", self._ears)
        self.connection.connect(endpoint.user, endpoint.password, wait=True, with_connect_command=True)

    def opened(self, endpoint: Endpoint) -> Any:
        """Return a connection of stomp.py that is not logged in."""
        return stomp.Connection12(
            [(endpoint.host, endpoint.ports["stomp"])],
            vhost="/",
            auto_decode=False,
            reconnect_attempts_max=1,
            timeout=ANSWER_LIMIT_S,
            try_loopback_connect=False,
        )

    def subscribe(self, address: Address) -> None:
        self.subscribe_destination(stomp_destination(address))

    def subscribe_destination(self, destination: str, ack: str = "auto", **headers: str) -> str:
        """Subscribe, wait for the receipt, and return the id of the subscription."""
        number = f"subscription-{next(_numbers)}"
        receipt = f"receipt-{next(_numbers)}"
        self.connection.subscribe(destination, number, ack, headers={"receipt": receipt, **headers})
        self.answer(receipt)
        return number

    def unsubscribe(self, number: str) -> None:
        receipt = f"receipt-{next(_numbers)}"
        self.connection.unsubscribe(number, headers={"receipt": receipt})
        self.answer(receipt)

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        said = {**(headers or {}), **(properties or {})}
        if durable:
            said["persistent"] = "true"
        self.send(stomp_destination(address), body, said)

    def send(self, destination: str, body: bytes, headers: Mapping[str, Any] | None = None) -> None:
        """SEND and wait for the receipt; StompError when the broker refuses."""
        receipt = f"receipt-{next(_numbers)}"
        self.connection.send(destination, body, headers={"receipt": receipt, **(headers or {})})
        self.answer(receipt)

    def settle(self, message: Received, *, accept: bool = True, transaction: str | None = None) -> None:
        """ACK or NACK, and wait for the receipt."""
        receipt = f"receipt-{next(_numbers)}"
        settle = self.connection.ack if accept else self.connection.nack
        settle(message.headers["ack"], transaction=transaction, receipt=receipt)
        self.answer(receipt)

    def in_transaction(self, command: str, transaction: str) -> None:
        """BEGIN, COMMIT or ABORT, and wait for the receipt."""
        receipt = f"receipt-{next(_numbers)}"
        self.connection.send_frame(command, {"transaction": transaction, "receipt": receipt})
        self.answer(receipt)

    def send_in(self, transaction: str, destination: str, body: bytes) -> None:
        """SEND inside a transaction, without a receipt: brokers differ in whether it comes before the COMMIT."""
        self.connection.send(destination, body, headers={"transaction": transaction})

    def new_receipt(self) -> str:
        """Return a word for the `receipt` header of a frame that is sent by `connection`."""
        return f"receipt-{next(_numbers)}"

    def answer(self, receipt: str) -> None:
        """Wait for a receipt; StompError when an ERROR comes instead."""
        try:
            answer = self._ears.answers.get(timeout=ANSWER_LIMIT_S)
        except queue.Empty:
            raise AssertionError(f"no RECEIPT within {ANSWER_LIMIT_S} s") from None
        if isinstance(answer, StompError):
            raise answer
        assert answer == receipt

    def error(self) -> StompError:
        """Wait for an ERROR frame."""
        answer = self._ears.answers.get(timeout=ANSWER_LIMIT_S)
        assert isinstance(answer, StompError), f"a RECEIPT {answer!r} instead of an ERROR"
        return answer

    def close(self) -> None:
        self.connection.disconnect(receipt=f"receipt-{next(_numbers)}")
