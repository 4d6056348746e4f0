"""STOMP by stompest, the synchronous client: nothing is read before somebody asks."""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from stompest.config import StompConfig
from stompest.protocol import StompSpec
from stompest.sync import Stomp

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Address, Driver, Received
from interop.clients.stomp_address import stomp_destination

_numbers: Final = itertools.count()


class StompestError(AssertionError):
    """The broker sent ERROR; the message is that frame's `message` header with its body."""


class StompestDriver(Driver):
    """Besides the common face: any frame of the library with a receipt, and the versions that it speaks."""

    name = "stompest"
    protocol = "stomp"

    def __init__(self, endpoint: Endpoint, version: str = StompSpec.VERSION_1_2) -> None:
        super().__init__(endpoint)
        uri = f"tcp://{endpoint.host}:{endpoint.ports['stomp']}"
        config = StompConfig(uri, login=endpoint.user, passcode=endpoint.password, version=version)
        self.frames: list[Any] = []  # MESSAGE frames of the library that nobody has asked for yet
        self.client: Any = Stomp(config)
        self.client.connect(
            versions=[version], host="/", connectTimeout=ANSWER_LIMIT_S, connectedTimeout=ANSWER_LIMIT_S
        )
        self.version = str(self.client.session.version)

    def subscribe(self, address: Address) -> None:
        self.subscribe_destination(stomp_destination(address))

    def subscribe_destination(self, destination: str, ack: str = "auto", **headers: str) -> Any:
        """Subscribe, wait for the receipt, and return the library's token."""
        receipt = self.new_receipt()
        said = {StompSpec.ID_HEADER: f"s{next(_numbers)}", StompSpec.ACK_HEADER: ack, **headers}
        token = self.client.subscribe(destination, said, receipt=receipt)
        self.await_receipt(receipt)
        return token

    def publish(
        self,
        address: Address,
        body: bytes,
        *,
        headers: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        durable: bool = False,
    ) -> None:
        said = {**(headers or {}), **(properties or {}), "content-length": str(len(body))}
        if durable:
            said["persistent"] = "true"
        receipt = self.new_receipt()
        self.client.send(stomp_destination(address), body, said, receipt=receipt)
        self.await_receipt(receipt)

    def receive(self) -> Received:
        frame = self.receive_frame()
        headers = dict(frame.headers)
        durable = headers.get("persistent") == "true"
        return Received(bytes(frame.body), headers["destination"], headers, durable=durable)

    def receive_frame(self) -> Any:
        """Return the next MESSAGE as the library has it, which its `ack` and `nack` want."""
        return self.frames.pop(0) if self.frames else self._next(StompSpec.MESSAGE)

    def new_receipt(self) -> str:
        return f"r{next(_numbers)}"

    def await_receipt(self, receipt: str) -> None:
        """Wait for a receipt; StompestError when an ERROR comes instead."""
        frame = self._next(StompSpec.RECEIPT)
        assert frame.headers[StompSpec.RECEIPT_ID_HEADER] == receipt

    def _next(self, command: str) -> Any:
        while self.client.canRead(ANSWER_LIMIT_S):
            frame = self.client.receiveFrame()
            if frame.command == StompSpec.ERROR:
                raise StompestError(f"{frame.headers.get('message', '')}: {frame.body!r}")
            if frame.command == command:
                return frame
            assert frame.command == StompSpec.MESSAGE, frame
            self.frames.append(frame)
        raise AssertionError(f"no {command} within {ANSWER_LIMIT_S} s")

    def close(self) -> None:
        receipt = self.new_receipt()
        self.client.disconnect(receipt)
        self.await_receipt(receipt)
        self.client.close(flush=True)
