"""Enhanced authentication: who a client is, as an exchange of AUTH packets tells, at its CONNECT and again (MQTT 5.0 §4.12).

The client speaks first, in CONNECT or in the AUTH that begins anew, or when it was sent an AUTH without data; what is said
to it last goes into CONNACK or into the AUTH that tells of success. The methods themselves are not here.
"""

from protocols.connection import Outlet
from protocols.exchange import Exchange, Failure
from protocols.mqtt.errors import BAD_AUTHENTICATION_METHOD, NOT_AUTHORIZED, PROTOCOL_ERROR, Forbidden, Refused
from protocols.mqtt.packets5 import AUTH_AGAIN, AUTH_GO_ON, Auth
from protocols.mqtt.properties import AUTHENTICATION_DATA, AUTHENTICATION_METHOD, field


class Authentication:
    """The exchanges of one connection, by the one method that it has chosen, one after the other."""

    def __init__(self, method: str, outlet: Outlet) -> None:
        self.username = ""  # whose proof is to be looked at
        self.failure = ""  # what is wrong with it, for the log
        self.checking = False  # the exchange is over, and the verdict has not come yet
        self._method = method
        self._outlet = outlet
        self._exchange: Exchange | None = None
        self._last_words = b""

    def begin(self, data: bytes | None) -> bytes:
        """Begin an exchange, and return what goes on with it; see `go_on`. Refused when the method is not served."""
        exchange = self._exchange = self._outlet.exchange(self._method)
        if exchange is None:  # [MQTT-4.12.0-1]
            raise Refused(f"authentication method '{self._method}' is not supported", BAD_AUTHENTICATION_METHOD)
        self.failure = ""
        return self.properties(b"") if data is None else self._answer(exchange, data)

    def go_on(self, packet: Auth, *, connected: bool) -> bytes:
        """Take the AUTH of a client, and return the properties of that which asks for the next; none when `checking`.

        Forbidden when it must not come now; Refused when what it says is no part of an exchange.
        """
        if packet.method != self._method:
            raise Forbidden(
                f"AUTH with another authentication method, '{packet.method}' [MQTT-4.12.0-5]", PROTOCOL_ERROR
            )
        exchange = self._exchange
        if packet.code == AUTH_AGAIN:
            if not connected or exchange is not None or self.checking:
                raise Forbidden("AUTH that begins anew before the exchange is over (§4.12.1)", PROTOCOL_ERROR)
            return self.begin(packet.data)
        if packet.code != AUTH_GO_ON or exchange is None:
            raise Forbidden(f"AUTH with code 0x{packet.code:02x}, which nothing has asked for (§4.12)", PROTOCOL_ERROR)
        return self._answer(exchange, packet.data or b"")

    def take_last_words(self) -> bytes:
        """Learn that the verdict is there, and return the properties of what tells the client of success."""
        words = self.properties(self._last_words)
        self.checking = False
        self._last_words = b""
        return words

    def properties(self, data: bytes) -> bytes:
        """Return the properties that tell the method, and the data if there is any [MQTT-4.12.0-5]."""
        said = field(AUTHENTICATION_METHOD, self._method.encode())
        return said + field(AUTHENTICATION_DATA, data) if data else said

    def _answer(self, exchange: Exchange, data: bytes) -> bytes:
        try:
            answer = exchange.answer(data)
        except Failure as error:
            text = f"user '{exchange.username}': {error.text}" if exchange.username else error.text
            if not error.guess:
                raise Refused(text, NOT_AUTHORIZED) from None
            self.failure = text  # told later, as a wrong password is
            answer = b""
        if not exchange.finished and not self.failure:
            return self.properties(answer)
        self.username = exchange.username
        self.checking = True
        self._exchange = None
        self._last_words = answer
        return b""
