"""STOMP 1.0, 1.1 and 1.2 by stomp.py, which has a class for each; and with headers of one's own in CONNECT."""

from typing import Any, Final

import stomp

from interop.broker import Endpoint
from interop.clients.driver import ANSWER_LIMIT_S, Received
from interop.clients.stomp_py_client import StompPyDriver

VERSIONS: Final = ("1.0", "1.1", "1.2")


class StompPyVersionDriver(StompPyDriver):
    """The same driver in a version of one's choice."""

    def __init__(self, endpoint: Endpoint, version: str = "1.2", client_id: str = "") -> None:
        self.version = version
        self._client_id = client_id
        super().__init__(endpoint)

    def opened(self, endpoint: Endpoint) -> Any:
        options: dict[str, Any] = {
            "auto_decode": False,
            "reconnect_attempts_max": 1,
            "timeout": ANSWER_LIMIT_S,
            "try_loopback_connect": False,
        }
        places = [(endpoint.host, endpoint.ports["stomp"])]
        if self.version == "1.0":
            connection: Any = stomp.Connection10(places, **options)
        elif self.version == "1.1":
            connection = stomp.Connection11(places, vhost="/", **options)
        else:
            connection = stomp.Connection12(places, vhost="/", **options)
        if self._client_id:
            login = connection.connect
            connection.connect = lambda *given, **named: login(*given, headers={"client-id": self._client_id}, **named)
        return connection

    def settle(self, message: Received, *, accept: bool = True, transaction: str | None = None, **headers: str) -> None:
        """ACK or NACK in the way of the version, with more headers where they are given, and wait for the receipt."""
        receipt = self.new_receipt()
        said = {"receipt": receipt, **headers}
        if transaction is not None:
            said["transaction"] = transaction
        if self.version == "1.2":
            said["id"] = message.headers["ack"]
        else:
            said["message-id"] = message.headers["message-id"]
            if self.version == "1.1":
                said["subscription"] = message.headers["subscription"]
        self.connection.send_frame("ACK" if accept else "NACK", said)
        self.answer(receipt)
